/**
 * Customers to draw windows and references from without end, so that a drift check can be made thousands of times on samples
 * of one distribution.
 */
import { join } from "node:path";
import {
  encodeLevels,
  encodeNumbers,
  levelPositions,
  Model,
  REFERENCE_FILE,
  readModelDirectory,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { take } from "../training/src/data/take.ts";
import { BinCounter } from "../training/src/drift/bin-counter.ts";
import type { ColumnReference } from "../training/src/drift/column-reference.ts";
import type { ContributionCurve } from "../training/src/drift/contribution-curves.ts";
import { Quantiser } from "../training/src/drift/quantiser.ts";
import {
  type DriftReference,
  decodeReference,
  describeColumns,
  describeScores,
  takeSample,
} from "../training/src/drift/reference.ts";
import type { DriftWindow, WindowColumn } from "../training/src/drift/window.ts";
import { sortFloats } from "../training/src/radix-sort.ts";
import type { Random } from "../training/src/random.ts";

/** Customers as the forest reads them, in memory that threads share. */
export interface Pool {
  readonly rows: number;
  /** Column → values; categories as places in the model's levels, NaN is missing. */
  readonly columns: ReadonlyMap<string, Float32Array>;
  /** P(churn). */
  readonly scores: Float64Array;
  /** 1 is churn. */
  readonly labels: Uint8Array;
}

const CUTS = 512;
const SAMPLE_ROWS = 4096;
/** As many as `WindowCounter` keeps. */
const WINDOW_SAMPLE_ROWS = 20_000;
const WINDOW_DOMAIN_ROWS = 2500;

const shared = (length: number): Float32Array<SharedArrayBuffer> => new Float32Array(new SharedArrayBuffer(4 * length));

export async function readPool(model: Model, path: string): Promise<Pool> {
  const { dataset, encodings } = model.manifest;
  const reader = await openCustomers(findData(path), dataset, { labelled: true });
  const scores = new Float64Array(new SharedArrayBuffer(8 * reader.rows));
  const labels = new Uint8Array(new SharedArrayBuffer(reader.rows));
  const columns = new Map<string, Float32Array>();
  let start = 0;
  for await (const table of reader.tables()) {
    for (const [name, column] of table.columns) {
      const values = columns.get(name) ?? shared(reader.rows);
      columns.set(name, values);
      const encoded =
        column instanceof Float64Array ? encodeNumbers(column) : encodeLevels(column, levelPositions(encodings[name]));
      values.set(encoded, start);
    }
    scores.set(model.predictTable(table), start);
    labels.set(table.labels as Uint8Array, start);
    start += table.rows;
  }
  reader.close();
  return { rows: start, columns, scores, labels };
}

/** Draws from a pool with what one model makes of it. */
export class PoolDrawer {
  readonly #pool: Pool;
  readonly #model: Model;
  readonly #own: DriftReference; // whose curves are those of every other reference
  readonly #quantisers = new Map<string, Quantiser>();

  constructor(pool: Pool, directory: string) {
    const files = readModelDirectory(directory);
    this.#pool = pool;
    this.#model = new Model(files);
    this.#own = decodeReference(files.reference as Uint8Array, files.manifest, join(directory, REFERENCE_FILE));
  }

  /** The model's reference, for windows that follow. */
  own(): DriftReference {
    this.#quantise(this.#own);
    return this.#own;
  }

  get threshold(): number {
    return this.#model.manifest.threshold.value;
  }

  isNullable(name: string): boolean {
    return this.#model.manifest.dataset.columns[name].nullable === true;
  }

  /** A reference of these rows; one in five of them stands for the holdout. */
  reference(rows: Uint32Array): DriftReference {
    const values = this.take(rows);
    const columns = describeColumns(values, this.#model.manifest.encodings, CUTS);
    const holdout = rows.subarray(0, Math.ceil(rows.length / 5));
    const scores = take(this.#pool.scores, holdout);
    const sampled = Uint32Array.from({ length: Math.min(SAMPLE_ROWS, holdout.length) }, (_, i) => i);
    const labels = new Uint8Array(holdout.length);
    const reference: DriftReference = {
      columns,
      curves: new Map([...columns].map(([name, column]) => [name, this.#curve(name, column)])),
      scores: describeScores(scores, this.threshold, CUTS),
      sample: takeSample(columns, values, scores, labels, sampled),
      calibration: undefined, // it is for what outcomes show
    };
    this.#quantise(reference);
    return reference;
  }

  /** What a check of these rows sees against the last reference. @param change May change the values that were drawn */
  window(
    reference: DriftReference,
    rows: Uint32Array,
    change: (values: Map<string, Float32Array>) => void = () => {},
  ): DriftWindow {
    const values = this.take(rows);
    change(values);
    const columns = [...reference.columns].map(([name, column]): [string, WindowColumn] => {
      return [name, countColumn(column, values.get(name) as Float32Array)];
    });
    const sample = [...values].map(([name, column]): [string, Uint8Array] => {
      const quantiser = this.#quantisers.get(name) as Quantiser;
      return [name, quantiser.quantise(column.subarray(0, WINDOW_DOMAIN_ROWS))];
    });
    const scored = rows.subarray(0, WINDOW_SAMPLE_ROWS);
    return {
      rows: rows.length,
      columns: new Map(columns),
      scores: take(this.#pool.scores, scored),
      sample: new Map(sample),
    };
  }

  /** The values of rows, by column. */
  take(rows: Uint32Array): Map<string, Float32Array> {
    return new Map([...this.#pool.columns].map(([name, column]) => [name, take(column, rows)]));
  }

  #quantise({ columns }: DriftReference): void {
    this.#quantisers.clear();
    for (const [name, column] of columns) this.#quantisers.set(name, new Quantiser(column));
  }

  /** The own reference's curve at the bins of another. */
  #curve(name: string, column: ColumnReference): ContributionCurve {
    const own = this.#own.columns.get(name) as ColumnReference;
    const curve = this.#own.curves.get(name) as ContributionCurve;
    if (own.kind === "category" || column.kind === "category") return curve;
    const counter = new BinCounter(own.cuts);
    const places = [...column.cuts].map((cut) => counter.binOf(cut));
    const [beyond, missing] = [curve.length - 2, curve.length - 1];
    return Float32Array.from([...places, beyond, missing], (place) => curve[place]);
  }
}

function countColumn(reference: ColumnReference, values: Float32Array): WindowColumn {
  const nothing = { unseen: new Map<string, number>(), outOfRange: 0 };
  if (reference.kind === "category") {
    const counts = new Uint32Array(reference.counts.length);
    let missing = 0;
    for (const code of values) {
      if (Number.isNaN(code)) missing++;
      else counts[code]++;
    }
    return { counts, missing, values: new Float32Array(), ...nothing };
  }
  const counter = new BinCounter(reference.cuts);
  counter.add(values);
  const present = values.subarray(0, WINDOW_SAMPLE_ROWS).filter((value) => !Number.isNaN(value));
  return { counts: counter.counts, missing: counter.missing, values: sortFloats(present), ...nothing };
}

/** Different rows that nobody has taken, which are taken then. */
export function draw(random: Random, rows: number, taken: Uint8Array): Uint32Array {
  const drawn = new Uint32Array(rows);
  for (let i = 0; i < rows; ) {
    const row = random.integer(taken.length);
    if (taken[row] === 1) continue;
    taken[row] = 1;
    drawn[i++] = row;
  }
  return drawn;
}
