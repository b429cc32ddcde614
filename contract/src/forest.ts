/**
 * A random forest as flat arrays, and its file form.
 *
 * Trees stand one after the other, each breadth-first with siblings adjacent. That order makes child
 * pointers needless: the k-th split of a tree has its children at positions 2k+1 and 2k+2 of that tree.
 * So a child always comes after its parent, and a cycle cannot be written down.
 *
 * A split sends x to the right when x > threshold, where the threshold is one of its feature's float32
 * cut points. A missing value (NaN) goes the way the split learned. A leaf holds two whole numbers, its rows and
 * the churners among them: together as small as a probability, and they also say how many rows went each way.
 */
import { packBits, unpackBits } from "./bits.ts";
import { MAX_CUT_POINTS } from "./cut-points.ts";
import { ChurnError } from "./errors.ts";
import { decodeSafetensors, encodeSafetensors, type Tensor } from "./safetensors.ts";

export interface Forest {
  /** Positions of each tree's root, and the number of nodes last: nTrees + 1. */
  readonly treeOffsets: Uint32Array;
  /** Per node: the feature a split reads, or `leafMark(feature)` for a leaf. */
  readonly feature: Uint8Array | Uint16Array;
  /** Per split, in node order: which of its feature's cut points is the threshold. */
  readonly cut: Uint8Array;
  /** Per split: 1 when missing values go right. */
  readonly missingRight: Uint8Array;
  /** Per leaf, in node order: the rows of the tree's sample in it, each as often as drawn; at least 1. */
  readonly count: Uint16Array | Uint32Array;
  /** Per leaf: the churners among them. */
  readonly churners: Uint16Array | Uint32Array;
  /** Ascending cut points, feature after feature. */
  readonly cutPoints: Float32Array;
  /** Where each feature's cut points begin, and their number last: nFeatures + 1. */
  readonly cutOffsets: Uint32Array;
}

/** Features a forest can have: node entries are at most 16 bits wide, one value marks leaves. */
export const MAX_FEATURES = 65_535;

/** What `feature` holds for a leaf: the largest value of its type. */
export function leafMark(feature: Uint8Array | Uint16Array): number {
  return feature.BYTES_PER_ELEMENT === 1 ? 0xff : 0xffff;
}

/** An empty `feature` array of the narrowest type that can name `nFeatures` features and a leaf. */
export function featureArray(nNodes: number, nFeatures: number): Uint8Array | Uint16Array {
  return nFeatures < 0xff ? new Uint8Array(nNodes) : new Uint16Array(nNodes);
}

/** An empty array of the narrowest type that can count to `most`. */
export function countArray(length: number, most: number): Uint16Array | Uint32Array {
  return most <= 0xffff ? new Uint16Array(length) : new Uint32Array(length);
}

/** P(churn) of each leaf, in node order: the share of churners, as a float32. */
export function leafValues({ count, churners }: Forest): Float32Array {
  const values = new Float32Array(count.length);
  for (let leaf = 0; leaf < values.length; leaf++) values[leaf] = churners[leaf] / count[leaf];
  return values;
}

/** In the file a node is one bit, a split or a leaf; the feature stands with the splits, as their other numbers do. */
export function encodeForest(forest: Forest): Uint8Array {
  const leaf = leafMark(forest.feature);
  return encodeSafetensors({
    tree_offsets: forest.treeOffsets,
    cut_offsets: forest.cutOffsets,
    cut_points: forest.cutPoints,
    leaf_count: forest.count,
    leaf_churners: forest.churners,
    feature: forest.feature.filter((feature) => feature !== leaf),
    cut: forest.cut,
    is_split: packBits(Uint8Array.from(forest.feature, (feature) => +(feature !== leaf))),
    missing_right: packBits(forest.missingRight),
  });
}

/**
 * Reads a forest and checks that every index in it stays inside it.
 *
 * @throws CHURN_ERR_MODEL_INVALID
 */
