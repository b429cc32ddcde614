/**
 * What the cells of a file hold beside proper values: nothing, levels that are not known, numbers out of bounds. They
 * are counted and reported, not refused: one odd cell must not stop a night's work.
 */
import { type CategoryColumn, type DatasetSpecification, MISSING_CODE, type Table } from "@churn/contract";

/** Counts of one column. */
export interface ColumnCounts {
  missing: number;
  /** Levels that `KnowsLevel` does not know. */
  unknownLevels: number;
  /** Numbers outside the specification's bounds, without an end, or broken where whole ones are expected. */
  outOfRange: number;
}

/** Column → its counts, for each feature column. */
export type ValueCounts = Map<string, ColumnCounts>;

/** Whether a category's level is one of those that a model, or the specification, knows. */
export type KnowsLevel = (column: string, level: string) => boolean;

/** Adds a table's values to the counts. */
export function countValues(
  dataset: DatasetSpecification,
  table: Table,
  counts: ValueCounts,
  knowsLevel: KnowsLevel = (name, level) => dataset.columns[name].values?.includes(level) ?? true,
): void {
  for (const [name, column] of table.columns) {
    const count = counts.get(name) ?? { missing: 0, unknownLevels: 0, outOfRange: 0 };
    counts.set(name, count);
    if (column instanceof Float64Array) countNumbers(dataset, name, column, count);
    else countLevels(column, (level) => knowsLevel(name, level), count);
  }
}

function countNumbers(dataset: DatasetSpecification, name: string, values: Float64Array, count: ColumnCounts): void {
  const { type, minimum = -Number.MAX_VALUE, maximum = Number.MAX_VALUE } = dataset.columns[name];
  const isWhole = type === "integer";
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value >= minimum && value <= maximum && (!isWhole || value === Math.floor(value))) continue;
    if (Number.isNaN(value)) count.missing++;
    else count.outOfRange++;
  }
}

function countLevels(
  { codes, levels }: CategoryColumn,
  isKnown: (level: string) => boolean,
  count: ColumnCounts,
): void {
  const known = levels.map(isKnown);
  let [missing, unknownLevels] = [0, 0];
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] === MISSING_CODE) missing++;
    else if (!known[codes[i]]) unknownLevels++;
  }
  count.missing += missing;
  count.unknownLevels += unknownLevels;
}

/** The counts of one kind that are not 0: column → how many. */
export function countsOf(counts: ValueCounts, kind: keyof ColumnCounts): Record<string, number> {
  return nonZero(counts, (count) => count[kind]);
}

/** What the specification does not allow, of all kinds; a missing value only where there has to be one. */
export function violations(dataset: DatasetSpecification, counts: ValueCounts): Record<string, number> {
  return nonZero(counts, ({ missing, unknownLevels, outOfRange }, name) => {
    return unknownLevels + outOfRange + (dataset.columns[name].nullable ? 0 : missing);
  });
}

function nonZero(counts: ValueCounts, numberOf: (count: ColumnCounts, name: string) => number): Record<string, number> {
  const numbers = [...counts].map(([name, count]) => [name, numberOf(count, name)] as const);
  return Object.fromEntries(numbers.filter(([, number]) => number > 0));
}
