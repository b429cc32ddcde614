/**
 * The prediction kernel: a forest laid out for speed, eight trees walked in lock step.
 *
 * Where the time goes is memory latency. So eight independent walks run side by side, each step without a
 * branch, over nodes of 4 bytes:
 *
 *     node += offset(node) + (x[slot(node)] > cut(node) ? 1 : 0)
 *
 * A node is one word, `offset << … | slot << 8 | cut`: how far on its left child is, which input it reads, and
 * which of that feature's cut points is its threshold. Inputs are the bins of the values, so a comparison of
 * whole numbers decides as the threshold would. A leaf steps onto itself (offset 0, and an input that is always
 * 0), so all eight walks take the same number of steps. Missing values need no branch either: each feature has
 * two inputs, and a missing value is below every cut in the first and above in the second; a split that sends
 * missing right reads the second.
 *
 * Many rows go block by block: all rows of a block through the same eight trees, then through the next eight, so
 * that these trees and the block stay in a core's own cache. One row is a block of one, so it gets the same double.
 */
import { binOf, padCutPoints } from "./cut-points.ts";
import { ChurnError } from "./errors.ts";
import { type Forest, leafMark, leafValues } from "./forest.ts";

const LANES = 8;
const CUT_BITS = 8;

/** Inputs of a block of rows at most, of 16 bits: with eight trees they fit into half a megabyte of cache. */
const BLOCK_INPUTS = 2 ** 17;

/** Inputs of a missing value. */
const BELOW_ALL_CUTS = 0;
const ABOVE_ALL_CUTS = 256;

/** A forest ready to predict. Not safe to share between threads: it owns scratch memory. */
export class ForestKernel {
  readonly nFeatures: number;
  readonly nTrees: number;
  readonly #words: Int32Array; // per node
  readonly #values: Float32Array; // per node; P(churn) of a leaf
  readonly #roots: Uint32Array; // per tree, padded to a multiple of LANES with the empty tree
  readonly #steps: Uint32Array; // per group of LANES trees: depth of its deepest tree
  readonly #offsetShift: number;
  readonly #cutPoints: readonly Float32Array[]; // per feature, padded
  readonly #inputs: Uint16Array; // of one row: two per feature, and one that is always 0
  readonly #sums = new Float64Array(1); // of one row

