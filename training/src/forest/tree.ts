/**
 * Growing one tree: histograms over bins, depth first, in one pair of buffers.
 *
 * The rows of a tree's bootstrap sample are 32-bit words (row, label, count) in one buffer; a node is a
 * range of it. To split a node: fill a histogram of (count, churners) per bin for each feature tried, scan
 * it for the best Gini gain, and partition the range. Both numbers of a bin are packed into one double, and
 * gains are compared by cross-multiplication, so the scan has no division. Children that can only be
 * leaves get their value from the scan, without a partition.
 *
 * @source Breiman 2001; the cut of work follows scikit-learn's splitter and builder.
 */

import { drawBootstrap } from "../bootstrap.ts";
import type { Random } from "../random.ts";
import type { BinnedFeatures } from "./binning.ts";

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
}

export interface TreeParameters {
  readonly maxDepth: number;
  readonly minSamplesLeaf: number;
  /** Expected size of a bootstrap sample, as a share of the rows, in (0, 1]. */
  readonly maxSamples: number;
  /** Features tried per split, in [1, nFeatures]. */
  readonly featuresPerSplit: number;
}

export const LEAF = 0xffff;

/** Direction of missing values at a split that has seen none. */
const UNSEEN = 2;

// A word: count (4 bits, as it is at most MAX_COUNT) │ label (1) │ row (27).
const ROW_MASK = 2 ** 27 - 1;
const LABEL_BIT = 27;
const COUNT_BIT = 28;

/** A double holds n + churners · 2^26 exactly, for n below 2^26. */
const CHURNER = 2 ** 26;
const CHURNERS_PER_UNIT = 1 / CHURNER;

/** A bootstrap sample of so many rows stays below 2^26 (by more than 800 standard deviations). */
export const MAX_ROWS = 60_000_000;

/** A node of at most this many rows is copied into a block that a core's own cache holds. */
const BLOCK_ROWS = 65_536;
/** Features whose histograms are filled in one pass. */
const BATCH = 3;
/** Bins are bytes. */
const MAX_BINS = 256;

/** Grows trees over one set of binned rows; owns the buffers, so use one per thread. */
export class TreeGrower {
  readonly #data: BinnedFeatures;
  readonly #labels: Uint8Array;
  readonly #parameters: TreeParameters;
  readonly #words: Uint32Array; // one per row of the sample
  readonly #right: Uint32Array; // scratch of a partition
  readonly #histogram = new Float64Array(BATCH * MAX_BINS);
  readonly #weights: Float64Array; // a word's top 5 bits → count + churners · 2^26
  readonly #counts: Uint8Array; // how often the sample has each row
  readonly #order: Uint16Array; // features, shuffled anew at each node
  readonly #block: Uint8Array; // bins of the rows of one small node
  readonly #blockRows: number;
  #bins: Uint8Array; // what the rows of the current words index: all bins, or the block
  #rows: number; // and how many rows its columns have
  #nInBag = 0;

  // The best split of the current node.
  #bestFeature = LEAF;
  #bestCut = 0;
  #bestMissingRight = 0;
  #bestLeft = 0; // packed count and churners of the left child
  #bestNumerator = 0; // gain = numerator / denominator
  #bestDenominator = 1;

  // The nodes grown so far, in depth-first order.
  readonly #feature: number[] = [];
  readonly #cut: number[] = [];
  readonly #missingRight: number[] = [];
  readonly #left: number[] = [];
  readonly #packed: number[] = []; // count and churners

  /** @param labels One per row: 1 is churn. */
  constructor(data: BinnedFeatures, labels: Uint8Array, parameters: TreeParameters) {
    this.#data = data;
    this.#labels = labels;
    this.#parameters = parameters;
    this.#words = new Uint32Array(data.nRows);
    this.#right = new Uint32Array(data.nRows);
    this.#weights = Float64Array.from({ length: 32 }, (_, bits) => (bits >> 1) * (1 + (bits & 1) * CHURNER));
    this.#order = Uint16Array.from({ length: data.nFeatures }, (_, f) => f);
    this.#counts = new Uint8Array(data.nRows);
    this.#blockRows = Math.min(BLOCK_ROWS, data.nRows);
    this.#block = new Uint8Array(data.nFeatures * this.#blockRows);
    this.#bins = data.bins;
    this.#rows = data.nRows;
  }

