/**
 * The kernel in plain TypeScript: what WebAssembly is compared with, and what runs where that cannot.
 *
 * To split a node: fill a histogram of (count, churners) per bin for each feature tried, scan it for the best Gini
 * gain, and partition the range. Both numbers of a bin are packed into one double, and gains are compared by
 * cross-multiplication, so the scan has no division.
 *
 * @source Breiman 2001; the cut of work follows scikit-learn's splitter.
 */
import { drawBootstrap } from "../bootstrap.ts";
import type { Random } from "../random.ts";
import {
  BLOCK_ROWS,
  COUNT_BIT,
  LABEL_BIT,
  LEAF,
  leafScores,
  leftBin,
  MAX_BINS,
  type NodeRows,
  ROW_MASK,
  type Split,
  type Tree,
  type TreeData,
  type TreeKernel,
  type TreeParameters,
  UNSEEN,
} from "./tree-kernel.ts";

/** A double holds n + churners · 2^26 exactly, for n below 2^26. */
const CHURNER = 2 ** 26;
const CHURNERS_PER_UNIT = 1 / CHURNER;

/** Features whose histograms are filled in one pass. */
const BATCH = 3;

export class PlainKernel implements TreeKernel {
  readonly features: Uint16Array;
  readonly counts: Uint8Array;
  readonly best: Split = { feature: LEAF, cut: 0, missingRight: UNSEEN, count: 0, churners: 0 };
  readonly sums: Float64Array;
  readonly times: Uint16Array;
  readonly #data: TreeData;
  readonly #parameters: TreeParameters;
  readonly #words: Uint32Array; // one per row of the sample
  readonly #right: Uint32Array; // scratch of a partition
  readonly #histogram = new Float64Array(BATCH * MAX_BINS);
  readonly #weights: Float64Array; // a word's top 5 bits → count + churners · 2^26
  readonly #block: Uint8Array; // bins of the rows of one gathered node, column-major
  readonly #blockRows: number;
  #bestNumerator = 0; // gain = numerator / denominator
  #bestDenominator = 1;

  constructor(data: TreeData, parameters: TreeParameters) {
    const { nRows, nFeatures } = data.features;
    this.#data = data;
    this.#parameters = parameters;
    this.#words = new Uint32Array(nRows);
    this.#right = new Uint32Array(nRows);
    this.#weights = Float64Array.from({ length: 32 }, (_, bits) => (bits >> 1) * (1 + (bits & 1) * CHURNER));
    this.#blockRows = Math.min(BLOCK_ROWS, nRows);
    this.#block = new Uint8Array(nFeatures * this.#blockRows);
    this.features = new Uint16Array(nFeatures);
    this.counts = new Uint8Array(nRows);
    this.sums = new Float64Array(data.scoredRows.length);
    this.times = new Uint16Array(data.scoredRows.length);
  }

