/**
 * The prediction kernel: a forest laid out for speed, eight trees walked in lock step.
 *
 * Where the time goes is memory latency, so eight independent walks run side by side, each step without
 * a branch:
 *
 *     node = left(node) + (x[slot(node)] > threshold(node) ? 1 : 0)
 *
 * A node is 8 bytes: a word `left << slotBits | slot`, and a float32 threshold. A leaf steps onto
 * itself, so all eight walks take the same number of steps: it reads a slot that is always −∞, and has its
 * value where a split has its threshold, one cache miss the fewer. Missing values need no branch either: each
 * feature has two slots of the input, and a missing value is −∞ in the first and +∞ in the second; a split
 * that sends missing right reads the second.
 */
import { ChurnError } from "./errors.ts";
import { type Forest, leafMark } from "./forest.ts";

const LANES = 8;

/** A forest ready to predict. Not safe to share between threads: it owns scratch memory. */
export class ForestKernel {
  readonly nFeatures: number;
  readonly nTrees: number;
  readonly #words: Uint32Array; // node i: word at 2i; threshold in the same bytes at 2i + 1
  readonly #thresholds: Float32Array; // of a split; the value of a leaf
  readonly #roots: Uint32Array; // per tree, padded to a multiple of LANES with the empty tree
  readonly #steps: Uint32Array; // per group of LANES trees: depth of its deepest tree
  readonly #slotBits: number;
  readonly #slots: Float32Array;

  /** @throws CHURN_ERR_FOREST_LIMIT when a node id and a slot do not fit into 32 bits together */
  constructor(forest: Forest) {
    const { treeOffsets, feature } = forest;
    this.nFeatures = forest.cutOffsets.length - 1;
    this.nTrees = treeOffsets.length - 1;
    this.#slotBits = Math.ceil(Math.log2(2 * this.nFeatures + 1));
    const nNodes = feature.length + 1; // one more: the empty tree, a leaf of value 0
    if (nNodes > 2 ** (32 - this.#slotBits)) {
      const most = 2 ** (32 - this.#slotBits) - 1;
      throw new ChurnError(
        "CHURN_ERR_FOREST_LIMIT",
        `expected at most ${most} nodes with ${this.nFeatures} features, got ${feature.length}: use fewer or smaller trees`,
      );
    }
    this.#words = new Uint32Array(2 * nNodes);
    this.#thresholds = new Float32Array(this.#words.buffer);
    this.#roots = new Uint32Array(Math.ceil(this.nTrees / LANES) * LANES).fill(nNodes - 1);
    this.#roots.set(treeOffsets.subarray(0, this.nTrees));
    this.#steps = new Uint32Array(this.#roots.length / LANES);
    this.#slots = new Float32Array(2 * this.nFeatures + 1).fill(Number.NEGATIVE_INFINITY);
    this.#layOut(forest);
  }

  /** Fills words, thresholds and steps, tree by tree. */
  #layOut(forest: Forest): void {
    const { treeOffsets, feature, cut, missingRight, value, cutPoints, cutOffsets } = forest;
    const leaf = leafMark(feature);
    const depths = new Uint32Array(feature.length);
    let split = 0;
    for (let tree = 0; tree < this.nTrees; tree++) {
      let child = treeOffsets[tree] + 1;
      let deepest = 0;
      for (let node = treeOffsets[tree]; node < treeOffsets[tree + 1]; node++) {
        deepest = Math.max(deepest, depths[node]);
        if (feature[node] === leaf) {
          this.#setNode(node, node, 2 * this.nFeatures, value[node - split]);
          continue;
        }
        const slot = feature[node] + (missingRight[split] === 1 ? this.nFeatures : 0);
        this.#setNode(node, child, slot, cutPoints[cutOffsets[feature[node]] + cut[split]]);
        depths[child] = depths[child + 1] = depths[node] + 1;
        child += 2;
        split++;
      }
      const group = Math.floor(tree / LANES);
      this.#steps[group] = Math.max(this.#steps[group], deepest);
    }
    this.#setNode(feature.length, feature.length, 2 * this.nFeatures, 0);
  }

  #setNode(node: number, left: number, slot: number, threshold: number): void {
    this.#words[2 * node] = (left << this.#slotBits) | slot;
    this.#thresholds[2 * node + 1] = threshold;
  }

  /**
   * P(churn) of one customer: the mean of the trees' leaf values, in [0, 1].
   *
   * @param features One float32 per feature; NaN is missing.
   */
  predictProba(features: Float32Array): number {
    const { nFeatures } = this;
    const slots = this.#slots;
    for (let f = 0; f < nFeatures; f++) {
      const x = features[f];
      const isMissing = Number.isNaN(x);
      slots[f] = isMissing ? Number.NEGATIVE_INFINITY : x;
      slots[nFeatures + f] = isMissing ? Number.POSITIVE_INFINITY : x;
    }
    return this.#sum(slots) / this.nTrees;
  }

  /**
   * P(churn) of many customers.
   *
   * @param columns One `Float32Array` of `rows` values per feature; NaN is missing.
   */
  predictColumns(columns: readonly Float32Array[], rows: number): Float64Array {
    const features = new Float32Array(this.nFeatures);
    const out = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      for (let f = 0; f < columns.length; f++) features[f] = columns[f][row];
      out[row] = this.predictProba(features);
    }
    return out;
  }

  #sum(x: Float32Array): number {
    const words = this.#words;
    const thresholds = this.#thresholds;
    const roots = this.#roots;
    const steps = this.#steps;
    const bits = this.#slotBits;
    const mask = 2 ** bits - 1;
    let sum = 0;
    for (let group = 0, r = 0; group < steps.length; group++, r += LANES) {
      // Doubled node ids: i points at a node's word, i + 1 at its threshold.
      let a = roots[r] << 1;
      let b = roots[r + 1] << 1;
      let c = roots[r + 2] << 1;
      let d = roots[r + 3] << 1;
      let e = roots[r + 4] << 1;
      let f = roots[r + 5] << 1;
      let g = roots[r + 6] << 1;
      let h = roots[r + 7] << 1;
      for (let step = steps[group]; step > 0; step--) {
        const wa = words[a];
        const wb = words[b];
        const wc = words[c];
        const wd = words[d];
        const we = words[e];
        const wf = words[f];
        const wg = words[g];
        const wh = words[h];
        a = ((wa >>> bits) + +(x[wa & mask] > thresholds[a + 1])) << 1;
        b = ((wb >>> bits) + +(x[wb & mask] > thresholds[b + 1])) << 1;
        c = ((wc >>> bits) + +(x[wc & mask] > thresholds[c + 1])) << 1;
        d = ((wd >>> bits) + +(x[wd & mask] > thresholds[d + 1])) << 1;
        e = ((we >>> bits) + +(x[we & mask] > thresholds[e + 1])) << 1;
        f = ((wf >>> bits) + +(x[wf & mask] > thresholds[f + 1])) << 1;
        g = ((wg >>> bits) + +(x[wg & mask] > thresholds[g + 1])) << 1;
        h = ((wh >>> bits) + +(x[wh & mask] > thresholds[h + 1])) << 1;
      }
      sum += thresholds[a + 1] + thresholds[b + 1] + thresholds[c + 1] + thresholds[d + 1];
      sum += thresholds[e + 1] + thresholds[f + 1] + thresholds[g + 1] + thresholds[h + 1];
    }
    return sum;
  }
}
