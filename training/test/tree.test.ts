import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BinnedFeatures, binFeatures } from "../src/forest/binning.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { TreeGrower } from "../src/forest/tree.ts";
import { LEAF, type Tree, type TreeParameters } from "../src/forest/tree-kernel.ts";
import { Random } from "../src/random.ts";
import { KERNELS, makeKernel } from "./kernels.ts";

/** Numbers of few values, numbers of many, and flags, each with missing values in some of the data sets. */
function randomData(random: Random, rows: number) {
  const missing = random.integer(3) / 5;
  const draw = (value: () => number) =>
    Float32Array.from({ length: rows }, () => (random.uniform() < missing ? Number.NaN : value()));
  const columns = [draw(() => random.integer(6)), draw(() => random.uniform()), draw(() => random.integer(2))];
  const labels = Uint8Array.from({ length: rows }, (_, row) => {
    const [a, b, c] = columns.map((column) => column[row]);
    return random.uniform() < 0.2 + 0.1 * (a > 3 ? 3 : 0) + (b < 0.3 || Number.isNaN(c) ? 0.3 : 0) ? 1 : 0;
  });
  return { columns, labels };
}

type Data = ReturnType<typeof randomData>;

/** A side of a split, as what it weighs. */
interface Side {
  readonly count: number;
  readonly churners: number;
}

const gini = ({ count, churners }: Side): number => 2 * (churners / count) * (1 - churners / count);

/** By the definition: weighted impurity of the node less that of its children. */
function gain(all: Side, left: Side): number {
  const right = { count: all.count - left.count, churners: all.churners - left.churners };
  return all.count * gini(all) - left.count * gini(left) - right.count * gini(right);
}

/** Walks a tree with the rows of its sample, in the open: real values and thresholds, no bins. */
class Checker {
  splits = 0;
  leaves = 0;
  readonly data: Data;
  readonly binned: BinnedFeatures;
  readonly parameters: TreeParameters;
  readonly counts: Uint8Array;
  readonly tree: Tree;

  constructor(data: Data, binned: BinnedFeatures, parameters: TreeParameters, counts: Uint8Array, tree: Tree) {
    this.data = data;
    this.binned = binned;
    this.parameters = parameters;
    this.counts = counts;
    this.tree = tree;
  }

  weigh(rows: readonly number[]): Side {
    const sum = (value: (row: number) => number): number => rows.reduce((total, row) => total + value(row), 0);
    return {
      count: sum((row) => this.counts[row]),
      churners: sum((row) => this.counts[row] * this.data.labels[row]),
    };
  }

  goesLeft(row: number, feature: number, threshold: number, missingRight: number): boolean {
    const x = this.data.columns[feature][row];
    return Number.isNaN(x) ? missingRight === 0 : x <= threshold;
  }

  /** The gain of the best split that leaves enough rows on both sides; 0 without one. */
  bestGain(rows: readonly number[], all: Side): number {
    let best = 0;
    for (let feature = 0; feature < this.data.columns.length; feature++) {
      for (const threshold of this.thresholds(feature)) {
        for (const missingRight of [0, 1]) {
          const left = this.weigh(rows.filter((row) => this.goesLeft(row, feature, threshold, missingRight)));
          const smaller = Math.min(left.count, all.count - left.count);
          if (smaller >= this.parameters.minSamplesLeaf) best = Math.max(best, gain(all, left));
        }
      }
    }
    return best;
  }

  thresholds(feature: number): Float32Array {
    const { cutPoints, cutOffsets } = this.binned;
    return cutPoints.subarray(cutOffsets[feature], cutOffsets[feature + 1]);
  }

  check(node: number, rows: readonly number[], depth: number): void {
    const all = this.weigh(rows);
    const { maxDepth, minSamplesLeaf } = this.parameters;
    const best = depth < maxDepth && all.count >= 2 * minSamplesLeaf ? this.bestGain(rows, all) : 0;
    const feature = this.tree.feature[node];
    if (feature === LEAF) {
      this.leaves++;
      assert(best < 1e-9, `node ${node} is a leaf, but a split would gain ${best}`);
      assert.deepEqual({ count: this.tree.count[node], churners: this.tree.churners[node] }, all);
      return;
    }
    this.splits++;
    const threshold = this.thresholds(feature)[this.tree.cut[node]];
    const missingRight = this.tree.missingRight[node];
    const [left, right] = [true, false].map((isLeft) =>
      rows.filter((row) => this.goesLeft(row, feature, threshold, missingRight) === isLeft),
    );
    const side = this.weigh(left);
    assert(Math.abs(gain(all, side) - best) < 1e-9, `node ${node} gains ${gain(all, side)}, the best split ${best}`);
    if (!rows.some((row) => Number.isNaN(this.data.columns[feature][row]))) {
      assert.equal(missingRight, side.count >= all.count - side.count ? 0 : 1, "the way of the larger child");
    }
    this.check(this.tree.left[node], left, depth + 1);
    this.check(this.tree.left[node] + 1, right, depth + 1);
  }
}

