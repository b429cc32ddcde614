/**
 * Findings: values in a file that the specification does not allow. They are counted and reported, not
 * refused: one odd cell must not stop a night's work.
 */
import { type DatasetSpecification, MISSING_CODE, type Table } from "@churn/contract";

/** Whether a category's level is one of those that a model, or the specification, knows. */
export type KnowsLevel = (column: string, level: string) => boolean;

/** Counts what a request would be refused for, or warned of as an unknown level. */
export function countFindings(
  dataset: DatasetSpecification,
  table: Table,
  findings: Map<string, number>,
  knowsLevel: KnowsLevel = (name, level) => dataset.columns[name].values?.includes(level) ?? true,
): void {
  for (const [name, column] of table.columns) {
    const { type, nullable = false, minimum = -Infinity, maximum = Infinity } = dataset.columns[name];
    const isAllowed = (value: number): boolean =>
      Number.isFinite(value) && value >= minimum && value <= maximum && (type !== "integer" || Number.isInteger(value));
    const isLevelKnown = column instanceof Float64Array ? [] : column.levels.map((level) => knowsLevel(name, level));
    let count = 0;
    for (let i = 0; i < table.rows; i++) {
      const value = column instanceof Float64Array ? column[i] : column.codes[i];
      const isMissing = column instanceof Float64Array ? Number.isNaN(value) : value === MISSING_CODE;
      if (isMissing) count += nullable ? 0 : 1;
      else if (column instanceof Float64Array) count += isAllowed(value) ? 0 : 1;
      else count += isLevelKnown[value] ? 0 : 1;
    }
    if (count > 0) findings.set(name, (findings.get(name) ?? 0) + count);
  }
}
