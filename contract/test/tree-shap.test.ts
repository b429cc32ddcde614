import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Forest, ForestKernel, featureArray, leafMark, leafValues, TreeExplainer } from "../src/index.ts";
import { randomForest, type Shape, seededRandom } from "./random-forest.ts";

/** A tree with the rows of its nodes, read as `forest.ts` describes it. */
interface Node {
  readonly rows: number;
  readonly value: number; // of a leaf
  readonly split?: { readonly feature: number; readonly threshold: number; readonly missingRight: boolean };
  readonly children?: readonly [Node, Node];
}

function readTrees(forest: Forest): Node[] {
  const { treeOffsets, feature, cut, missingRight, count, cutPoints, cutOffsets } = forest;
  const values = leafValues(forest);
  const mark = leafMark(feature);
  let [split, leaf] = [0, 0];
  return Array.from({ length: treeOffsets.length - 1 }, (_, tree) => {
    const root = treeOffsets[tree];
    const firstSplit = split;
    const own = Array.from(feature.subarray(root, treeOffsets[tree + 1]), (f) =>
      f === mark ? { leaf: leaf++ } : { split: split++, f },
    );
    const build = (node: number): Node => {
      const it = own[node];
      if (it.leaf !== undefined) return { rows: count[it.leaf], value: values[it.leaf] };
      const child = 2 * (it.split - firstSplit) + 1;
      const children = [build(child), build(child + 1)] as const;
      const threshold = cutPoints[cutOffsets[it.f] + cut[it.split]];
      return {
        rows: children[0].rows + children[1].rows,
        value: Number.NaN,
        split: { feature: it.f, threshold, missingRight: missingRight[it.split] === 1 },
        children,
      };
    };
    return build(0);
  });
}

/** The expected score when only some features are known: the others go both ways, as the rows went. */
function expectation(node: Node, x: Float32Array, isKnown: (feature: number) => boolean): number {
  if (node.split === undefined || node.children === undefined) return node.value;
  const { feature, threshold, missingRight } = node.split;
  const [left, right] = node.children.map((child) => expectation(child, x, isKnown));
  if (!isKnown(feature)) return (node.children[0].rows * left + node.children[1].rows * right) / node.rows;
  return (Number.isNaN(x[feature]) ? missingRight : x[feature] > threshold) ? right : left;
}

/** The definition: over all sets of the other features, weighted by how many orders have just these first. */
function shapleyValues(forest: Forest, x: Float32Array): number[] {
  const trees = readTrees(forest);
  const n = x.length;
  const score = (known: number): number =>
    trees.reduce((sum, tree) => sum + expectation(tree, x, (f) => ((known >> f) & 1) === 1), 0) / trees.length;
  const scores = Array.from({ length: 2 ** n }, (_, known) => score(known));
  const factorial = (k: number): number => (k <= 1 ? 1 : k * factorial(k - 1));
  const size = (set: number): number => [...set.toString(2)].filter((bit) => bit === "1").length;
  return Array.from({ length: n }, (_, j) => {
    let sum = 0;
    for (let known = 0; known < 2 ** n; known++) {
      if (((known >> j) & 1) === 1) continue;
      const weight = (factorial(size(known)) * factorial(n - size(known) - 1)) / factorial(n);
      sum += weight * (scores[known | (1 << j)] - scores[known]);
    }
    return sum;
  });
}

function randomRow({ cutPoints, cutOffsets }: Forest, random: () => number): Float32Array {
  return Float32Array.from({ length: cutOffsets.length - 1 }, (_, f) => {
    const kind = random();
    if (kind < 0.2) return Number.NaN;
    if (kind < 0.4) return cutPoints[cutOffsets[f] + Math.floor(random() * (cutOffsets[f + 1] - cutOffsets[f]))];
    return random() * 12 - 6;
  });
}

const SHAPES: fc.Arbitrary<Shape> = fc.record({
  nTrees: fc.integer({ min: 1, max: 4 }),
  nFeatures: fc.integer({ min: 1, max: 7 }),
  maxDepth: fc.integer({ min: 0, max: 7 }), // deeper than there are features: they come again on a path
  splits: fc.double({ min: 0.4, max: 1, noNaN: true }),
});

test("contributions are the Shapley values by their definition, over all sets of features", () => {
  fc.assert(
    fc.property(SHAPES, fc.integer(), (shape, seed) => {
      const random = seededRandom(seed);
      const forest = randomForest(random, shape);
      const x = randomRow(forest, random);

      const explainer = new TreeExplainer(forest);
      const contributions = explainer.explain(x);

      for (const [f, expected] of shapleyValues(forest, x).entries()) {
        assert(
          Math.abs(contributions[f] - expected) < 1e-12,
          `feature ${f}: expected ${expected}, got ${contributions[f]}`,
        );
      }
    }),
    { numRuns: 150 },
  );
});

