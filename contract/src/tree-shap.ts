/**
 * TreeSHAP: by how much each feature of a customer moves the forest's score from the mean of all towards his own.
 *
 * The Shapley value of a feature averages, over all orders in which features can become known, by how much the expected
 * score changes when this one does; what is not yet known is averaged over as the trees' training rows went (path
 * dependent). For one leaf of value v, whose path asks for the features j with z_j, the share of rows that follow all its
 * splits on j, and o_j, 1 when the customer does, it is
 *
 *     φ_j = v · (o_j − z_j) · ∫₀¹ Π_{i≠j} (o_i · t + z_i · (1 − t)) dt
 *
 * The integrand is a polynomial in t of a degree below the number of features on the path, so Gauss–Legendre quadrature
 * with half as many nodes is exact, and all its terms are positive. At each quadrature node t, the factors' product P goes
 * down a tree, and the sum T over the leaves of value times the factors below comes up. At a split, the customer goes to
 * the hot child, with a share h of the rows, and not to the cold one, with 1 − h; z is the share of rows that follow the
 * splits above on the same feature (1 when there are none) and f = t + z (1 − t) that feature's factor so far. Then
 *
 *     P_hot = P (t + z h (1 − t)) / f       P_cold = P z (1 − h) (1 − t) / f
 *     T = (t T_hot + z (1 − t) (h T_hot + (1 − h) T_cold)) / f
 *     φ_j += z (1 − h) · Σ_t weight(t) P (T_hot − T_cold) / f²
 *
 * and where the customer has left the path on this feature before, only the shares count: P_hot = h P, P_cold = (1 − h) P,
 * T = h T_hot + (1 − h) T_cold. That is one pass down and one up over the breadth-first splits, in time proportional to
 * splits × quadrature nodes. The two passes are in contract/assembly/tree-shap.ts; here is the layout of their memory.
 *
 * @source Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees" (the values);
 *   Yu et al. 2022, "Linear TreeShap" (all leaves in one pass, by polynomials)
 */
import { binOf, padCutPoints } from "./cut-points.ts";
import { ChurnError } from "./errors.ts";
import { type Forest, leafMark, leafValues } from "./forest.ts";
import { gaussLegendre, type Quadrature } from "./quadrature.ts";
import { MemoryLayout, startModule } from "./wasm-module.ts";

/** What contract/assembly/tree-shap.ts exports, apart from addresses and sizes. */
interface Passes {
  explainTree(splits: number, nSplits: number, inputs: number, contributions: number): void;
}

const PASSES = new URL("./tree-shap.wasm", import.meta.url);
/** Quadrature nodes of one call: exact for paths of twice as many features. Trees with longer paths take more calls. */
const NODES = 6;
const VECTOR_BYTES = 8 * NODES;
/** Customers that go through a tree one after the other, while it is near. */
const BLOCK_ROWS = 64;

// A split in memory, as the passes read it.
const SPLIT_BYTES = 40;
const SHARES = 8;
const ABOVE_SHARE = 24;
const ABOVE = 32;
const INPUT = 36;
const CUT = 38;
const FLAGS = 39;
const LEFT_IS_LEAF = 1;
const RIGHT_IS_LEAF = 2;
const LIES_RIGHT_OF_ABOVE = 4;
const HAS_ABOVE = 8;

/** A split names one of two inputs per feature in 16 bits. */
const MOST_FEATURES = 2 ** 15;

/** The state of the split above where there is none. */
const FOLLOWED = 1;
const NONE = -1;

// Inputs of a missing value: below all cuts for a split that sends it left, above them for one that sends it right.
const BELOW_ALL_CUTS = 0;
const ABOVE_ALL_CUTS = 256;

/** A forest ready to explain. Not safe to share between threads: it owns scratch memory. */
export class TreeExplainer {
  /** The score of a customer of whom nothing is known: the mean of the trees over the rows that they were grown on. */
  readonly baseValue: number;
  readonly nFeatures: number;
  readonly #passes: Passes;
  readonly #cutPoints: readonly Float32Array[]; // per feature, padded
  readonly #splits: number; // address of the first tree's
  readonly #treeSplits: Uint32Array; // where each tree's splits begin, and their number last
  readonly #inputs: Uint16Array; // of a block of customers, 2 · nFeatures each
  readonly #quadrature: readonly Quadrature[]; // of each call
  readonly #nodes: Float64Array;
  readonly #weights: Float64Array;
  readonly #contributions: Float64Array; // nFeatures each

