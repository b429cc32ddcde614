/**
 * The inner loops of growing a tree, apart from what decides which loop runs next (tree.ts).
 *
 * A kernel owns the rows of one tree's bootstrap sample, as 32-bit words (row, label, count) in one buffer; a node is
 * a range of it. There are two, which give the same trees to the last bit: plain TypeScript (plain-kernel.ts), which is
 * the one to read, and WebAssembly (wasm-kernel.ts), which is the one to wait for. Use one per thread.
 */
import type { Random } from "../random.ts";
import type { BinnedFeatures } from "./binning.ts";

export interface TreeParameters {
  readonly maxDepth: number;
  readonly minSamplesLeaf: number;
  /** Expected size of a bootstrap sample, as a share of the rows, in (0, 1]. */
  readonly maxSamples: number;
  /** Features tried per split, in [1, nFeatures]. */
  readonly featuresPerSplit: number;
}

/** What all trees are grown from; read only, shared by all threads. */
export interface TreeData {
  readonly features: BinnedFeatures;
  /** One per row: 1 is churn. */
  readonly labels: Uint8Array;
  /** The rows that get out-of-bag scores. */
  readonly scoredRows: Uint32Array;
}

/** One tree, breadth-first with siblings adjacent. */
export interface Tree {
  /** Per node: a feature, or `LEAF`. */
  readonly feature: Uint16Array;
  /** Per node: the cut point's index in its feature, for a split. */
  readonly cut: Uint8Array;
  /** Per node: 1 when missing values go right. */
  readonly missingRight: Uint8Array;
  /** Per node: the position of the left child; the right one follows. */
  readonly left: Uint32Array;
  /** Per node: the rows of the sample in it, each as often as drawn. */
  readonly count: Uint32Array;
  /** Per node: the churners among them. */
  readonly churners: Uint32Array;
  /** Splits from the root to the deepest leaf. */
  readonly depth: number;
}

export const LEAF = 0xffff;

/** Rows of a node or a side of it, each as often as drawn, and the churners among them. */
export interface Weight {
  count: number;
  churners: number;
}

/** A range of the words, [start, end), and what it weighs. */
export interface NodeRows extends Readonly<Weight> {
  readonly start: number;
  readonly end: number;
  /** Whether `gather` has been called for it or for a node above. */
  readonly isGathered: boolean;
}

/** The best split so far; count and churners are those of the left child. */
export interface Split extends Weight {
  /** `LEAF` when there is none. */
  feature: number;
  cut: number;
  /** Direction of missing values, 0 or 1; `UNSEEN` when the node has none. */
  missingRight: number;
}

/** Direction of missing values at a split that has seen none. */
export const UNSEEN = 2;

export type KernelName = "plain" | "webassembly";

export interface TreeKernel {
  /** Whose order the grower shuffles: nFeatures numbers. */
  readonly features: Uint16Array;
  /** How often the last sample has each row. */
  readonly counts: Uint8Array;
  readonly best: Split;
  /** Per scored row, over the trees since they were last emptied: the sum of leaf rates in units of 1 / `SCORE_UNIT`, and how many trees. */
  readonly sums: Float64Array;
  readonly times: Uint16Array;

  /** Draws a bootstrap sample (bootstrap.ts). @returns the root */
  drawSample(random: Random): NodeRows;

  /**
   * Copies the bins of a node's rows side by side, and renames the rows in its words to their places there: what grows
   * below reads nearby memory. A node below is done before another is gathered (depth first).
   */
  gather(node: NodeRows): void;

  /** Forgets the best split. */
  startSearch(): void;

  /** Lets each cut of the features at places [from, to) of `features` compete with `best`. */
  trySplits(from: number, to: number, node: NodeRows): void;

  /** Stable partition of a node's words by `best`. @returns where the right part begins */
  partition(node: NodeRows): number;

  /** Adds the leaf rate of each scored row that is not in the last sample, which `tree` was grown from. */
  addOutOfBagScores(tree: Tree): void;
}

/** Out-of-bag scores are summed in units of 2^-30, as whole numbers: the order of the sums does not matter. */
export const SCORE_UNIT = 2 ** 30;

/** Each node's share of churners, as a float32, in units of 1 / `SCORE_UNIT`. */
export function leafScores({ count, churners }: Tree): Int32Array {
  const scores = new Int32Array(count.length);
  for (let node = 0; node < scores.length; node++) {
    scores[node] = Math.round(Math.fround(churners[node] / count[node]) * SCORE_UNIT);
  }
  return scores;
}

/** A node of at most this many rows is gathered: a block that a core's own cache holds. */
export const BLOCK_ROWS = 65_536;

/** Bins are bytes. */
export const MAX_BINS = 256;

// A word: count (4 bits, as it is at most MAX_COUNT) │ label (1) │ row (27).
export const ROW_MASK = 2 ** 27 - 1;
export const LABEL_BIT = 27;
export const COUNT_BIT = 28;

/** A bootstrap sample of so many rows stays below 2^26 (by more than 800 standard deviations). */
export const MAX_ROWS = 60_000_000;

/** The bin that goes left though it lies above the cut: that of missing values, where they go left. −1 for none. */
export function leftBin({ hasMissing, cutOffsets }: BinnedFeatures, feature: number, missingRight: number): number {
  return hasMissing[feature] === 1 && missingRight === 0 ? cutOffsets[feature + 1] - cutOffsets[feature] : -1;
}
