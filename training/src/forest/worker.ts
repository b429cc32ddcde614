/**
 * A thread of the forest: takes the next tree from a shared counter until all are taken.
 *
 * A tree's random numbers come from (seed, tree), so who grows it does not matter. Out-of-bag scores are
 * summed as whole numbers, so the order of the sums does not matter either.
 */
import { parentPort } from "node:worker_threads";
import { Random } from "../random.ts";
import type { BinnedFeatures } from "./binning.ts";
import { LEAF, type Tree, TreeGrower, type TreeParameters } from "./tree.ts";

/** The one message a worker gets. */
export interface WorkerInput {
  readonly data: BinnedFeatures;
  readonly labels: Uint8Array;
  readonly parameters: TreeParameters;
  readonly nEstimators: number;
  readonly seed: number;
  /** The rows that get out-of-bag scores. */
  readonly scoredRows: Uint32Array;
  /** The number of the next tree, shared by all workers. */
  readonly nextTree: Int32Array;
}

/** Each message is one grown tree, or, last, the out-of-bag sums. */
export type WorkerMessage =
  | { readonly kind: "tree"; readonly index: number; readonly tree: Tree }
  | { readonly kind: "done"; readonly sums: Float64Array; readonly counts: Uint16Array };

/** Out-of-bag scores are summed in units of 2^-30. */
export const SCORE_UNIT = 2 ** 30;

parentPort?.once("message", (input: WorkerInput) => {
  growTrees(input, (message) => parentPort?.postMessage(message));
});

function growTrees(
  { data, labels, parameters, nEstimators, seed, scoredRows, nextTree }: WorkerInput,
  post: (message: WorkerMessage) => void,
): void {
  const grower = new TreeGrower(data, labels, parameters);
  const sums = new Float64Array(scoredRows.length);
  const counts = new Uint16Array(scoredRows.length);
  for (let index = Atomics.add(nextTree, 0, 1); index < nEstimators; index = Atomics.add(nextTree, 0, 1)) {
    const tree = grower.grow(new Random(seed, index));
    addOutOfBagScores(data, tree, scoredRows, grower.counts, sums, counts);
    post({ kind: "tree", index, tree });
  }
  post({ kind: "done", sums, counts });
}

/**
 * Adds a tree's leaf rate to each scored row it has not seen. A missing value's bin lies above every cut, so it goes
 * right by itself; where it goes left, that bin is an exception.
 */
function addOutOfBagScores(
  { bins, nRows, cutOffsets, hasMissing }: BinnedFeatures,
  { feature, cut, missingRight, left, count, churners }: Tree,
  rows: Uint32Array,
  inBag: Uint8Array,
  sums: Float64Array,
  counts: Uint16Array,
): void {
  const leftBin = Int16Array.from(feature, (f, node) =>
    f !== LEAF && hasMissing[f] === 1 && missingRight[node] === 0 ? cutOffsets[f + 1] - cutOffsets[f] : -1,
  );
  const value = Float32Array.from(count, (rows, node) => churners[node] / rows);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (inBag[row] > 0) continue;
    let node = 0;
    for (let f = feature[0]; f !== LEAF; f = feature[node]) {
      const bin = bins[f * nRows + row];
      node = left[node] + (+(bin > cut[node]) & +(bin !== leftBin[node]));
    }
    sums[i] += Math.round(value[node] * SCORE_UNIT);
    counts[i]++;
  }
}
