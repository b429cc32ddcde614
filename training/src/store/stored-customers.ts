/** Predictions of the store as customers in columns, as they were when they were scored. */
import {
  type CategoryColumn,
  type Column,
  type DatasetSpecification,
  featureColumnNames,
  MISSING_CODE,
  type Table,
} from "@churn/contract";
import type { StoredBatch } from "./prediction-reader.ts";

export interface StoredTable extends Table {
  /** P(churn) that the service answered; NaN where another model did. */
  readonly scores: Float64Array;
}

/** A hash that the service has put in the place of a sensitive value. */
const HASH = /^[0-9a-f]{32}$/;

/** Turns batches into tables that share the levels of their categories. */
export class StoredCustomers {
  /** Columns whose values are hashes: nothing can be said of them. */
  readonly hashed = new Set<string>();
  readonly #dataset: DatasetSpecification;
  readonly #modelSha256: string;
  readonly #levels = new Map<string, { readonly list: string[]; readonly codes: Map<string, number> }>();

  constructor(dataset: DatasetSpecification, modelSha256: string) {
    this.#dataset = dataset;
    this.#modelSha256 = modelSha256;
  }

  table(batch: StoredBatch): StoredTable {
    const customers = batch.map(({ features }) => JSON.parse(features) as Record<string, unknown>);
    const columns = featureColumnNames(this.#dataset).map((name): [string, Column] => {
      const values = customers.map((customer) => this.#value(name, customer[name]));
      return [name, this.#dataset.columns[name].type === "category" ? this.#category(name, values) : numbers(values)];
    });
    return {
      rows: batch.length,
      columns: new Map(columns),
      scores: Float64Array.from(batch, ({ score, model_sha256 }) =>
        model_sha256 === this.#modelSha256 ? score : Number.NaN,
      ),
    };
  }

  #value(name: string, value: unknown): unknown {
    const isHash = this.#dataset.columns[name].sensitive === true && typeof value === "string" && HASH.test(value);
    if (!isHash) return value;
    this.hashed.add(name);
    return null;
  }

  #category(name: string, values: readonly unknown[]): CategoryColumn {
    const levels = this.#levels.get(name) ?? { list: [], codes: new Map<string, number>() };
    this.#levels.set(name, levels);
    const codes = Int32Array.from(values, (value) => {
      if (typeof value !== "string") return MISSING_CODE;
      const known = levels.codes.get(value);
      if (known !== undefined) return known;
      levels.codes.set(value, levels.list.length);
      return levels.list.push(value) - 1;
    });
    return { codes, levels: levels.list };
  }
}

/** Booleans are 0 and 1; what is no number is missing. */
function numbers(values: readonly unknown[]): Float64Array {
  return Float64Array.from(values, (value) =>
    typeof value === "number" || typeof value === "boolean" ? Number(value) : Number.NaN,
  );
}
