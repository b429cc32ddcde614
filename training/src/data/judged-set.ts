/**
 * The customers that judge a model: those of a file whose label is known, all of them or only those on the holdout
 * side of the split, with the model's scores. Read and scored in chunks; kept are the features as float32.
 */
import type { Model, Table } from "@churn/contract";
import { rowsWhere } from "../sample.ts";
import { countValues, type ValueCounts, violations } from "./findings.ts";
import { type CustomerReader, type CustomerTable, UNKNOWN_LABEL } from "./reader.ts";
import { type RowSample, takeRows } from "./row-sample.ts";
import { take } from "./take.ts";
import { checkBothClasses, checkTruth, customerKey, hasKeys, isHeldOut, type Sample } from "./training-set.ts";

/** Which customers judge: everyone with a label, or those whose key puts them on the holdout side. */
export type JudgingCustomers = "all" | "holdout";

export interface JudgedSet extends Sample {
  /** P(churn) of each row. */
  readonly scores: Float64Array;
  /** The forest's scores of the rows, before calibration. */
  readonly forestScores: Float64Array;
  /** Rows of the file whose label is known. */
  readonly labelledRows: number;
  /** Those of the judging rows whose key puts them on the training side of the split. */
  readonly trainingSideRows: number;
  /** Whether every row has a key. */
  readonly isKeyed: boolean;
  /** Per row its customer, numbered from 0, if asked for; a row without a key is a customer. */
  readonly customerNumbers: Uint32Array | undefined;
  /** Values of the judging rows that the specification or the model does not know: column → how many. */
  readonly findings: Readonly<Record<string, number>>;
}

export interface JudgedSetOptions {
  readonly customers: JudgingCustomers;
  /** Whether to tell rows of one customer from those of others: a key of each is kept in memory. */
  readonly numbered?: boolean;
  /** Gets the judging rows as they are in the file, to sample from. */
  readonly sample: RowSample;
  readonly onProgress?: (rows: number) => void;
}

/** @throws CHURN_ERR_DATA_INSUFFICIENT for too few of a class; CHURN_ERR_DATA_INVALID for a truth that is none */
export async function readJudgedSet(
  reader: CustomerReader,
  path: string,
  model: Model,
  { customers, numbered = false, sample, onProgress = () => {} }: JudgedSetOptions,
): Promise<JudgedSet> {
  const set = new GrowingSet(reader.rows, model);
  const { dataset } = model.manifest;
  const values: ValueCounts = new Map();
  const counts = { labelledRows: 0, trainingSideRows: 0, isKeyed: true };
  const numbers = new Map<string, number>();
  const customerNumbers: number[] = [];
  let start = 0;
  for await (const table of reader.tables()) {
    const labels = table.labels as Uint8Array;
    const known = rowsWhere(table.rows, (row) => labels[row] !== UNKNOWN_LABEL);
    const onTrainingSide = (row: number): boolean => !isHeldOut(customerKey(table, row, start));
    const judging = customers === "all" ? known : known.filter((row) => !onTrainingSide(row));
    const rows = takeRows(table, judging);
    countValues(dataset, rows, values, (name, level) => model.encoder.knowsLevel(name, level));
    set.add(rows, take(labels, judging), truthOf(table, judging, start, path));
    sample.add(rows, take(labels, judging));
    counts.isKeyed &&= hasKeys(table);
    counts.labelledRows += known.length;
    if (numbered) for (const row of judging) customerNumbers.push(numberOf(customerKey(table, row, start), numbers));
    counts.trainingSideRows += judging.filter(onTrainingSide).length;
    start += table.rows;
    onProgress(start);
  }
  const judged = set.sample();
  checkBothClasses(path, judged.labels, customers === "all" ? "labelled rows" : "labelled holdout rows");
  return {
    ...judged,
    ...counts,
    customerNumbers: numbered ? Uint32Array.from(customerNumbers) : undefined,
    findings: violations(dataset, values),
  };
}

function numberOf(key: string, numbers: Map<string, number>): number {
  const number = numbers.get(key) ?? numbers.size;
  numbers.set(key, number);
  return number;
}

function truthOf({ truth }: CustomerTable, rows: Uint32Array, start: number, path: string): Float64Array | undefined {
  if (truth === undefined) return undefined;
  const values = take(truth, rows);
  checkTruth(
    path,
    values,
    rows.map((row) => start + row),
  );
  return values;
}

/** Arrays for as many rows as there may be; memory that is not written to costs nothing. */
class GrowingSet {
  readonly #model: Model;
  readonly #columns: readonly Float32Array[];
  readonly #forestScores: Float64Array;
  readonly #labels: Uint8Array;
  readonly #truth: Float64Array;
  #hasTruth = false;
  #rows = 0;

  constructor(capacity: number, model: Model) {
    this.#model = model;
    this.#columns = model.encoder.features.map(() => new Float32Array(capacity));
    this.#forestScores = new Float64Array(capacity);
    this.#labels = new Uint8Array(capacity);
    this.#truth = new Float64Array(capacity);
  }

  add(table: Table, labels: Uint8Array, truth: Float64Array | undefined): void {
    for (const [f, values] of this.#model.encoder.encodeTable(table).entries())
      this.#columns[f].set(values, this.#rows);
    this.#forestScores.set(this.#model.scoreTable(table), this.#rows);
    this.#labels.set(labels, this.#rows);
    if (truth !== undefined) this.#truth.set(truth, this.#rows);
    this.#hasTruth = truth !== undefined;
    this.#rows += table.rows;
  }

  sample(): Sample & { readonly scores: Float64Array; readonly forestScores: Float64Array } {
    const rows = this.#rows;
    const forestScores = this.#forestScores.subarray(0, rows);
    return {
      rows,
      columns: this.#columns.map((values) => values.subarray(0, rows)),
      labels: this.#labels.subarray(0, rows),
      truth: this.#hasTruth ? this.#truth.subarray(0, rows) : undefined,
      scores: this.#model.calibrate(forestScores),
      forestScores,
    };
  }
}
