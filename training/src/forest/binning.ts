/**
 * Binning: every feature value as one byte, once, before any tree is grown.
 *
 * The bin of x is the number of cut points below it, so `x > cut k` is the same as `bin > k`, and a split
 * on a bin is a split on a float32 threshold. Cut points are midpoints between neighbouring values of a sample
 * of the rows: all of them when a feature has few values, else those at even quantiles. A feature with missing
 * values has one more cut point, the largest float32: present values lie below it, missing ones above, in a last
 * bin of their own. Bins stand column after column, in memory that worker threads share.
 */
import { setImmediate as turn } from "node:timers/promises";
import { binOf, ChurnError, MAX_FEATURES, padCutPoints } from "@churn/contract";
import { sortFloats } from "../radix-sort.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";

export interface BinnedFeatures {
  readonly nRows: number;
  readonly nFeatures: number;
  /** nFeatures × nRows, column-major, over shared memory. */
  readonly bins: Uint8Array;
  /** Ascending float32 thresholds, feature after feature. */
  readonly cutPoints: Float32Array;
  /** Where each feature's cut points begin, and their number last: nFeatures + 1. */
  readonly cutOffsets: Uint32Array;
  /** 1 when the feature has missing values: its last bin is theirs. */
  readonly hasMissing: Uint8Array;
}

/** Splits present values from missing ones. */
const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** Quantiles of this many rows are close enough: the sizes of 255 bins vary by √(255 / 65,536) = 6 %. */
const SAMPLE_ROWS = 65_536;
/** Any constant: how a feature is cut does not depend on the forest's seed. */
const SAMPLE_SEED = 0;

/**
 * @param columns One `Float32Array` per feature, NaN is missing.
 * @param memory Where the bins go, when they belong somewhere: nFeatures × nRows, shared.
 * @throws CHURN_ERR_FOREST_LIMIT
 */
export async function binFeatures(
  columns: readonly Float32Array[],
  nRows: number,
  maxBins: number,
  memory?: Uint8Array,
): Promise<BinnedFeatures> {
  const nFeatures = columns.length;
  if (nFeatures > MAX_FEATURES) {
    throw new ChurnError("CHURN_ERR_FOREST_LIMIT", `expected at most ${MAX_FEATURES} features, got ${nFeatures}`);
  }
  const bins = memory ?? new Uint8Array(new SharedArrayBuffer(nFeatures * nRows));
  const hasMissing = new Uint8Array(nFeatures);
  const cutOffsets = new Uint32Array(nFeatures + 1);
  const sample = sampleRows(nRows, SAMPLE_ROWS, new Random(SAMPLE_SEED));
  const cuts: number[][] = [];
  for (const [f, column] of columns.entries()) {
    await turn(); // so that progress can be shown, and a signal be seen
    const cutPoints = findCutPoints(column, sample, maxBins);
    hasMissing[f] = +assignBins(column, cutPoints, bins.subarray(f * nRows, (f + 1) * nRows));
    if (hasMissing[f] === 1) cutPoints.push(LARGEST_FLOAT32);
    cutOffsets[f + 1] = cutOffsets[f] + cutPoints.length;
    cuts.push(cutPoints);
  }
  return { nRows, nFeatures, bins, cutPoints: Float32Array.from(cuts.flat()), cutOffsets, hasMissing };
}

function findCutPoints(column: Float32Array, rows: Uint32Array, maxBins: number): number[] {
  const sorted = sortFloats(presentValues(column, rows));
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
  if (distinct.length <= maxBins) {
    return Array.from(distinct.subarray(1), (value, i) => between(distinct[i], value));
  }
  const cuts: number[] = [];
  let next = 0; // first position whose value is above the last cut
  for (let bin = 1; bin < maxBins; bin++) {
    const position = Math.max(Math.floor((bin * sorted.length) / maxBins), next);
    const value = sorted[position];
    next = position;
    while (next < sorted.length && sorted[next] === value) next++;
    if (next === sorted.length) break;
    cuts.push(between(value, sorted[next]));
  }
  return cuts;
}

function presentValues(column: Float32Array, rows: Uint32Array): Float32Array {
  const values = new Float32Array(rows.length);
  let count = 0;
  for (const row of rows) {
    if (!Number.isNaN(column[row])) values[count++] = column[row];
  }
  return values.subarray(0, count);
}

/** A float32 t with low ≤ t < high, near the middle. */
function between(low: number, high: number): number {
  const middle = Math.fround(low + (high - low) / 2);
  return middle < high ? middle : low;
}

/** A missing value lands beyond the last bin of values. @returns whether there is one */
function assignBins(column: Float32Array, cutPoints: readonly number[], out: Uint8Array): boolean {
  const padded = padCutPoints(cutPoints);
  let hasMissing = false;
  for (let i = 0; i < column.length; i++) {
    const x = column[i];
    const isMissing = Number.isNaN(x);
    out[i] = isMissing ? cutPoints.length + 1 : binOf(x, padded);
    hasMissing ||= isMissing;
  }
  return hasMissing;
}