  /** The tree that this generator's numbers give. */
  grow(random: Random): Tree {
    for (const list of [this.#feature, this.#cut, this.#missingRight, this.#left, this.#packed]) list.length = 0;
    this.#order.forEach((_, f) => {
      this.#order[f] = f;
    });
    let total = 0;
    while (total === 0) total = this.#bootstrap(random); // a small share of few rows can be none
    this.#pushNode(total);
    this.#growNodes(total, random);
    return this.#breadthFirst();
  }

  /** How often the last tree's sample has each row; valid until the next tree. */
  get counts(): Uint8Array {
    return this.#counts;
  }

  /** Draws a sample, as words. @returns the packed count and churners of the sample */
  #bootstrap(random: Random): number {
    const words = this.#words;
    const labels = this.#labels;
    const weights = this.#weights;
    const counts = this.#counts;
    drawBootstrap(random, this.#parameters.maxSamples, counts);
    let inBag = 0;
    let total = 0;
    for (let row = 0; row < labels.length; row++) {
      const count = counts[row];
      const word = ((count << COUNT_BIT) | (labels[row] << LABEL_BIT) | row) >>> 0;
      words[inBag] = word; // written in any case, kept if it counts: no branch to mispredict
      inBag += +(count > 0);
      total += weights[word >>> LABEL_BIT];
    }
    this.#nInBag = inBag;
    return total;
  }

