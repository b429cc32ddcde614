/** Forests of random shape, for tests: any tree, any cut, any direction of missing values. */
import { type Forest, featureArray, leafMark } from "../src/index.ts";

/** A generator of numbers in [0, 1); mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Shape {
  readonly nTrees: number;
  readonly nFeatures: number;
  readonly maxDepth: number;
  /** Cut points of each feature. */
  readonly nCuts?: number;
  /** P(split) of a node above the greatest depth. */
  readonly splits?: number;
}

export function randomForest(
  random: () => number,
  { nTrees, nFeatures, maxDepth, nCuts = 5, splits = 0.75 }: Shape,
): Forest {
  const integer = (n: number): number => Math.floor(random() * n);
  const features: number[] = []; // -1 for a leaf
  const treeOffsets = [0];
  for (let tree = 0; tree < nTrees; tree++) {
    const depths = [0];
    for (const depth of depths) {
      const isSplit = depth < maxDepth && random() < splits;
      features.push(isSplit ? integer(nFeatures) : -1);
      if (isSplit) depths.push(depth + 1, depth + 1);
    }
    treeOffsets.push(features.length);
  }
  const feature = featureArray(features.length, nFeatures);
  feature.set(features.map((f) => (f === -1 ? leafMark(feature) : f)));
  const nSplits = features.filter((f) => f !== -1).length;
  const cuts = Array.from({ length: nFeatures }, () =>
    Array.from({ length: nCuts }, () => Math.fround(random() * 10 - 5)).sort((a, b) => a - b),
  );
  const count = Uint16Array.from({ length: features.length - nSplits }, () => 1 + integer(1000));
  return {
    treeOffsets: Uint32Array.from(treeOffsets),
    feature,
    cut: Uint8Array.from({ length: nSplits }, () => integer(nCuts)),
    missingRight: Uint8Array.from({ length: nSplits }, () => integer(2)),
    count,
    churners: count.map((rows) => integer(rows + 1)),
    cutPoints: Float32Array.from(cuts.flat()),
    cutOffsets: Uint32Array.from({ length: nFeatures + 1 }, (_, f) => f * nCuts),
  };
}
