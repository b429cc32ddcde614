/**
 * The customers that a check looks at, counted as the reference is, table by table: however many they are, what stays is counts
 * and a sample.
 */
import {
  type CategoryColumn,
  type Column,
  encodeLevels,
  encodeNumbers,
  levelPositions,
  MISSING_CODE,
  type Model,
  type Table,
} from "@churn/contract";
import { countValues, type ValueCounts } from "../data/findings.ts";
import { RowSample } from "../data/row-sample.ts";
import { sortFloats } from "../radix-sort.ts";
import { Random } from "../random.ts";
import { BinCounter } from "./bin-counter.ts";
import type { CategoryReference, ColumnReference } from "./column-reference.ts";
import type { ColumnCounts } from "./drift-tests.ts";
import { Quantiser } from "./quantiser.ts";
import type { DriftReference } from "./reference.ts";

export interface WindowColumn extends ColumnCounts {
  /** Levels that the reference does not have → rows. */
  readonly unseen: ReadonlyMap<string, number>;
  /** Of numbers, those in the sample, ascending: beyond the reference's values counts say nothing. */
  readonly values: Float32Array;
  /** Numbers that the specification does not allow. */
  readonly outOfRange: number;
}

export interface DriftWindow {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, WindowColumn>;
  /** P(churn) of the customers in the sample. */
  readonly scores: Float64Array;
  /** Column → a byte per customer in the sample. */
  readonly sample: ReadonlyMap<string, Uint8Array>;
}

/** Customers that are kept: to be scored, and told from those of the reference. */
const SAMPLE_ROWS = 20_000;
/** The place of the scores among the sample's columns; no column is called so. */
const SCORES = "";
/** A stream that no tree draws from. */
const SAMPLE_STREAM = -11;

export class WindowCounter {
  readonly #model: Model;
  readonly #reference: DriftReference;
  readonly #counters: ReadonlyMap<string, BinCounter | LevelCounter>;
  readonly #values: ValueCounts = new Map();
  readonly #sample: RowSample;
  #rows = 0;

  constructor(model: Model, reference: DriftReference, seed: number) {
    this.#model = model;
    this.#reference = reference;
    this.#counters = new Map([...reference.columns].map(([name, column]) => [name, counterOf(column)]));
    this.#sample = new RowSample(SAMPLE_ROWS, new Random(seed, SAMPLE_STREAM));
  }

  /**
   * Tables must share the levels of their categories.
   *
   * @param scores P(churn) of the rows where it is known, NaN where not; without it, the model is asked.
   */
  add(table: Table, scores: Float64Array = new Float64Array(table.rows).fill(Number.NaN)): void {
    for (const [name, counter] of this.#counters) {
      const column = table.columns.get(name) as Column;
      if (counter instanceof BinCounter) counter.add(column as Float64Array);
      else counter.add(column as CategoryColumn);
    }
    // Levels have been counted: those that the reference does not have among them.
    const numbers = new Map([...table.columns].filter(([, column]) => column instanceof Float64Array));
    countValues(this.#model.manifest.dataset, { rows: table.rows, columns: numbers }, this.#values);
    const columns = new Map<string, Column>([...table.columns, [SCORES, scores]]);
    this.#sample.add({ rows: table.rows, columns }, new Uint8Array(table.rows));
    this.#rows += table.rows;
  }

  finish(): DriftWindow {
    const sample = this.#sample.rows();
    const known = sample.columns.get(SCORES) as Float64Array;
    const scores = known.includes(Number.NaN) ? this.#fillScores(sample, known) : known;
    const customers = [...sample.columns].filter(([name]) => name !== SCORES);
    const encoded = new Map(customers.map(([name, column]) => [name, this.#encode(name, column)]));
    const columns = [...this.#counters].map(([name, counter]): [string, WindowColumn] => {
      const values = encoded.get(name) as Float32Array;
      const isNumber = counter instanceof BinCounter;
      return [
        name,
        {
          counts: counter.counts,
          missing: counter.missing,
          unseen: isNumber ? new Map() : counter.unseen,
          values: isNumber ? sortFloats(present(values)) : new Float32Array(),
          outOfRange: this.#values.get(name)?.outOfRange ?? 0,
        },
      ];
    });
    const bytes = [...this.#reference.columns].map(([name, column]): [string, Uint8Array] => {
      return [name, new Quantiser(column).quantise(encoded.get(name) as Float32Array)];
    });
    return { rows: this.#rows, columns: new Map(columns), scores, sample: new Map(bytes) };
  }

  #fillScores(sample: Table, known: Float64Array): Float64Array {
    const predicted = this.#model.predictTable(sample);
    return known.map((score, row) => (Number.isNaN(score) ? predicted[row] : score));
  }

  #encode(name: string, column: Column): Float32Array {
    const reference = this.#reference.columns.get(name) as ColumnReference;
    if (column instanceof Float64Array) return encodeNumbers(column);
    return encodeLevels(column, levelPositions((reference as CategoryReference).levels));
  }
}

/** Those that are not missing. */
function present(values: Float32Array): Float32Array {
  const all = new Float32Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    all[count] = values[i];
    count += +!Number.isNaN(values[i]);
  }
  return all.subarray(0, count);
}

/** Counts a column as its reference does. */
export const counterOf = (reference: ColumnReference): BinCounter | LevelCounter =>
  reference.kind === "number" ? new BinCounter(reference.cuts) : new LevelCounter(reference.levels);

/** Counts a category by its level's place in the reference. */
class LevelCounter {
  readonly counts: Uint32Array;
  missing = 0;
  readonly unseen = new Map<string, number>();
  readonly #places: ReadonlyMap<string, number>;

  constructor(levels: readonly string[]) {
    this.counts = new Uint32Array(levels.length + 1);
    this.#places = levelPositions(levels);
  }

  add({ codes, levels }: CategoryColumn): void {
    const rows = new Uint32Array(levels.length);
    for (let i = 0; i < codes.length; i++) {
      if (codes[i] === MISSING_CODE) this.missing += 1;
      else rows[codes[i]] += 1;
    }
    for (const [code, level] of levels.entries()) {
      if (rows[code] === 0) continue;
      const place = this.#places.get(level);
      this.counts[place ?? this.counts.length - 1] += rows[code];
      if (place === undefined) this.unseen.set(level, (this.unseen.get(level) ?? 0) + rows[code]);
    }
  }
}