  #pushNode(packed: number): number {
    this.#feature.push(LEAF);
    this.#cut.push(0);
    this.#missingRight.push(0);
    this.#left.push(0);
    this.#packed.push(packed);
    return this.#feature.length - 1;
  }

  /** Splits nodes off a stack until none is left that can be split. */
  #growNodes(total: number, random: Random): void {
    const { maxDepth } = this.#parameters;
    const stack = [{ node: 0, start: 0, end: this.#nInBag, packed: total, depth: 0, isGathered: false }];
    for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
      const { node, start, end, packed, depth } = item;
      if (depth >= maxDepth || this.#isFinal(packed)) continue;
      const isGathered = item.isGathered || end - start <= BLOCK_ROWS;
      if (isGathered && !item.isGathered) this.#gather(start, end);
      this.#bins = isGathered ? this.#block : this.#data.bins;
      this.#rows = isGathered ? this.#blockRows : this.#data.nRows;
      if (!this.#findSplit(start, end, packed, random)) continue;
      const left = this.#bestLeft;
      const right = packed - left;
      this.#feature[node] = this.#bestFeature;
      this.#cut[node] = this.#bestCut;
      this.#missingRight[node] = this.#missingDirection(left, right);
      this.#left[node] = this.#pushNode(left);
      this.#pushNode(right);
      const isLastLevel = depth + 1 === maxDepth;
      if (isLastLevel || (this.#isFinal(left) && this.#isFinal(right))) continue;
      const middle = this.#partition(start, end);
      const child = this.#left[node];
      stack.push({ node: child + 1, start: middle, end, packed: right, depth: depth + 1, isGathered });
      stack.push({ node: child, start, end: middle, packed: left, depth: depth + 1, isGathered });
    }
  }

  /**
   * Copies the bins of a node's rows side by side, and renames the rows in its words to their places there:
   * what grows below reads nearby memory. A node below is done before another is gathered (depth first).
   */
  #gather(start: number, end: number): void {
    const words = this.#words;
    const { bins, nRows, nFeatures } = this.#data;
    const block = this.#block;
    for (let f = 0; f < nFeatures; f++) {
      const column = f * nRows;
      for (let i = start, to = f * this.#blockRows; i < end; i++) block[to++] = bins[column + (words[i] & ROW_MASK)];
    }
    for (let i = start, row = 0; i < end; i++) words[i] = (words[i] & ~ROW_MASK) | row++;
  }

  /** As learned; where the node had no missing values, they will go with the larger child. */
  #missingDirection(left: number, right: number): number {
    if (this.#bestMissingRight !== UNSEEN) return this.#bestMissingRight;
    return left % CHURNER >= right % CHURNER ? 0 : 1;
  }

  /** Whether a node is pure, or too small for two leaves. */
  #isFinal(packed: number): boolean {
    const churners = Math.floor(packed / CHURNER);
    const count = packed - churners * CHURNER;
    return churners === 0 || churners === count || count < 2 * this.#parameters.minSamplesLeaf;
  }

  /** Tries features in random order: at least `featuresPerSplit`, and more until one of them can split. */
  #findSplit(start: number, end: number, packed: number, random: Random): boolean {
    const order = this.#order;
    this.#bestFeature = LEAF;
    this.#bestNumerator = 0;
    this.#bestDenominator = 1;
    const { featuresPerSplit } = this.#parameters;
    for (let tried = 0, next = 0; tried < order.length; tried = next) {
      if (tried >= featuresPerSplit && this.#bestFeature !== LEAF) break;
      next = Math.min(tried + BATCH, tried < featuresPerSplit ? featuresPerSplit : order.length);
      this.#drawFeatures(tried, next, random);
      const first = order[tried];
      this.#fillHistograms(first, order[tried + 1] ?? first, order[tried + 2] ?? first, start, end);
      for (let i = tried; i < next; i++) this.#scan(order[i], (i - tried) * MAX_BINS, packed);
      if (next - tried < BATCH) this.#histogram.fill(0, (next - tried) * MAX_BINS);
    }
    return this.#bestFeature !== LEAF;
  }

  /** Places [from, to) of a random order of the features (that part of a Fisher–Yates shuffle). */
  #drawFeatures(from: number, to: number, random: Random): void {
    const order = this.#order;
    for (let i = from; i < to; i++) {
      const pick = i + random.integer(order.length - i);
      const feature = order[pick];
      order[pick] = order[i];
      order[i] = feature;
    }
  }

  /** Three features in one pass: their additions do not wait for each other. */
  #fillHistograms(first: number, second: number, third: number, start: number, end: number): void {
    const bins = this.#bins;
    const [firstColumn, secondColumn, thirdColumn] = [first * this.#rows, second * this.#rows, third * this.#rows];
    const words = this.#words;
    const weights = this.#weights;
    const histogram = this.#histogram; // all zero: each scan leaves it so
    for (let i = start; i < end; i++) {
      const word = words[i];
      const row = word & ROW_MASK;
      const weight = weights[word >>> LABEL_BIT];
      histogram[bins[firstColumn + row]] += weight;
      histogram[MAX_BINS + bins[secondColumn + row]] += weight;
      histogram[2 * MAX_BINS + bins[thirdColumn + row]] += weight;
    }
  }

  /**
   * Every cut of one feature, with missing values on the right and, where there are any, on the left.
   *
   * With n rows and p churners, the Gini gain of a split is proportional to
   * (p_left · n − p · n_left)² / (n_left · n_right); two such fractions compare without a division.
   */
  #scan(feature: number, offset: number, packed: number): void {
    const histogram = this.#histogram;
    const { minSamplesLeaf } = this.#parameters;
    const nCuts = this.#data.cutOffsets[feature + 1] - this.#data.cutOffsets[feature];
    const p = Math.floor(packed / CHURNER);
    const n = packed - p * CHURNER;
    const most = n - minSamplesLeaf; // rows the left child can have
    const missing = this.#data.hasMissing[feature] === 1 ? histogram[offset + nCuts] : 0;
    const pMissing = Math.floor(missing / CHURNER);
    const nMissing = missing - pMissing * CHURNER;
    let bestNumerator = this.#bestNumerator;
    let bestDenominator = this.#bestDenominator;
    let pLeft = 0;
    let nLeft = 0;
    let bestCut = -1;
    let bestMissingRight = 0;
    let bestLeft = 0;
    for (let cut = 0; cut < nCuts; cut++) {
      const bin = histogram[offset + cut];
      if (bin === 0) continue; // the same split as the cut before
      histogram[offset + cut] = 0;
      const churners = Math.floor(bin * CHURNERS_PER_UNIT);
      pLeft += churners;
      nLeft += bin - churners * CHURNER;
      if (nLeft >= minSamplesLeaf && nLeft <= most) {
        const difference = pLeft * n - p * nLeft;
        const numerator = difference * difference;
        const denominator = nLeft * (n - nLeft);
        if (numerator * bestDenominator > bestNumerator * denominator) {
          bestNumerator = numerator;
          bestDenominator = denominator;
          bestCut = cut;
          bestMissingRight = nMissing > 0 ? 1 : UNSEEN;
          bestLeft = nLeft + pLeft * CHURNER;
        }
      }
      const nWith = nLeft + nMissing; // the same cut with missing values on the left
      if (nMissing > 0 && nWith >= minSamplesLeaf && nWith <= most) {
        const difference = (pLeft + pMissing) * n - p * nWith;
        const numerator = difference * difference;
        const denominator = nWith * (n - nWith);
        if (numerator * bestDenominator > bestNumerator * denominator) {
          bestNumerator = numerator;
          bestDenominator = denominator;
          bestCut = cut;
          bestMissingRight = 0;
          bestLeft = nWith + (pLeft + pMissing) * CHURNER;
        }
      }
    }
    histogram[offset + nCuts] = 0;
    if (bestCut === -1) return;
    this.#bestNumerator = bestNumerator;
    this.#bestDenominator = bestDenominator;
    this.#bestFeature = feature;
    this.#bestCut = bestCut;
    this.#bestMissingRight = bestMissingRight;
    this.#bestLeft = bestLeft;
  }

  /** Stable partition of words[start, end): bins ≤ cut to the left. @returns where the right part begins */
  #partition(start: number, end: number): number {
    const bins = this.#bins;
    const { cutOffsets, hasMissing } = this.#data;
    const feature = this.#bestFeature;
    const column = feature * this.#rows;
    const words = this.#words;
    const right = this.#right;
    const cut = this.#bestCut;
    const missingBin = hasMissing[feature] === 1 ? cutOffsets[feature + 1] - cutOffsets[feature] : -1;
    const leftBin = this.#bestMissingRight === 0 ? missingBin : -1; // a bin that goes left though above the cut
    let nLeft = start;
    let nRight = 0;
    for (let i = start; i < end; i++) {
      const word = words[i];
      const bin = bins[column + (word & ROW_MASK)];
      const goesRight = +(bin > cut) & +(bin !== leftBin);
      words[nLeft] = word; // without a branch, as above
      right[nRight] = word;
      nLeft += 1 - goesRight;
      nRight += goesRight;
    }
    words.set(right.subarray(0, nRight), nLeft);
    return nLeft;
  }

  #breadthFirst(): Tree {
    const nNodes = this.#feature.length;
    const order = new Uint32Array(nNodes);
    const left = new Uint32Array(nNodes);
    for (let position = 0, next = 1; position < nNodes; position++) {
      const node = order[position];
      if (this.#feature[node] === LEAF) continue;
      left[position] = next;
      order[next] = this.#left[node];
      order[next + 1] = this.#left[node] + 1;
      next += 2;
    }
    const feature = new Uint16Array(nNodes);
    const cut = new Uint8Array(nNodes);
    const missingRight = new Uint8Array(nNodes);
    const count = new Uint32Array(nNodes);
    const churners = new Uint32Array(nNodes);
    for (let position = 0; position < nNodes; position++) {
      const node = order[position];
      feature[position] = this.#feature[node];
      cut[position] = this.#cut[node];
      missingRight[position] = this.#missingRight[node];
      churners[position] = Math.floor(this.#packed[node] / CHURNER);
      count[position] = this.#packed[node] - churners[position] * CHURNER;
    }
    return { feature, cut, missingRight, left, count, churners };
  }
}
