import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChurnError, type Forest, ForestKernel, leafMark, leafValues } from "../src/index.ts";
import { randomForest, type Shape, seededRandom } from "./random-forest.ts";

const LANES = 8;

/**
 * The forest read as `forest.ts` describes it, one node at a time: the k-th split of a tree has its children
 * at 2k+1 and 2k+2.
 */
function walk(forest: Forest, tree: number, x: Float32Array): number {
  const { treeOffsets, feature, cut, missingRight, cutPoints, cutOffsets } = forest;
  const value = leafValues(forest);
  const isLeaf = (node: number): boolean => feature[node] === leafMark(feature);
  const splitsBefore = (node: number): number => feature.subarray(0, node).filter((_, i) => !isLeaf(i)).length;
  const root = treeOffsets[tree];
  const descend = (node: number): number => {
    const split = splitsBefore(node);
    if (isLeaf(node)) return value[node - split];
    const given = x[feature[node]];
    const threshold = cutPoints[cutOffsets[feature[node]] + cut[split]];
    const goesRight = Number.isNaN(given) ? missingRight[split] === 1 : given > threshold;
    return descend(root + 2 * (split - splitsBefore(root)) + 1 + Number(goesRight));
  };
  return descend(root);
}

/** The trees' mean, summed in the kernel's order: eight trees in two halves at a time. */
function meanOfTrees(forest: Forest, x: Float32Array): number {
  const nTrees = forest.treeOffsets.length - 1;
  const leaf = (tree: number): number => (tree < nTrees ? walk(forest, tree, x) : 0);
  let sum = 0;
  for (let tree = 0; tree < nTrees; tree += LANES / 2) {
    sum += leaf(tree) + leaf(tree + 1) + leaf(tree + 2) + leaf(tree + 3);
  }
  return sum / nTrees;
}

/** A row whose values lie around the cut points, on them, and, now and then, nowhere. */
function randomRow({ cutPoints, cutOffsets }: Forest, random: () => number): Float32Array {
  return Float32Array.from({ length: cutOffsets.length - 1 }, (_, f) => {
    const kind = random();
    if (kind < 0.2) return Number.NaN;
    if (kind < 0.4) return cutPoints[cutOffsets[f] + Math.floor(random() * (cutOffsets[f + 1] - cutOffsets[f]))];
    return random() * 12 - 6;
  });
}

/** One feature, one cut at 0: left 0.25, right 0.75. */
const stump = (missingRight: 0 | 1): Forest => ({
  treeOffsets: Uint32Array.of(0, 3),
  feature: Uint8Array.of(0, 0xff, 0xff),
  cut: Uint8Array.of(0),
  missingRight: Uint8Array.of(missingRight),
  count: Uint16Array.of(4, 4),
  churners: Uint16Array.of(1, 3),
  cutPoints: Float32Array.of(0),
  cutOffsets: Uint32Array.of(0, 1),
});

/** A tree that is one long branch to the right: x > 0 walks it to its end. */
function chain(depth: number): Forest {
  const feature = Uint8Array.from({ length: 2 * depth + 1 }, (_, node) => (node % 2 === 0 ? 0 : 0xff));
  feature[2 * depth] = 0xff;
  return {
    ...stump(0),
    treeOffsets: Uint32Array.of(0, feature.length),
    feature,
    cut: new Uint8Array(depth),
    missingRight: new Uint8Array(depth),
    count: new Uint16Array(depth + 1).fill(1),
    churners: new Uint16Array(depth + 1).with(depth, 1),
  };
}

const SHAPES: readonly (readonly [string, Shape])[] = [
  ["one tree", { nTrees: 1, nFeatures: 3, maxDepth: 6 }],
  ["seven trees", { nTrees: 7, nFeatures: 3, maxDepth: 6 }],
  ["eight trees", { nTrees: 8, nFeatures: 3, maxDepth: 6 }],
  ["nine trees", { nTrees: 9, nFeatures: 3, maxDepth: 6 }],
  ["one feature", { nTrees: 12, nFeatures: 1, maxDepth: 5 }],
  ["a power of two of features", { nTrees: 12, nFeatures: 16, maxDepth: 7 }],
  ["254 features, the most that fit a byte", { nTrees: 12, nFeatures: 254, maxDepth: 7 }],
  ["255 features", { nTrees: 12, nFeatures: 255, maxDepth: 7 }],
  ["700 features", { nTrees: 12, nFeatures: 700, maxDepth: 7 }],
  ["255 cut points per feature", { nTrees: 5, nFeatures: 2, maxDepth: 6, nCuts: 255 }],
  ["trees of one leaf", { nTrees: 5, nFeatures: 2, maxDepth: 0 }],
  ["trees of very different depths", { nTrees: 20, nFeatures: 4, maxDepth: 12, splits: 0.5 }],
];

