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
 *
 * The walk itself is in contract/assembly/kernel.ts; here is the layout of its memory.
 */
import { binOf, padCutPoints } from "./cut-points.ts";
import { ChurnError } from "./errors.ts";
import { type Forest, leafMark, leafValues } from "./forest.ts";
import { MemoryLayout, startModule } from "./wasm-module.ts";

/** What contract/assembly/kernel.ts exports, apart from addresses and sizes. */
interface Walk {
  addTrees(inputs: number, rows: number, sums: number): void;
}

const WALK = new URL("./kernel.wasm", import.meta.url);

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
  readonly #walk: Walk;
  readonly #words: Int32Array; // per node
  readonly #values: Float32Array; // per node; P(churn) of a leaf
  readonly #steps: Uint32Array; // per group of LANES trees: depth of its deepest tree
  readonly #offsetShift: number;
  readonly #cutPoints: readonly Float32Array[]; // per feature, padded
  readonly #inputs: Uint16Array; // of a block of rows: two per feature, and one that is always 0
  readonly #sums: Float64Array; // of a block of rows

  /** @throws CHURN_ERR_FOREST_LIMIT when the parts of a node do not fit into 32 bits together */
  constructor(forest: Forest) {
    const { treeOffsets, feature, cutPoints, cutOffsets } = forest;
    this.nFeatures = cutOffsets.length - 1;
    this.nTrees = treeOffsets.length - 1;
    this.#offsetShift = CUT_BITS + Math.ceil(Math.log2(2 * this.nFeatures + 1));
    this.#cutPoints = Array.from({ length: this.nFeatures }, (_, f) =>
      padCutPoints(cutPoints.subarray(cutOffsets[f], cutOffsets[f + 1])),
    );
    const nNodes = feature.length + 1; // one more: the empty tree, a leaf of value 0
    const nGroups = Math.ceil(this.nTrees / LANES);
    const rowInputs = 2 * this.nFeatures + 1;
    const blockRows = Math.max(1, Math.floor(BLOCK_INPUTS / rowInputs));
    const memory = new MemoryLayout();
    const addresses = {
      words: memory.reserve(4 * nNodes),
      values: memory.reserve(4 * nNodes),
      roots: memory.reserve(4 * LANES * nGroups),
      steps: memory.reserve(4 * nGroups),
    };
    const inputs = memory.reserve(2 * rowInputs * blockRows);
    const sums = memory.reserve(8 * blockRows);
    const sizes = { nGroups, offsetShift: this.#offsetShift, rowBytes: 2 * rowInputs };
    const { buffer, functions } = startModule<Walk>(WALK, memory, { ...addresses, ...sizes });
    this.#walk = functions;
    this.#words = new Int32Array(buffer, addresses.words, nNodes);
    this.#values = new Float32Array(buffer, addresses.values, nNodes);
    this.#steps = new Uint32Array(buffer, addresses.steps, nGroups);
    this.#inputs = new Uint16Array(buffer, inputs, rowInputs * blockRows);
    this.#sums = new Float64Array(buffer, sums, blockRows);
    const roots = new Uint32Array(buffer, addresses.roots, LANES * nGroups).fill(nNodes - 1); // the last group's rest
    roots.set(treeOffsets.subarray(0, this.nTrees));
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
    for (let f = 0; f < this.nFeatures; f++) this.#setInput(f, features[f], f);
    this.#addTrees(1);
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
    const blockRows = this.#sums.length;
    for (let start = 0; start < rows; start += blockRows) {
      const end = Math.min(start + blockRows, rows);
      for (let f = 0; f < this.nFeatures; f++) {
        const column = columns[f];
        for (let row = start, at = f; row < end; row++, at += stride) this.#setInput(at, column[row], f);
      }
      this.#addTrees(end - start);
      for (let row = start; row < end; row++) out[row] = this.#sums[row - start] / this.nTrees;
    }
    return out;
  }

  /** Writes both inputs of a feature; `at` is the place of the first. */
  #setInput(at: number, x: number, feature: number): void {
    const isMissing = Number.isNaN(x);
    const bin = isMissing ? BELOW_ALL_CUTS : binOf(x, this.#cutPoints[feature]);
    this.#inputs[at] = bin;
    this.#inputs[at + this.nFeatures] = isMissing ? ABOVE_ALL_CUTS : bin;
  }

  /** From the inputs of so many rows to their sums over all trees. */
  #addTrees(rows: number): void {
    this.#sums.fill(0, 0, rows);
    this.#walk.addTrees(this.#inputs.byteOffset, rows, this.#sums.byteOffset);
  }
}
