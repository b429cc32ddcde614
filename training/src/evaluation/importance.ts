/**
 * What the model looks at: how much worse it does when one column of the data is shuffled among the customers.
 *
 * The column is shuffled as the file has it and everything derived from it is computed anew, so a derived feature
 * counts for the columns it is made of. As scikit-learn's `permutation_importance` with `scoring="neg_brier_score"`
 * and one repeat; the interval comes from the customers, not from repeats.
 *
 * @source Breiman 2001, "Random Forests", §10; Fisher, Rudin & Dominici 2019
 */
import { setImmediate as turn } from "node:timers/promises";
import { type Column, featureColumnNames, type Metric, type Model, type Table } from "@churn/contract";
import { type LabelledRows, RowSample, takeRows } from "../data/row-sample.ts";
import { Random } from "../random.ts";

/**
 * The increase of the Brier score when this column tells nothing, and its 95 % interval. Not of the log-loss: one customer
 * whom the shuffled column makes impossible would outweigh all others.
 */
export interface Importance extends Metric {
  readonly column: string;
}

/** Rows in the sample: enough to tell the columns that matter apart, in about half a second with 300 trees. */
const SAMPLE_ROWS = 5000;
/** Streams of the sample, and of the shuffles, one per column; no tree is numbered so. */
const SAMPLE_STREAM = -2;
const SHUFFLE_STREAM = -3;

/** Draws the rows to shuffle from all that judge a model. */
export function importanceSample(seed: number): RowSample {
  return new RowSample(SAMPLE_ROWS, new Random(seed, SAMPLE_STREAM));
}

/** One per feature column of the data set, the most important first. */
export async function permutationImportances(model: Model, sample: LabelledRows, seed: number): Promise<Importance[]> {
  const { labels } = sample;
  const losses = squaredErrors(model.predictTable(sample), labels);
  const importances: Importance[] = [];
  for (const [index, column] of featureColumnNames(model.manifest.dataset).entries()) {
    await turn(); // so that progress can be shown, and a signal be seen
    const donors = shuffle(sample.rows, new Random(seed, SHUFFLE_STREAM, index));
    const increases = lossIncreases(model, sample, losses, column, donors);
    importances.push({ column, ...meanWithInterval(increases, donors) });
  }
  return importances.sort((a, b) => b.value - a.value);
}

/** Per row: how much its loss grows when it has its donor's value in a column. Rows that keep their value keep their loss. */
export function lossIncreases(
  model: Model,
  sample: LabelledRows,
  losses: Float64Array,
  column: string,
  donors: Uint32Array,
): Float64Array {
  const donated = takeRows(sample, donors).columns.get(column) as Column;
  const changed = donors.map((_, row) => row).filter((row) => !isSame(sample, donated, column, row));
  const columns = new Map(sample.columns).set(column, donated);
  const rows = takeRows({ rows: sample.rows, columns }, changed);
  const labels = Uint8Array.from(changed, (row) => sample.labels[row]);
  const increases = new Float64Array(sample.rows);
  for (const [i, loss] of squaredErrors(model.predictTable(rows), labels).entries()) {
    increases[changed[i]] = loss - losses[changed[i]];
  }
  return increases;
}

function isSame(table: Table, donated: Column, column: string, row: number): boolean {
  const own = table.columns.get(column) as Column;
  if (own instanceof Float64Array) return Object.is(own[row], (donated as Float64Array)[row]);
  return own.codes[row] === (donated as typeof own).codes[row];
}

function squaredErrors(scores: Float64Array, labels: Uint8Array): Float64Array {
  return scores.map((score, row) => (score - labels[row]) ** 2);
}

/** A random order of the rows. @source Fisher & Yates 1938 */
function shuffle(rows: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let i = rows - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * Mean ± 1.96 standard errors. Each row counts twice, once for itself and once as a donor, so neighbours in the shuffle
 * vary together.
 */
function meanWithInterval(values: Float64Array, donors: Uint32Array): Metric {
  const rows = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / rows;
  const apart = values.map((value) => value - mean);
  const together = apart.reduce((sum, value, row) => sum + value * (value + 2 * apart[donors[row]]), 0);
  const half = 1.96 * Math.sqrt(Math.max(0, together) / Math.max(1, rows - 1) / rows);
  return { value: mean, low: mean - half, high: mean + half };
}