describe("the kernel gives the mean of the trees, walked node by node, bit for bit, with", () => {
  for (const [index, [name, shape]] of SHAPES.entries()) {
    test(name, () => {
      const random = seededRandom(index);
      for (let round = 0; round < 10; round++) {
        const forest = randomForest(random, shape);
        const kernel = new ForestKernel(forest);
        for (let i = 0; i < 10; i++) {
          const row = randomRow(forest, random);
          assert.equal(kernel.predictProba(row), meanOfTrees(forest, row));
        }
      }
    });
  }

  for (const depth of [32, 255, 256, 300, 1000]) {
    test(`a tree of depth ${depth}`, () => {
      const kernel = new ForestKernel(chain(depth));

      assert.equal(kernel.predictProba(Float32Array.of(1)), 1);
      assert.equal(kernel.predictProba(Float32Array.of(-1)), 0);
    });
  }
});

describe("a table gets the doubles that its rows get one by one, with", () => {
  /** Numbers of rows around the borders of blocks, for the shapes of many features. */
  const ROWS = [0, 1, 2, 93, 94, 256, 257, 700];
  for (const [index, [name, shape]] of SHAPES.entries()) {
    test(name, () => {
      const random = seededRandom(100 + index);
      const forest = randomForest(random, shape);
      const kernel = new ForestKernel(forest);
      const rows = Array.from({ length: Math.max(...ROWS) }, () => randomRow(forest, random));
      const expected = rows.map((row) => kernel.predictProba(row));
      for (const n of ROWS) {
        const columns = Array.from({ length: shape.nFeatures }, (_, f) =>
          Float32Array.from({ length: n }, (_, i) => rows[i][f]),
        );

        assert.deepEqual([...kernel.predictColumns(columns, n)], expected.slice(0, n));
      }
    });
  }

  test("so many rows that they are several blocks", () => {
    const n = 150_000;
    const kernel = new ForestKernel(stump(1));
    const column = Float32Array.from({ length: n }, (_, i) => (i % 3) - 1 || Number.NaN);

    const expected = Float64Array.from(column, (x) => (x <= 0 ? 0.25 : 0.75));
    assert.deepEqual(kernel.predictColumns([column], n), expected);
  });
});

const DIRECTIONS = [
  [0, Number.NaN, 0.25],
  [1, Number.NaN, 0.75],
  [0, 0, 0.25],
  [1, 0, 0.25],
  [0, Math.fround(1e-45), 0.75],
  [1, -1e-45, 0.25],
  [0, 3.4e38, 0.75],
  [1, -3.4e38, 0.25],
] as const;

for (const [missingRight, x, expected] of DIRECTIONS) {
  test(`${x} gives ${expected} at a cut of 0 that sends missing values ${missingRight ? "right" : "left"}`, () => {
    assert.equal(new ForestKernel(stump(missingRight)).predictProba(Float32Array.of(x)), expected);
  });
}

test("a prediction leaves nothing behind that the next one could see", () => {
  const random = seededRandom(7);
  const forest = randomForest(random, { nTrees: 9, nFeatures: 5, maxDepth: 6 });
  const [first, second] = [randomRow(forest, random), randomRow(forest, random)];
  const used = new ForestKernel(forest);

  used.predictProba(first);

  assert.equal(used.predictProba(second), new ForestKernel(forest).predictProba(second));
});

test("refuses trees that are too large for its features, and says how large they may be", () => {
  const nFeatures = 20_000; // 16 bits name a feature and its direction, 8 a cut, 8 are left
  const tree = (depth: number): Forest => {
    const nSplits = 2 ** depth - 1;
    return {
      ...stump(0),
      treeOffsets: Uint32Array.of(0, 2 * nSplits + 1),
      feature: new Uint16Array(2 * nSplits + 1).fill(0xffff, nSplits), // whole levels: splits first, leaves last
      cut: new Uint8Array(nSplits),
      missingRight: new Uint8Array(nSplits),
      count: new Uint16Array(nSplits + 1).fill(2),
      churners: new Uint16Array(nSplits + 1).fill(1),
      cutOffsets: new Uint32Array(nFeatures + 1).fill(1, 1),
    };
  };

  assert.equal(new ForestKernel(tree(8)).predictProba(new Float32Array(nFeatures)), 0.5);
  assert.throws(
    () => new ForestKernel(tree(9)),
    (error) => {
      assert(error instanceof ChurnError);
      assert.equal(error.code, "CHURN_ERR_FOREST_LIMIT");
      assert.match(
        error.message,
        /expected trees of at most 510 nodes with 20000 features, got a larger one: use smaller/,
      );
      return true;
    },
  );
});