export function decodeForest(file: Uint8Array, source: string): Forest {
  const tensors = decodeSafetensors(file, source);
  const tensor = <T extends Tensor>(name: string, ...types: (new () => T)[]): T => {
    const found = tensors.get(name);
    if (types.some((type) => found instanceof type)) return found as T;
    throw new ChurnError("CHURN_ERR_MODEL_INVALID", `${source}: tensor "${name}" is missing or of another type`);
  };
  const splitFeature = tensor<Uint8Array | Uint16Array>("feature", Uint8Array, Uint16Array);
  const count = tensor<Uint16Array | Uint32Array>("leaf_count", Uint16Array, Uint32Array);
  const [nSplits, nNodes] = [splitFeature.length, splitFeature.length + count.length];
  const bits = (name: string, length: number): Uint8Array => {
    const packed = tensor(name, Uint8Array);
    if (packed.length === Math.ceil(length / 8)) return packed;
    throw new ChurnError("CHURN_ERR_MODEL_INVALID", `${source}: node counts do not fit`);
  };
  const forest: Forest = {
    treeOffsets: tensor("tree_offsets", Uint32Array),
    cutOffsets: tensor("cut_offsets", Uint32Array),
    cutPoints: tensor("cut_points", Float32Array),
    count,
    churners: tensor<Uint16Array | Uint32Array>("leaf_churners", Uint16Array, Uint32Array),
    feature: spreadFeatures(splitFeature, bits("is_split", nNodes), nNodes),
    cut: tensor("cut", Uint8Array),
    missingRight: unpackBits(bits("missing_right", nSplits), nSplits),
  };
  verifyForest(forest, source);
  return forest;
}

/** The features of the splits at the places of the splits among all nodes; leaves between them. */
function spreadFeatures<T extends Uint8Array | Uint16Array>(splitFeature: T, isSplit: Uint8Array, nNodes: number): T {
  const feature = new (splitFeature.constructor as new (length: number) => T)(nNodes);
  const leaf = leafMark(feature);
  let split = 0;
  for (let node = 0; node < nNodes; node++) {
    feature[node] = ((isSplit[node >> 3] >> (node & 7)) & 1) === 1 ? splitFeature[split++] : leaf;
  }
  return feature;
}

function verifyForest(forest: Forest, source: string): void {
  const { treeOffsets, feature, cut, missingRight, count, churners, cutPoints, cutOffsets } = forest;
  const fail = (message: string): never => {
    throw new ChurnError("CHURN_ERR_MODEL_INVALID", `${source}: ${message}`);
  };
  const expect = (holds: boolean, message: string): void => {
    if (!holds) fail(message);
  };
  const nTrees = treeOffsets.length - 1;
  const nFeatures = cutOffsets.length - 1;
  expect(nTrees >= 1 && treeOffsets[0] === 0 && treeOffsets[nTrees] === feature.length, "tree offsets do not fit");
  expect(nFeatures >= 1 && cutOffsets[0] === 0 && cutOffsets[nFeatures] === cutPoints.length, "cut offsets do not fit");
  const nSplits = missingRight.length;
  expect(cut.length === nSplits && churners.length === count.length, "node counts do not fit");
  expect(cutPoints.every(Number.isFinite), "a cut point is not a finite number");
  for (let f = 0; f < nFeatures; f++) {
    expect(cutOffsets[f + 1] >= cutOffsets[f], "cut offsets do not rise");
    const own = cutPoints.subarray(cutOffsets[f], cutOffsets[f + 1]);
    expect(own.length <= MAX_CUT_POINTS, `feature ${f} has more than ${MAX_CUT_POINTS} cut points`);
    expect(
      own.every((cutPoint, i) => i === 0 || cutPoint >= own[i - 1]),
      `the cut points of feature ${f} do not rise`,
    );
  }

  const leaf = leafMark(feature);
  let split = 0;
  // Messages are made only when needed: this runs for every node of the forest.
  for (let tree = 0; tree < nTrees; tree++) {
    const root = treeOffsets[tree];
    const nNodes = treeOffsets[tree + 1] - root;
    if (nNodes < 1) fail(`tree ${tree} has no nodes`);
    let announced = 1; // nodes that the root and the splits so far call for
    for (let node = 0; node < nNodes; node++) {
      if (node >= announced) fail(`tree ${tree}: node ${node} is nobody's child`);
      const f = feature[root + node];
      if (f === leaf) continue;
      if (f >= nFeatures) fail(`tree ${tree}: node ${node} reads feature ${f} of ${nFeatures}`);
      if (!(cut[split] < cutOffsets[f + 1] - cutOffsets[f])) fail(`tree ${tree}: node ${node} has no such cut point`);
      announced += 2;
      split++;
    }
    if (announced !== nNodes) fail(`tree ${tree}: expected ${announced} nodes, got ${nNodes}`);
  }
  expect(split === nSplits, "split counts do not fit");
  for (let leaf = 0; leaf < count.length; leaf++) {
    if (count[leaf] === 0) fail(`leaf ${leaf} holds no rows`);
    if (churners[leaf] > count[leaf]) fail(`leaf ${leaf} holds ${churners[leaf]} churners of ${count[leaf]} rows`);
  }
}