  /** @throws CHURN_ERR_FOREST_LIMIT */
  constructor(forest: Forest) {
    const { treeOffsets, cutPoints, cutOffsets } = forest;
    const nTrees = treeOffsets.length - 1;
    this.nFeatures = cutOffsets.length - 1;
    if (this.nFeatures > MOST_FEATURES) {
      const message = `expected at most ${MOST_FEATURES} features to explain, got ${this.nFeatures}`;
      throw new ChurnError("CHURN_ERR_FOREST_LIMIT", message);
    }
    this.#cutPoints = Array.from({ length: this.nFeatures }, (_, f) =>
      padCutPoints(cutPoints.subarray(cutOffsets[f], cutOffsets[f + 1])),
    );
    this.#treeSplits = treeOffsets.map((node, tree) => (node - tree) / 2);
    const nSplits = this.#treeSplits[nTrees];
    const largest = this.#treeSplits.reduce((most, end, i, ends) => Math.max(most, end - (ends[i - 1] ?? 0)), 0);
    const memory = new MemoryLayout();
    const addresses = {
      nodes: memory.reserve(VECTOR_BYTES),
      weights: memory.reserve(VECTOR_BYTES),
      states: memory.reserve(1 + largest) + 1, // one before the first
      down: memory.reserve(Math.max(1, largest) * VECTOR_BYTES),
      up: memory.reserve(largest * VECTOR_BYTES),
      leaf: memory.reserve(VECTOR_BYTES),
    };
    const inputs = memory.reserve(BLOCK_ROWS * 4 * this.nFeatures);
    const contributions = memory.reserve(BLOCK_ROWS * 8 * this.nFeatures);
    this.#splits = memory.reserve(nSplits * SPLIT_BYTES);
    const globals = { ...addresses, nFeatures: this.nFeatures };
    const { buffer, functions } = startModule<Passes>(PASSES, memory, globals);
    this.#passes = functions;
    this.#inputs = new Uint16Array(buffer, inputs, BLOCK_ROWS * 2 * this.nFeatures);
    this.#nodes = new Float64Array(buffer, addresses.nodes, NODES);
    this.#weights = new Float64Array(buffer, addresses.weights, NODES);
    this.#contributions = new Float64Array(buffer, contributions, BLOCK_ROWS * this.nFeatures);
    new Uint8Array(buffer, addresses.states - 1, 1).fill(FOLLOWED);

