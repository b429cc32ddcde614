/**
 * From a customer to the numbers a forest reads: the one definition both planes use.
 *
 *     columns (as they stand) + derived features (expressions) ─▶ float32 per feature, NaN is missing
 *
 * A category becomes the position of its level in an order learned from the training data; a level that
 * is not in that order is unknown, which is the same as missing. A number is rounded to float32, so that
 * the trees' float32 thresholds decide exactly; what is not finite afterwards counts as missing.
 */
import { type DatasetSpecification, featureColumnNames } from "./dataset.ts";
import { ChurnError } from "./errors.ts";
import { compileExpression, type Expression, type Row } from "./expression.ts";
import type { ValueType } from "./operators.ts";
import { type CategoryColumn, type Column, MISSING_CODE, type Table } from "./table.ts";

/** One input of the forest. */
export interface Feature {
  readonly name: string;
  readonly kind: "number" | "category";
  /** Set for a derived feature; a column otherwise. */
  readonly expression?: Expression;
}

/** Level order per category feature, learned from training data: the code of a level is its position. */
export type CategoryEncodings = Readonly<Record<string, readonly string[]>>;

/**
 * The features of a data set: its feature columns in their order, then the derived features in theirs.
 *
 * @throws CHURN_ERR_EXPRESSION_INVALID for a faulty expression; CHURN_ERR_DATASET_INVALID for a cycle
 */
export function compileFeatures(dataset: DatasetSpecification, source: string): Feature[] {
  const columns: Feature[] = featureColumnNames(dataset).map((name) => ({
    name,
    kind: dataset.columns[name].type === "category" ? "category" : "number",
  }));
  return [...columns, ...derivedFeatures(dataset, source)];
}

/** Longer than anyone would write; keeps recursion far from the stack's end. */
const MAX_CHAIN = 100;

/** Types of derived features are found by following references, so the order they stand in is free. */
function derivedFeatures(dataset: DatasetSpecification, source: string): Feature[] {
  const sources = new Map(Object.entries(dataset.features ?? {}));
  const columns = columnTypes(dataset);
  const names = [...columns.keys(), ...sources.keys()];
  const done = new Map<string, Expression>();
  const chains = new Map<string, number>(); // features in a row, this one last
  const tooLong = (name: string): ChurnError => {
    const message = `expected at most ${MAX_CHAIN} features of which each reads the one before`;
    return new ChurnError("CHURN_ERR_DATASET_INVALID", `${source}: /features/${name}: ${message}`);
  };
  const compile = (name: string, above: readonly string[]): Expression => {
    const known = done.get(name);
    if (known !== undefined) return known;
    if (above.includes(name)) {
      const cycle = [...above.slice(above.indexOf(name)), name].join(" → ");
      throw new ChurnError("CHURN_ERR_DATASET_INVALID", `${source}: /features/${name}: defined by itself: ${cycle}`);
    }
    if (above.length >= MAX_CHAIN) throw tooLong(name);
    const typeOf = (other: string): ValueType | undefined =>
      sources.has(other) ? compile(other, [...above, name]).type : columns.get(other);
    const path = `${source}: /features/${name}`;
    const expression = compileExpression(sources.get(name) as string, { names, typeOf }, path);
    const length = 1 + Math.max(0, ...expression.references.map((other) => chains.get(other) ?? 0));
    if (length > MAX_CHAIN) throw tooLong(name);
    chains.set(name, length);
    done.set(name, expression);
    return expression;
  };
  return [...sources.keys()].map((name) => ({ name, kind: "number", expression: compile(name, []) }));
}

function columnTypes(dataset: DatasetSpecification): Map<string, ValueType> {
  const type = (name: string): ValueType => {
    const declared = dataset.columns[name].type;
    if (declared === "category") return "text";
    return declared === "boolean" ? "condition" : "number";
  };
  return new Map(featureColumnNames(dataset).map((name) => [name, type(name)]));
}