  drawSample(random: Random): NodeRows {
    const { counts } = this;
    const { labels } = this.#data;
    const words = this.#words;
    const weights = this.#weights;
    drawBootstrap(random, this.#parameters.maxSamples, counts);
    let end = 0;
    let total = 0;
    for (let row = 0; row < labels.length; row++) {
      const word = ((counts[row] << COUNT_BIT) | (labels[row] << LABEL_BIT) | row) >>> 0;
      words[end] = word; // written in any case, kept if it counts: no branch to mispredict
      end += +(counts[row] > 0);
      total += weights[word >>> LABEL_BIT];
    }
    const churners = Math.floor(total / CHURNER);
    return { start: 0, end, count: total - churners * CHURNER, churners, isGathered: false };
  }

  gather({ start, end }: NodeRows): void {
    const words = this.#words;
    const { bins, nRows, nFeatures } = this.#data.features;
    const block = this.#block;
    for (let f = 0; f < nFeatures; f++) {
      const column = f * nRows;
      for (let i = start, to = f * this.#blockRows; i < end; i++) block[to++] = bins[column + (words[i] & ROW_MASK)];
    }
    for (let i = start, row = 0; i < end; i++) words[i] = (words[i] & ~ROW_MASK) | row++;
  }

  startSearch(): void {
    this.best.feature = LEAF;
    this.#bestNumerator = 0;
    this.#bestDenominator = 1;
  }

  trySplits(from: number, to: number, node: NodeRows): void {
    const { features } = this;
    for (let next = from; next < to; next += BATCH) {
      const first = features[next];
      const filled = Math.min(BATCH, to - next);
      this.#fillHistograms(
        first,
        filled > 1 ? features[next + 1] : first,
        filled > 2 ? features[next + 2] : first,
        node,
      );
      for (let i = 0; i < filled; i++) this.#scan(features[next + i], i * MAX_BINS, node);
      if (filled < BATCH) this.#histogram.fill(0, filled * MAX_BINS);
    }
  }

  /** Three features in one pass: their additions do not wait for each other. */
  #fillHistograms(first: number, second: number, third: number, { start, end, isGathered }: NodeRows): void {
    const bins = isGathered ? this.#block : this.#data.features.bins;
    const rows = isGathered ? this.#blockRows : this.#data.features.nRows;
    const [firstColumn, secondColumn, thirdColumn] = [first * rows, second * rows, third * rows];
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
  #scan(feature: number, offset: number, { count: n, churners: p }: NodeRows): void {
    const histogram = this.#histogram;
    const { minSamplesLeaf } = this.#parameters;
    const { cutOffsets, hasMissing } = this.#data.features;
    const nCuts = cutOffsets[feature + 1] - cutOffsets[feature];
    const most = n - minSamplesLeaf; // rows the left child can have
    const missing = hasMissing[feature] === 1 ? histogram[offset + nCuts] : 0;
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
    const { best } = this;
    best.feature = feature;
    best.cut = bestCut;
    best.missingRight = bestMissingRight;
    best.churners = Math.floor(bestLeft * CHURNERS_PER_UNIT);
    best.count = bestLeft - best.churners * CHURNER;
  }

  partition({ start, end, isGathered }: NodeRows): number {
    const { feature, cut, missingRight } = this.best;
    const bins = isGathered ? this.#block : this.#data.features.bins;
    const column = feature * (isGathered ? this.#blockRows : this.#data.features.nRows);
    const words = this.#words;
    const right = this.#right;
    const exception = leftBin(this.#data.features, feature, missingRight);
    let nLeft = start;
    let nRight = 0;
    for (let i = start; i < end; i++) {
      const word = words[i];
      const bin = bins[column + (word & ROW_MASK)];
      const goesRight = +(bin > cut) & +(bin !== exception);
      words[nLeft] = word; // without a branch, as above
      right[nRight] = word;
      nLeft += 1 - goesRight;
      nRight += goesRight;
    }
    words.set(right.subarray(0, nRight), nLeft);
    return nLeft;
  }

  /** A missing value's bin lies above every cut, so it goes right by itself; where it goes left, it is an exception. */
  addOutOfBagScores(tree: Tree): void {
    const { feature, cut, missingRight, left } = tree;
    const { counts, sums, times } = this;
    const { scoredRows, features } = this.#data;
    const { bins, nRows } = features;
    const exception = Int16Array.from(feature, (f, node) =>
      f === LEAF ? -1 : leftBin(features, f, missingRight[node]),
    );
    const score = leafScores(tree);
    for (let i = 0; i < scoredRows.length; i++) {
      const row = scoredRows[i];
      if (counts[row] > 0) continue;
      let node = 0;
      for (let f = feature[0]; f !== LEAF; f = feature[node]) {
        const bin = bins[f * nRows + row];
        node = left[node] + (+(bin > cut[node]) & +(bin !== exception[node]));
      }
      sums[i] += score[node];
      times[i]++;
    }
  }
}
