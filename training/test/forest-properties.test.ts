/** What holds of a forest on any data: small random tables, with missing values, ties, constants, and rows of nothing. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeForest, encodeForest, ForestKernel, type ForestParameters, leafMark } from "@churn/contract";
import fc from "fast-check";
import { cumulativeProbabilities } from "../src/bootstrap.ts";
import { type BinnedFeatures, binFeatures } from "../src/forest/binning.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { TreeGrower } from "../src/forest/tree.ts";
import { LEAF, type Tree, type TreeParameters } from "../src/forest/tree-kernel.ts";
import { Random } from "../src/random.ts";
import { makeKernel } from "./kernels.ts";

interface Data {
  readonly columns: readonly Float32Array[];
  readonly labels: Uint8Array;
}

const SEED = 3;
/** Each starts threads. */
const FITS = { numRuns: 20 };

const cell = {
  number: fc.float({ noDefaultInfinity: true }), // NaN among them
  level: fc.constantFrom(0, 1, 2, Number.NaN),
  flag: fc.constantFrom(0, 1),
  constant: fc.constant(7),
  missing: fc.constant(Number.NaN),
};

const someColumn = (rows: number): fc.Arbitrary<Float32Array> =>
  fc
    .oneof(...Object.values(cell).map((value) => fc.array(value, { minLength: rows, maxLength: rows })))
    .map((values) => Float32Array.from(values));

const someData: fc.Arbitrary<Data> = fc.integer({ min: 1, max: 80 }).chain((rows) =>
  fc.record({
    columns: fc.array(someColumn(rows), { minLength: 1, maxLength: 5 }),
    labels: fc.array(fc.constantFrom(0, 1), { minLength: rows, maxLength: rows }).map((all) => Uint8Array.from(all)),
  }),
);

const someParameters: fc.Arbitrary<ForestParameters> = fc.record({
  nEstimators: fc.integer({ min: 1, max: 6 }),
  maxDepth: fc.integer({ min: 1, max: 10 }),
  minSamplesLeaf: fc.integer({ min: 1, max: 6 }),
  maxSamples: fc.constant(1),
  maxFeatures: fc.integer({ min: 1, max: 5 }),
  maxBins: fc.constantFrom(2, 5, 255),
});

const treeParameters = ({ maxFeatures, ...rest }: ForestParameters, { columns }: Data): TreeParameters => ({
  ...rest,
  featuresPerSplit: Math.min(maxFeatures, columns.length),
});

const fit = ({ columns, labels }: Data, parameters: ForestParameters) =>
  fitForest(columns, labels, parameters, { seed: SEED, nJobs: 1 });

const bin = ({ columns, labels }: Data, { maxBins }: ForestParameters): Promise<BinnedFeatures> =>
  binFeatures(columns, labels.length, maxBins);

/** The values of some rows, in their order; a row may occur twice, or not at all. */
function pick({ columns, labels }: Data, rows: readonly number[]): Data {
  return {
    columns: columns.map((column) => Float32Array.from(rows, (row) => column[row])),
    labels: Uint8Array.from(rows, (row) => labels[row]),
  };
}

/** Draws the counts that it is given; what else is random is a seed's. */
class GivenSample extends Random {
  readonly #draws: Iterator<number>;

  constructor(counts: readonly number[], rate: number) {
    super(SEED);
    const thresholds = cumulativeProbabilities(rate);
    this.#draws = counts.map((count) => (count === 0 ? 0 : Math.ceil(thresholds[count - 1]))).values();
  }

  override uint32(): number {
    return this.#draws.next().value as number;
  }
}