/** Features in an order in which each comes after those it reads. */
export function inDependencyOrder(features: readonly Feature[]): Feature[] {
  const byName = new Map(features.map((feature) => [feature.name, feature]));
  const ordered = new Set<Feature>();
  const visit = (feature: Feature): void => {
    if (ordered.has(feature)) return;
    for (const name of feature.expression?.references ?? []) visit(byName.get(name) as Feature);
    ordered.add(feature);
  };
  for (const feature of features) visit(feature);
  return [...ordered];
}

/**
 * Every feature's values before encoding, for whole columns: numbers as doubles, categories as levels.
 *
 * @param table Must hold every feature column of the data set.
 */
export function featureColumns(features: readonly Feature[], table: Table): Map<string, Column> {
  const columns = new Map(table.columns);
  for (const { name, expression } of inDependencyOrder(features)) {
    if (expression !== undefined) {
      columns.set(name, expression.evaluateColumns({ rows: table.rows, columns }));
    }
  }
  return new Map(features.map(({ name }) => [name, columns.get(name) as Column]));
}

/** A number as the forest sees it: float32, NaN when missing or not finite. */
export function toFeatureValue(value: number): number {
  const rounded = Math.fround(value);
  return Number.isFinite(rounded) ? rounded : Number.NaN;
}

/** Encodes rows and tables of one data set, with the category order one model learned. */
export class FeatureEncoder {
  readonly features: readonly Feature[];
  readonly #ordered: readonly Feature[];
  readonly #positions: ReadonlyMap<string, ReadonlyMap<string, number>>;

  constructor(features: readonly Feature[], encodings: CategoryEncodings) {
    this.features = features;
    this.#ordered = inDependencyOrder(features);
    this.#positions = new Map(Object.entries(encodings).map(([name, order]) => [name, levelPositions(order)]));
  }

  /** Whether a category feature's order has this level. */
  knowsLevel(feature: string, level: string): boolean {
    return this.#positions.get(feature)?.has(level) ?? false;
  }

  /**
   * One customer.
   *
   * @param row A value for every feature column: numbers and booleans as numbers (NaN is missing), text or null.
   * @param out Receives one float32 per feature.
   * @returns every column's and derived feature's value before encoding
   */
  encodeRow(row: Row, out: Float32Array): Row {
    const values: Record<string, number | string | null> = { ...row };
    for (const { name, expression } of this.#ordered) {
      if (expression !== undefined) values[name] = expression.evaluateRow(values);
    }
    for (let f = 0; f < this.features.length; f++) {
      const { name, kind } = this.features[f];
      out[f] =
        kind === "category"
          ? (this.#positions.get(name)?.get(values[name] as string) ?? Number.NaN)
          : toFeatureValue(values[name] as number);
    }
    return values;
  }

  /** Many customers: one `Float32Array` per feature, in the order of `features`. */
  encodeTable(table: Table): Float32Array[] {
    const columns = featureColumns(this.features, table);
    return this.features.map(({ name, kind }) =>
      kind === "category"
        ? encodeLevels(columns.get(name) as CategoryColumn, this.#positions.get(name))
        : encodeNumbers(columns.get(name) as Float64Array),
    );
  }
}

/** A numeric column as the forest sees it. */
export function encodeNumbers(values: Float64Array): Float32Array {
  const out = new Float32Array(values.length); // a loop: Float32Array.from would call a function per value
  for (let i = 0; i < out.length; i++) out[i] = toFeatureValue(values[i]);
  return out;
}

/** A category column as the forest sees it: positions in the learned order, NaN for what is not in it. */
export function encodeLevels({ codes, levels }: CategoryColumn, positions?: ReadonlyMap<string, number>): Float32Array {
  const encoded = Float32Array.from(levels, (level) => positions?.get(level) ?? Number.NaN);
  const out = new Float32Array(codes.length);
  for (let i = 0; i < out.length; i++) out[i] = codes[i] === MISSING_CODE ? Number.NaN : encoded[codes[i]];
  return out;
}

/** Level → position, from a learned order. */
export function levelPositions(order: readonly string[]): ReadonlyMap<string, number> {
  return new Map(order.map((level, position) => [level, position]));
}