  /** @throws CHURN_ERR_FOREST_LIMIT when the parts of a node do not fit into 32 bits together */
  constructor(forest: Forest) {
    const { treeOffsets, feature, cutPoints, cutOffsets } = forest;
    this.nFeatures = cutOffsets.length - 1;
    this.nTrees = treeOffsets.length - 1;
    this.#offsetShift = CUT_BITS + Math.ceil(Math.log2(2 * this.nFeatures + 1));
    const nNodes = feature.length + 1; // one more: the empty tree, a leaf of value 0
    this.#words = new Int32Array(nNodes);
    this.#values = new Float32Array(nNodes);
    this.#roots = new Uint32Array(Math.ceil(this.nTrees / LANES) * LANES).fill(nNodes - 1);
    this.#roots.set(treeOffsets.subarray(0, this.nTrees));
    this.#steps = new Uint32Array(this.#roots.length / LANES);
    this.#cutPoints = Array.from({ length: this.nFeatures }, (_, f) =>
      padCutPoints(cutPoints.subarray(cutOffsets[f], cutOffsets[f + 1])),
    );
    this.#inputs = new Uint16Array(2 * this.nFeatures + 1);
    this.#layOut(forest);
  }

  /** Fills words, values and steps, tree by tree. */
  #layOut(forest: Forest): void {
    const { treeOffsets, feature, cut, missingRight } = forest;
    const value = leafValues(forest);
    const leaf = leafMark(feature);
    const leafWord = (2 * this.nFeatures) << CUT_BITS;
    const depths = new Uint32Array(feature.length);
    this.#words.fill(leafWord);
    let split = 0;
    let farthest = 0;
    for (let tree = 0; tree < this.nTrees; tree++) {
      let child = treeOffsets[tree] + 1;
      let deepest = 0;
      for (let node = treeOffsets[tree]; node < treeOffsets[tree + 1]; node++) {
        deepest = Math.max(deepest, depths[node]);
        if (feature[node] === leaf) {
          this.#values[node] = value[node - split];
          continue;
        }
        const slot = feature[node] + (missingRight[split] === 1 ? this.nFeatures : 0);
        this.#words[node] = ((child - node) << this.#offsetShift) | (slot << CUT_BITS) | cut[split];
        depths[child] = depths[child + 1] = depths[node] + 1;
        farthest = Math.max(farthest, child - node);
        child += 2;
        split++;
      }
      const group = Math.floor(tree / LANES);
      this.#steps[group] = Math.max(this.#steps[group], deepest);
    }
    this.#checkOffsets(farthest);
  }

  /** A child is at most half its tree away. */
  #checkOffsets(farthest: number): void {
    const most = 2 ** (32 - this.#offsetShift) - 1;
    if (farthest <= most) return;
    throw new ChurnError(
      "CHURN_ERR_FOREST_LIMIT",
      `expected trees of at most ${2 * most} nodes with ${this.nFeatures} features, got a larger one: use smaller trees or fewer features`,
    );
  }

  /**
   * P(churn) of one customer: the mean of the trees' leaf values, in [0, 1].
   *
   * @param features One float32 per feature; NaN is missing.
   */
  predictProba(features: Float32Array): number {
    for (let f = 0; f < this.nFeatures; f++) this.#setInput(this.#inputs, f, features[f], f);
    this.#sums[0] = 0;
    this.#addTrees(this.#inputs, 1, this.#sums);
    return this.#sums[0] / this.nTrees;
  }

  /**
   * P(churn) of many customers; each the same double that `predictProba` gives.
   *
   * @param columns One `Float32Array` of `rows` values per feature; NaN is missing.
   */
  predictColumns(columns: readonly Float32Array[], rows: number): Float64Array {
    const out = new Float64Array(rows);
    const stride = 2 * this.nFeatures + 1;
    const blockRows = Math.max(1, Math.min(rows, Math.floor(BLOCK_INPUTS / stride)));
    const inputs = new Uint16Array(blockRows * stride);
    for (let start = 0; start < rows; start += blockRows) {
      const end = Math.min(start + blockRows, rows);
      for (let f = 0; f < this.nFeatures; f++) {
        const column = columns[f];
        for (let row = start, at = f; row < end; row++, at += stride) this.#setInput(inputs, at, column[row], f);
      }
      this.#addTrees(inputs, end - start, out.subarray(start, end));
    }
    for (let row = 0; row < rows; row++) out[row] /= this.nTrees;
    return out;
  }

  /** Writes both inputs of a feature; `at` is the place of the first. */
  #setInput(inputs: Uint16Array, at: number, x: number, feature: number): void {
    const isMissing = Number.isNaN(x);
    const bin = isMissing ? BELOW_ALL_CUTS : binOf(x, this.#cutPoints[feature]);
    inputs[at] = bin;
    inputs[at + this.nFeatures] = isMissing ? ABOVE_ALL_CUTS : bin;
  }

  /** Adds the leaf values of all trees to each row's sum, in the same order for one row as for many. */
  #addTrees(x: Uint16Array, rows: number, sums: Float64Array): void {
    const words = this.#words;
    const values = this.#values;
    const roots = this.#roots;
    const steps = this.#steps;
    const shift = this.#offsetShift;
    const slots = 2 ** (shift - CUT_BITS) - 1;
    const cuts = 2 ** CUT_BITS - 1;
    const stride = 2 * this.nFeatures + 1;
    for (let group = 0, r = 0; group < steps.length; group++, r += LANES) {
      const depth = steps[group];
      for (let row = 0, at = 0; row < rows; row++, at += stride) {
        let a = roots[r];
        let b = roots[r + 1];
        let c = roots[r + 2];
        let d = roots[r + 3];
        let e = roots[r + 4];
        let f = roots[r + 5];
        let g = roots[r + 6];
        let h = roots[r + 7];
        for (let step = depth; step > 0; step--) {
          const wa = words[a];
          const wb = words[b];
          const wc = words[c];
          const wd = words[d];
          const we = words[e];
          const wf = words[f];
          const wg = words[g];
          const wh = words[h];
          a += (wa >>> shift) + +(x[at + ((wa >>> CUT_BITS) & slots)] > (wa & cuts));
          b += (wb >>> shift) + +(x[at + ((wb >>> CUT_BITS) & slots)] > (wb & cuts));
          c += (wc >>> shift) + +(x[at + ((wc >>> CUT_BITS) & slots)] > (wc & cuts));
          d += (wd >>> shift) + +(x[at + ((wd >>> CUT_BITS) & slots)] > (wd & cuts));
          e += (we >>> shift) + +(x[at + ((we >>> CUT_BITS) & slots)] > (we & cuts));
          f += (wf >>> shift) + +(x[at + ((wf >>> CUT_BITS) & slots)] > (wf & cuts));
          g += (wg >>> shift) + +(x[at + ((wg >>> CUT_BITS) & slots)] > (wg & cuts));
          h += (wh >>> shift) + +(x[at + ((wh >>> CUT_BITS) & slots)] > (wh & cuts));
        }
        let sum = sums[row];
        sum += values[a] + values[b] + values[c] + values[d];
        sum += values[e] + values[f] + values[g] + values[h];
        sums[row] = sum;
      }
    }
  }
}