describe("a forest on any data", () => {
  test("gives probabilities, also to rows it has not met, of nothing or of extremes", async () => {
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const { forest, outOfBagScores } = await fit(data, parameters);
      const kernel = new ForestKernel(forest);
      const extremes = [Number.NaN, Number.NEGATIVE_INFINITY, -3e38, 0, 3e38, Number.POSITIVE_INFINITY];
      const scores = [
        ...kernel.predictColumns(data.columns, data.labels.length),
        ...extremes.map((x) => kernel.predictProba(new Float32Array(data.columns.length).fill(x))),
        ...outOfBagScores.filter((score) => !Number.isNaN(score)), // which no tree has left out
      ];

      for (const score of scores) assert(score >= 0 && score <= 1, `${score}`);
    });

    await fc.assert(property, FITS);
  });

  test("scores each row of a batch as if it were alone: a permuted batch gets the permuted scores", async () => {
    const property = fc.asyncProperty(someData, someParameters, fc.nat(), async (data, parameters, shuffle) => {
      const kernel = new ForestKernel((await fit(data, parameters)).forest);
      const random = new Random(shuffle);
      const order = [...data.labels.keys()].map((row) => ({ row, at: random.uniform() }));
      const rows = order.sort((a, b) => a.at - b.at).map(({ row }) => row);

      const scores = kernel.predictColumns(data.columns, rows.length);
      const permuted = kernel.predictColumns(pick(data, rows).columns, rows.length);

      assert.deepEqual(
        permuted,
        Float64Array.from(rows, (row) => scores[row]),
      );
    });

    await fc.assert(property, FITS);
  });

  test("comes back from its file as it was", async () => {
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const { forest } = await fit(data, parameters);

      assert.deepEqual(decodeForest(encodeForest(forest), "forest"), forest);
    });

    await fc.assert(property, FITS);
  });

  test("never splits on a column of one value, or of none", async () => {
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const { forest } = await fit(data, parameters);
      const used = new Set(forest.feature);

      for (const [f, column] of data.columns.entries()) {
        assert(!used.has(f) || new Set(column).size > 1, `feature ${f}`);
      }
      assert(used.has(leafMark(forest.feature)));
    });

    await fc.assert(property, FITS);
  });

  test("sees values only by their order: their ranks instead give the same splits, leaves and out-of-bag scores", async () => {
    // Thresholds lie halfway between values, so they differ, and so may the side of a value between two known ones.
    const ranks = (column: Float32Array): Float32Array => {
      const distinct = [...new Set(column.map((x) => x + 0))].filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
      return column.map((x) => (Number.isNaN(x) ? x : distinct.indexOf(x + 0)));
    };
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const [values, ranked] = [
        await fit(data, parameters),
        await fit({ ...data, columns: data.columns.map(ranks) }, parameters),
      ];

      assert.deepEqual({ ...ranked, forest: { ...ranked.forest, cutPoints: values.forest.cutPoints } }, values);
    });

    await fc.assert(property, FITS);
  });
});

describe("a tree on any data", () => {
  test("is the same from either kernel, and so are the scores of the rows it has not seen", async () => {
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const features = await bin(data, parameters);
      const small = { ...treeParameters(parameters, data), maxSamples: 0.6 };
      const grow = (name: "plain" | "webassembly") => {
        const kernel = makeKernel(name, features, data.labels, small);
        const grower = new TreeGrower(kernel, small);
        const trees = Array.from({ length: parameters.nEstimators }, (_, index) => {
          const tree = grower.grow(new Random(SEED, index));
          kernel.addOutOfBagScores(tree);
          return { tree, counts: [...kernel.counts] };
        });
        return { trees, sums: [...kernel.sums], times: [...kernel.times] };
      };

      assert.deepEqual(grow("webassembly"), grow("plain"));
    });

    await fc.assert(property, { numRuns: 200 });
  });

  test("weighs a row by its count: k times one row is k rows", async () => {
    const counted = someData.chain((data) => {
      const { length } = data.labels;
      const counts = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: length, maxLength: length });
      return fc.record({ data: fc.constant(data), counts: counts.filter((all) => all.some((count) => count > 0)) });
    });
    const property = fc.asyncProperty(counted, someParameters, async ({ data, counts }, parameters) => {
      const features = await bin(data, parameters);
      const rows = counts.flatMap((count, row) => Array<number>(count).fill(row));
      const { columns, nRows } = {
        columns: data.columns.map((_, f) => rows.map((row) => features.bins[f * features.nRows + row])),
        nRows: rows.length,
      };
      const repeated = { ...features, nRows, bins: Uint8Array.from(columns.flat()) };
      const grow = (binned: BinnedFeatures, labels: Uint8Array, sample: readonly number[]): Tree => {
        const all = treeParameters(parameters, data);
        return new TreeGrower(makeKernel("plain", binned, labels, all), all).grow(
          new GivenSample(sample, all.maxSamples),
        );
      };

      const weighted = grow(features, data.labels, counts);
      const single = grow(repeated, pick(data, rows).labels, Array<number>(nRows).fill(1));

      assert.equal(weighted.count[0], nRows);
      assert.deepEqual(single, weighted);
    });

    await fc.assert(property, { numRuns: 200 });
  });

  test("gains no more and no less at its root from a column that is there twice, when it tries all of them", async () => {
    // Which of the two, or of other equals, is split on is chance; so further down the trees may differ.
    const rootGain = ({ feature, count, churners, left }: Tree): number => {
      if (feature[0] === LEAF) return 0;
      const [n, p, nLeft, pLeft] = [count[0], churners[0], count[left[0]], churners[left[0]]];
      return (pLeft * n - p * nLeft) ** 2 / (nLeft * (n - nLeft));
    };
    const property = fc.asyncProperty(someData, someParameters, async (data, parameters) => {
      const twice = { ...data, columns: [...data.columns, data.columns[0]] };
      const [one, two] = await Promise.all(
        [data, twice].map(async (each) => {
          const all = { ...treeParameters(parameters, each), featuresPerSplit: each.columns.length };
          const kernel = makeKernel("webassembly", await bin(each, parameters), data.labels, all);
          return rootGain(new TreeGrower(kernel, all).grow(new Random(SEED)));
        }),
      );

      assert(Math.abs(one - two) <= 1e-9 * one, `${one} of one, ${two} of two`);
    });

    await fc.assert(property, { numRuns: 200 });
  });
});