test("contributions and the base value sum to the score, to 1e-12, on paths of 1 to 26 features", () => {
  for (const [nFeatures, maxDepth] of [
    [1, 6],
    [40, 1],
    [5, 12],
    [30, 12],
    [40, 26],
    [300, 14],
  ]) {
    const random = seededRandom(nFeatures);
    const forest = randomForest(random, { nTrees: 5, nFeatures, maxDepth, splits: maxDepth > 20 ? 0.58 : 0.9 });
    const [explainer, kernel] = [new TreeExplainer(forest), new ForestKernel(forest)];
    for (let i = 0; i < 20; i++) {
      const x = randomRow(forest, random);
      const sum = explainer.explain(x).reduce((total, contribution) => total + contribution, explainer.baseValue);
      assert(Math.abs(sum - kernel.predictProba(x)) < 1e-12, `${sum}, ${kernel.predictProba(x)}`);
    }
  }
});

describe("a feature that", () => {
  const random = seededRandom(3);
  const forest = randomForest(random, { nTrees: 20, nFeatures: 5, maxDepth: 6 });
  const explained = (of: Forest, x: Float32Array): Float64Array => new TreeExplainer(of).explain(x);

  test("no split asks for contributes exactly 0", () => {
    const mark = leafMark(forest.feature);
    const without = { ...forest, feature: forest.feature.map((f) => (f === 2 ? 3 : f)) as Uint8Array };
    assert(without.feature.some((f) => f !== mark));

    for (let i = 0; i < 20; i++) assert(Object.is(explained(without, randomRow(forest, random))[2], 0));
  });

  test("changes places with another takes its contribution along", () => {
    const swap = (f: number): number => (f === 0 ? 1 : f === 1 ? 0 : f);
    const { cutPoints, cutOffsets } = forest;
    const own = (f: number): Float32Array => cutPoints.subarray(cutOffsets[f], cutOffsets[f + 1]);
    const swapped: Forest = {
      ...forest,
      feature: forest.feature.map(swap) as Uint8Array,
      cutPoints: Float32Array.from([0, 1, 2, 3, 4].flatMap((f) => [...own(swap(f))])),
    };
    const x = randomRow(forest, random);

    const before = explained(forest, x);
    const after = explained(
      swapped,
      Float32Array.from(x, (_, f) => x[swap(f)]),
    );

    for (const f of [0, 1, 2, 3, 4]) assert(Math.abs(after[swap(f)] - before[f]) < 1e-15);
  });
});

test("many customers get the same doubles as one at a time, in blocks of any size", () => {
  const random = seededRandom(9);
  const forest = randomForest(random, { nTrees: 9, nFeatures: 30, maxDepth: 14, splits: 0.9 });
  const explainer = new TreeExplainer(forest);
  const rows = Array.from({ length: 131 }, () => randomRow(forest, random));
  const columns = Array.from({ length: 30 }, (_, f) => Float32Array.from(rows, (x) => x[f]));

  const contributions = explainer.explainColumns(columns, rows.length);

  for (const [i, x] of rows.entries()) {
    assert.deepEqual(
      contributions.map((column) => column[i]),
      [...explainer.explain(x)],
    );
  }
  assert.deepEqual(
    explainer.explainColumns([], 0).map((column) => column.length),
    [],
  );
});

test("a forest of single leaves has a base value and no contributions", () => {
  const explainer = new TreeExplainer({
    treeOffsets: Uint32Array.of(0, 1, 2),
    feature: Uint8Array.of(255, 255),
    cut: new Uint8Array(),
    missingRight: new Uint8Array(),
    count: Uint16Array.of(4, 2),
    churners: Uint16Array.of(1, 1),
    cutPoints: Float32Array.of(0),
    cutOffsets: Uint32Array.of(0, 1),
  });

  assert.deepEqual([explainer.baseValue, ...explainer.explain(Float32Array.of(3))], [0.375, 0]);
});

/** One tree that is a chain: each split has a leaf on its left. */
function chain(nSplits: number, nFeatures: number): Forest {
  const feature = featureArray(2 * nSplits + 1, nFeatures).fill(leafMark(featureArray(0, nFeatures)));
  for (let k = 0; k < nSplits; k++) feature[2 * k] = nFeatures - 1 - (k % Math.min(3, nFeatures));
  return {
    treeOffsets: Uint32Array.of(0, 2 * nSplits + 1),
    feature,
    cut: Uint8Array.from({ length: nSplits }, (_, k) => k % 2),
    missingRight: new Uint8Array(nSplits).fill(1),
    count: new Uint16Array(nSplits + 1).fill(2),
    churners: Uint16Array.from({ length: nSplits + 1 }, (_, leaf) => leaf % 3),
    cutPoints: Float32Array.from({ length: 2 * nFeatures }, (_, i) => i % 2),
    cutOffsets: Uint32Array.from({ length: nFeatures + 1 }, (_, f) => 2 * f),
  };
}

test("contributions sum to the score in trees as deep, and of as many features, as a file can hold", () => {
  for (const forest of [chain(300, 3), chain(20, 32_768)]) {
    const [explainer, kernel] = [new TreeExplainer(forest), new ForestKernel(forest)];
    for (const value of [9, -1, Number.NaN]) {
      const x = new Float32Array(explainer.nFeatures).fill(value);
      const sum = explainer.explain(x).reduce((total, contribution) => total + contribution, explainer.baseValue);
      assert(Math.abs(sum - kernel.predictProba(x)) < 1e-12, `${sum}, ${kernel.predictProba(x)}`);
    }
  }
  assert.throws(() => new TreeExplainer(chain(20, 32_769)), { code: "CHURN_ERR_FOREST_LIMIT" });
});