for (const name of KERNELS) {
  describe(`a tree of the ${name} kernel`, () => {
    test("makes the best split by Gini at every node, and leaves of its sample's rates", async () => {
      let [splits, leaves] = [0, 0];
      for (let set = 0; set < 60; set++) {
        const random = new Random(set);
        const data = randomData(random, 40 + random.integer(160));
        const binned = await binFeatures(data.columns, data.labels.length, [255, 8, 2][set % 3]);
        const parameters = {
          maxDepth: 1 + random.integer(6),
          minSamplesLeaf: 1 + random.integer(8),
          maxSamples: [1, 0.5][set % 2],
          featuresPerSplit: data.columns.length, // all of them, so that there is one best split
        };
        const kernel = makeKernel(name, binned, data.labels, parameters);
        const grower = new TreeGrower(kernel, parameters);
        for (let i = 0; i < 3; i++) {
          const tree = grower.grow(new Random(set, i));
          const rows = [...kernel.counts.keys()].filter((row) => kernel.counts[row] > 0);
          const checker = new Checker(data, binned, parameters, kernel.counts, tree);

          checker.check(0, rows, 0);

          splits += checker.splits;
          leaves += checker.leaves;
        }
      }
      assert(splits > 500 && leaves > splits, `${splits} splits, ${leaves} leaves`);
    });

    test("tries features at random: among equals, each is as often the first", async () => {
      const random = new Random(1);
      const column = Float32Array.from({ length: 200 }, () => random.uniform());
      const labels = Uint8Array.from(column, (x) => +(x > 0.5));
      const binned = await binFeatures([column, column, column, column], column.length, 255);
      const parameters = { maxDepth: 1, minSamplesLeaf: 1, maxSamples: 1, featuresPerSplit: 1 };
      const grower = new TreeGrower(makeKernel(name, binned, labels, parameters), parameters);

      const first = Array.from({ length: 1000 }, (_, i) => grower.grow(new Random(1, i)).feature[0]);

      for (let feature = 0; feature < 4; feature++) {
        const times = first.filter((other) => other === feature).length;
        assert(Math.abs(times - 250) < 55, `feature ${feature}: ${times} of 1000`); // four standard deviations
      }
    });

    test("scores the rows it has not seen, and only those, missing values included", async () => {
      const data = randomData(new Random(5), 300); // a fifth of the values is missing
      assert(data.columns.every((column) => column.some(Number.isNaN)));
      const [seed, nEstimators] = [9, 7];
      const parameters = { maxDepth: 5, minSamplesLeaf: 3, maxSamples: 0.7, maxFeatures: 2, maxBins: 255, nEstimators };

      const options = { seed, nJobs: 2, kernel: name };
      const { outOfBagScores, kernel: used } = await fitForest(data.columns, data.labels, parameters, options);
      assert.equal(used, name);

      const binned = await binFeatures(data.columns, data.labels.length, 255);
      const treeParameters = { ...parameters, featuresPerSplit: 2 };
      const kernel = makeKernel(name, binned, data.labels, treeParameters);
      const grower = new TreeGrower(kernel, treeParameters);
      const leaves: number[][] = Array.from(data.labels, () => []);
      for (let i = 0; i < nEstimators; i++) {
        const tree = grower.grow(new Random(seed, i));
        const walker = new Checker(data, binned, treeParameters, kernel.counts, tree);
        for (const [row, count] of kernel.counts.entries()) {
          if (count > 0) continue;
          let node = 0;
          while (tree.feature[node] !== LEAF) {
            const threshold = walker.thresholds(tree.feature[node])[tree.cut[node]];
            const isLeft = walker.goesLeft(row, tree.feature[node], threshold, tree.missingRight[node]);
            node = tree.left[node] + (isLeft ? 0 : 1);
          }
          leaves[row].push(Math.fround(tree.churners[node] / tree.count[node]));
        }
      }
      for (const [row, values] of leaves.entries()) {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        if (values.length === 0) assert(Number.isNaN(outOfBagScores[row]));
        else
          assert(Math.abs(outOfBagScores[row] - mean) < 1e-8, `row ${row}: ${outOfBagScores[row]}, expected ${mean}`);
      }
    });
  });
}