    const values = leafValues(forest);
    const writer = new SplitWriter(forest, values, new DataView(buffer, this.#splits));
    let [sum, pathFeatures] = [0, 1];
    for (let tree = 0; tree < nTrees; tree++) {
      const { mean, mostFeatures } = writer.write(tree);
      sum += mean;
      pathFeatures = Math.max(pathFeatures, mostFeatures);
    }
    this.baseValue = sum / nTrees;
    this.#quadrature = inCalls(gaussLegendre(Math.ceil(pathFeatures / 2)));
  }

  /**
   * The contribution of each feature of one customer to the forest's score, before calibration: with `baseValue` they sum
   * to it.
   *
   * @param features One float32 per feature; NaN is missing.
   */
  explain(features: Float32Array): Float64Array {
    for (let f = 0; f < this.nFeatures; f++) this.#setInput(f, features[f], f);
    this.#explainBlock(1);
    return this.#contributions.slice(0, this.nFeatures);
  }

  /**
   * The contributions of many customers; each the same double that `explain` gives.
   *
   * @param columns One `Float32Array` of `rows` values per feature; NaN is missing.
   * @returns one `Float64Array` of `rows` contributions per feature
   */
  explainColumns(columns: readonly Float32Array[], rows: number): Float64Array[] {
    const out = columns.map(() => new Float64Array(rows));
    for (let start = 0; start < rows; start += BLOCK_ROWS) {
      const end = Math.min(start + BLOCK_ROWS, rows);
      for (let row = start, at = 0; row < end; row++, at += 2 * this.nFeatures) {
        for (let f = 0; f < this.nFeatures; f++) this.#setInput(at + f, columns[f][row], f);
      }
      this.#explainBlock(end - start);
      for (let row = start, at = 0; row < end; row++) {
        for (let f = 0; f < this.nFeatures; f++) out[f][row] = this.#contributions[at++];
      }
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

  /** From the inputs of so many customers to their contributions. */
  #explainBlock(rows: number): void {
    const { nFeatures } = this;
    const contributions = this.#contributions.subarray(0, rows * nFeatures).fill(0);
    const nTrees = this.#treeSplits.length - 1;
    for (const { nodes, weights } of this.#quadrature) {
      this.#nodes.set(nodes);
      this.#weights.set(weights);
      for (let tree = 0; tree < nTrees; tree++) {
        const first = this.#treeSplits[tree];
        const splits = this.#splits + first * SPLIT_BYTES;
        const nSplits = this.#treeSplits[tree + 1] - first;
        let [from, to] = [this.#inputs.byteOffset, contributions.byteOffset];
        for (let row = 0; row < rows; row++, from += 4 * nFeatures, to += 8 * nFeatures) {
          this.#passes.explainTree(splits, nSplits, from, to);
        }
      }
    }
    for (let i = 0; i < contributions.length; i++) contributions[i] /= nTrees;
  }
}

/** Nodes and weights six by six; what fills up the last has no weight. */
function inCalls({ nodes, weights }: Quadrature): Quadrature[] {
  return Array.from({ length: Math.ceil(nodes.length / NODES) }, (_, call) => {
    const [from, to] = [NODES * call, NODES * (call + 1)];
    const [some, theirs] = [new Float64Array(NODES).fill(0.5), new Float64Array(NODES)];
    some.set(nodes.subarray(from, to));
    theirs.set(weights.subarray(from, to));
    return { nodes: some, weights: theirs };
  });
}

/**
 * Writes the splits of trees as the passes read them: level by level, and within a level by kind, so that the passes' branches
 * do the same thing many times in a row.
 */
class SplitWriter {
  readonly #forest: Forest;
  readonly #values: Float32Array;
  readonly #view: DataView;
  readonly #mark: number;
  #split = 0; // of all trees, the next tree's first
  #leaf = 0;

  constructor(forest: Forest, values: Float32Array, view: DataView) {
    this.#forest = forest;
    this.#values = values;
    this.#view = view;
    this.#mark = leafMark(forest.feature);
  }

  /** Trees come in their order. @returns the mean of the tree's leaves over its rows; most features that a path asks for */
  write(tree: number): { readonly mean: number; readonly mostFeatures: number } {
    const { treeOffsets, feature, count } = this.#forest;
    const nodes = feature.subarray(treeOffsets[tree], treeOffsets[tree + 1]);
    const [firstSplit, firstLeaf] = [this.#split, this.#leaf];
    const numbers = new Uint32Array(nodes.length); // of splits and of leaves, within the tree
    const nodeOf = new Uint32Array((nodes.length - 1) / 2); // of a split
    const rows = new Float64Array(nodes.length);
    let [splits, leaves, weighted] = [0, 0, 0];
    for (let node = 0; node < nodes.length; node++) {
      if (nodes[node] !== this.#mark) {
        nodeOf[splits] = node;
        numbers[node] = splits++;
      } else {
        rows[node] = count[firstLeaf + leaves];
        weighted += this.#values[firstLeaf + leaves] * rows[node];
        numbers[node] = leaves++;
      }
    }
    for (let k = splits - 1; k >= 0; k--) rows[nodeOf[k]] = rows[2 * k + 1] + rows[2 * k + 2];
    this.#split += splits;
    this.#leaf += leaves;
    const paths = followPaths(nodes, nodeOf, rows);
    const places = this.#order(nodes, nodeOf, paths);
    for (let k = 0; k < splits; k++) {
      const node = nodeOf[k];
      const at = (firstSplit + places[k]) * SPLIT_BYTES;
      let flags = paths.above[k] === NONE ? 0 : HAS_ABOVE | (LIES_RIGHT_OF_ABOVE * paths.aboveSide[k]);
      for (const side of [0, 1]) {
        const child = 2 * k + 1 + side;
        if (nodes[child] === this.#mark) {
          flags |= side === 0 ? LEFT_IS_LEAF : RIGHT_IS_LEAF;
          this.#view.setFloat32(at + 4 * side, this.#values[firstLeaf + numbers[child]], true);
        } else this.#view.setUint32(at + 4 * side, places[numbers[child]], true);
      }
      const { cut, missingRight, cutOffsets } = this.#forest;
      this.#view.setFloat64(at + SHARES, rows[2 * k + 1] / rows[node], true);
      this.#view.setFloat64(at + SHARES + 8, rows[2 * k + 2] / rows[node], true);
      this.#view.setFloat64(at + ABOVE_SHARE, paths.aboveShare[k], true);
      this.#view.setInt32(at + ABOVE, paths.above[k] === NONE ? NONE : places[paths.above[k]], true);
      this.#view.setUint16(at + INPUT, nodes[node] + missingRight[firstSplit + k] * (cutOffsets.length - 1), true);
      this.#view.setUint8(at + CUT, cut[firstSplit + k]);
      this.#view.setUint8(at + FLAGS, flags);
    }
    return { mean: weighted / rows[0], mostFeatures: paths.mostFeatures };
  }

  /** @returns where each split stands among those of its tree */
  #order(nodes: Uint8Array | Uint16Array, nodeOf: Uint32Array, { depth, above }: Paths): Uint32Array {
    const kinds = Float64Array.from(nodeOf, (_, k) => {
      const leaves = +(nodes[2 * k + 1] === this.#mark) + 2 * +(nodes[2 * k + 2] === this.#mark);
      return ((depth[k] * 4 + leaves) * 2 + +(above[k] === NONE)) * 2 ** 32 + k;
    }).sort();
    const places = new Uint32Array(nodeOf.length);
    for (let place = 0; place < kinds.length; place++) places[kinds[place] % 2 ** 32] = place;
    return places;
  }
}

/** What lies above each split of a tree. */
interface Paths {
  readonly depth: Uint32Array;
  /** The nearest split above on the same feature, or `NONE`. */
  readonly above: Int32Array;
  /** 1 when this split lies on its right. */
  readonly aboveSide: Uint8Array;
  /** Share of rows that follow all splits on the feature above; 1 when there are none. */
  readonly aboveShare: Float64Array;
  /** Most features that a path asks for. */
  readonly mostFeatures: number;
}

/** @param nodeOf Node of each split. @param rows Of each node. */
function followPaths(nodes: Uint8Array | Uint16Array, nodeOf: Uint32Array, rows: Float64Array): Paths {
  const n = nodeOf.length;
  const above = new Int32Array(n).fill(NONE);
  const aboveSide = new Uint8Array(n);
  const aboveShare = new Float64Array(n).fill(1);
  const depth = new Uint32Array(n);
  const features = new Uint16Array(n); // on the path down to, and with, each split
  let mostFeatures = 0;
  const parentOf = (node: number): number => (node - 1) >> 1; // the split whose child a node is
  for (let k = 0; k < n; k++) {
    const feature = nodes[nodeOf[k]];
    let node = nodeOf[k];
    while (node > 0 && nodes[nodeOf[parentOf(node)]] !== feature) node = nodeOf[parentOf(node)];
    const parent = parentOf(nodeOf[k]);
    if (k > 0) depth[k] = depth[parent] + 1;
    features[k] = (k > 0 ? features[parent] : 0) + +(node === 0);
    mostFeatures = Math.max(mostFeatures, features[k]);
    if (node === 0) continue;
    above[k] = parentOf(node);
    aboveSide[k] = 1 - (node & 1);
    aboveShare[k] = (aboveShare[above[k]] * rows[node]) / rows[nodeOf[above[k]]];
  }
  return { depth, above, aboveSide, aboveShare, mostFeatures };
}
