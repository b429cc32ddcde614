import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeForest, ForestKernel, type ForestParameters, leafValues } from "@churn/contract";
import { logLossOf } from "../src/evaluation/metrics.ts";
import { type FitOptions, fitForest } from "../src/forest/random-forest.ts";
import { Random } from "../src/random.ts";

const PARAMETERS: ForestParameters = {
  nEstimators: 20,
  maxDepth: 6,
  minSamplesLeaf: 5,
  maxSamples: 1,
  maxFeatures: 1,
  maxBins: 255,
};
const ROWS = 2000;
/** Smooth enough to compare with a probability. */
const LARGE_LEAVES = { minSamplesLeaf: 50 };

type Draw = (random: Random, row: number) => number;

/** Random columns, and labels that follow `churns` of a row's values. */
function makeData(draws: readonly Draw[], churns: (x: readonly number[]) => number, rows = ROWS) {
  const random = new Random(1);
  const columns = draws.map(() => new Float32Array(rows));
  const labels = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const x = draws.map((draw) => draw(random, row));
    for (const [f, value] of x.entries()) columns[f][row] = value;
    labels[row] = random.uniform() < churns(x) ? 1 : 0;
  }
  return { columns, labels };
}

const uniform: Draw = (random) => random.uniform();

/** The scores of rows given as lists of feature values. */
async function scorer(data: ReturnType<typeof makeData>, change: Partial<ForestParameters> = {}) {
  const fitted = await fitForest(data.columns, data.labels, { ...PARAMETERS, ...change }, { seed: 7 });
  const kernel = new ForestKernel(fitted.forest);
  return { ...fitted, score: (...x: number[]) => kernel.predictProba(Float32Array.from(x)) };
}

describe("a forest", () => {
  test("learns a threshold", async () => {
    const { score } = await scorer(makeData([uniform], ([x]) => (x > 0.5 ? 1 : 0)));

    assert(score(0.45) < 0.05);
    assert(score(0.55) > 0.95);
  });

  test("learns an interaction that no single feature shows", async () => {
    const flip: Draw = (random) => random.integer(2);
    // Neither column gains anything at the root: a tree finds the pair where it happens to try one of them.
    const data = makeData([flip, flip, uniform], ([a, b]) => (a === b ? 0.9 : 0.1));
    const { score } = await scorer(data, { maxDepth: 10, nEstimators: 50, minSamplesLeaf: 20 });

    assert(score(0, 0, 0.5) > 0.7 && score(1, 1, 0.5) > 0.7);
    assert(score(0, 1, 0.5) < 0.3 && score(1, 0, 0.5) < 0.3);
  });

  test("gives the base rate when nothing can be learned, near enough", async () => {
    const { score } = await scorer(
      makeData([uniform], () => 0.3),
      { minSamplesLeaf: 500 },
    );

    for (const x of [0.1, 0.5, 0.9]) assert(Math.abs(score(x) - 0.3) < 0.05);
  });

  test("learns which way missing values go, for each split", async () => {
    const withMissing: Draw = (random) => (random.uniform() < 0.3 ? Number.NaN : random.uniform());
    const high = await scorer(
      makeData([withMissing], ([x]) => (Number.isNaN(x) || x > 0.5 ? 0.9 : 0.1)),
      LARGE_LEAVES,
    );
    const low = await scorer(
      makeData([withMissing], ([x]) => (Number.isNaN(x) || x < 0.5 ? 0.9 : 0.1)),
      LARGE_LEAVES,
    );

    for (const { score } of [high, low]) assert(score(Number.NaN) > 0.8);
    assert(high.score(0.2) < 0.2 && low.score(0.8) < 0.2);
  });

  test("parts missing values from all present ones when that is what tells", async () => {
    const withMissing: Draw = (random) => (random.uniform() < 0.3 ? Number.NaN : random.uniform());
    const { score } = await scorer(makeData([withMissing], ([x]) => (Number.isNaN(x) ? 0.9 : 0.1)));

    assert(score(Number.NaN) > 0.8);
    for (const x of [0, 0.5, 1]) assert(score(x) < 0.2);
  });

  test("never splits on a constant column", async () => {
    const { forest } = await scorer(
      makeData([() => 3, uniform, () => Number.NaN], ([, x]) => x),
      { maxFeatures: 3 },
    );

    const features = new Set(forest.feature);
    assert(!features.has(0), "the constant column");
    assert(!features.has(2), "the column of missing values");
  });

  test("keeps at least minSamplesLeaf rows, bootstrap counts included, in a leaf", async () => {
    // With one row of churn, a leaf's rate cannot exceed (bootstrap copies of it) / minSamplesLeaf.
    const { score } = await scorer(
      makeData([(_, row) => row], ([row]) => (row === 100 ? 1 : 0), 400),
      { minSamplesLeaf: 50, nEstimators: 200 },
    );

    assert(score(100) < 2 / 50);
  });

  test("draws again when a tree's sample is empty, and refuses a share of less than one row", async () => {
    const data = makeData([uniform], ([x]) => x, 40);
    const fit = (maxSamples: number) =>
      fitForest(
        data.columns,
        data.labels,
        { ...PARAMETERS, nEstimators: 200, minSamplesLeaf: 1, maxSamples },
        { seed: 1 },
      );

    const { forest } = await fit(0.03); // e^-1.2, three in ten, of the samples are empty

    assert(leafValues(forest).every((value) => value >= 0 && value <= 1));
    await assert.rejects(fit(0.02), /maxSamples: expected at least 1 row per tree, got 0.02 of 40 rows/);
  });

  test("keeps its depth limit", async () => {
    const { forest } = await scorer(
      makeData([uniform, uniform], ([x, y]) => x * y),
      { maxDepth: 3, minSamplesLeaf: 1 },
    );

    for (let tree = 0; tree < PARAMETERS.nEstimators; tree++) {
      assert(forest.treeOffsets[tree + 1] - forest.treeOffsets[tree] <= 2 ** 4 - 1);
    }
  });

  test("is the same, bit for bit, with one worker and with three, and with the same seed again", async () => {
    const data = makeData([uniform, uniform, uniform], ([x, y, z]) => (x * y + z) / 2);
    const fit = (nJobs: number, seed: number) => fitForest(data.columns, data.labels, PARAMETERS, { seed, nJobs });
    const [one, three, again, other] = [await fit(1, 7), await fit(3, 7), await fit(3, 7), await fit(1, 8)];

    assert.deepEqual(encodeForest(three.forest), encodeForest(one.forest));
    assert.deepEqual(encodeForest(again.forest), encodeForest(one.forest));
    assert.deepEqual(three.outOfBagScores, one.outOfBagScores);
    assert.notDeepEqual(encodeForest(other.forest), encodeForest(one.forest));
  });

  test("judges rows out of bag as it judges new rows", async () => {
    const churns = ([x, y]: readonly number[]): number => (x > 0.5 === y > 0.5 ? 0.8 : 0.2);
    const data = makeData([uniform, uniform], churns, 6000);
    const { outOfBagScores, forest } = await scorer(data, { nEstimators: 60, minSamplesLeaf: 20 });
    const fresh = makeData([(random) => random.uniform(), uniform, uniform], ([, x, y]) => churns([x, y]), 6000);
    const kernel = new ForestKernel(forest);
    const freshScores = Float64Array.from(fresh.labels, (_, row) =>
      kernel.predictProba(Float32Array.of(fresh.columns[1][row], fresh.columns[2][row])),
    );

    const brier = (scores: Float64Array, labels: Uint8Array): number =>
      scores.reduce((sum, score, row) => sum + (score - labels[row]) ** 2, 0) / scores.length;
    assert(outOfBagScores.every((score) => score >= 0 && score <= 1));
    assert(Math.abs(brier(outOfBagScores, data.labels) - brier(freshScores, fresh.labels)) < 0.01);
  });

  for (const [rows, scored] of [
    [15_000, 15_000],
    [30_000, 20_000],
    [250_000, 25_000],
    [1_050_000, 100_000],
  ]) {
    test(`scores ${scored} of ${rows} rows out of bag`, async () => {
      const data = makeData([uniform], ([x]) => x, rows);
      const parameters = { ...PARAMETERS, nEstimators: 2, maxDepth: 1, maxSamples: 10 / rows };

      const { outOfBagScores } = await fitForest(data.columns, data.labels, parameters, { seed: 1 });

      const count = outOfBagScores.reduce((sum, score) => sum + +!Number.isNaN(score), 0);
      assert(count <= scored && count > scored - 10, `${count} scores`); // a row in both samples has none
    });
  }

  for (const [name, value, message] of [
    ["nEstimators", 0, /nEstimators: expected a whole number in \[1, 10000\], got 0/],
    ["maxDepth", 2.5, /maxDepth: expected a whole number in \[1, 32\], got 2.5/],
    ["maxFeatures", -1, /maxFeatures: expected a number in \(0, 65535\], got -1/],
    ["maxBins", 256, /maxBins: expected a whole number in \[2, 255\], got 256/],
    ["minSamplesLeaf", Number.NaN, /minSamplesLeaf: expected a whole number .* got NaN/],
  ] as const) {
    test(`refuses ${name} = ${value}`, async () => {
      const data = makeData([uniform], ([x]) => x, 100);

      await assert.rejects(
        fitForest(data.columns, data.labels, { ...PARAMETERS, [name]: value }, { seed: 1 }),
        message,
      );
    });
  }
});

describe("the curve of out-of-bag log-loss", () => {
  const data = makeData([uniform, uniform], ([x]) => x, 2000);
  const fit = (change: Partial<ForestParameters>, options: Partial<FitOptions> = {}) =>
    fitForest(data.columns, data.labels, { ...PARAMETERS, nEstimators: 60, ...change }, { seed: 3, ...options });

  test("has about thirty points, the last of which speaks of the whole forest", async () => {
    const { outOfBagCurve, outOfBagScores } = await fit({ nEstimators: 61 });

    assert.deepEqual(
      outOfBagCurve.map(({ nTrees }) => nTrees),
      [...Array.from({ length: 20 }, (_, i) => 3 * (i + 1)), 61],
    );
    const losses = Array.from(outOfBagScores, (score, row) => logLossOf(score, data.labels[row]));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    assert(Math.abs((outOfBagCurve.at(-1)?.logLoss ?? 0) - mean) < 1e-12);
  });

  test("says of its first trees what a forest of only these says", async () => {
    const { outOfBagCurve } = await fit({});
    const { outOfBagCurve: ofFirst } = await fit({ nEstimators: 20 });
    const at20 = outOfBagCurve.find(({ nTrees }) => nTrees === 20);
    assert.deepEqual(at20, ofFirst.at(-1));
    assert(outOfBagCurve[0].logLoss > (outOfBagCurve.at(-1)?.logLoss ?? 0));
  });

  test("is the same for any number of threads, and either kernel", async () => {
    const curves = [
      await fit({}, { nJobs: 1 }),
      await fit({}, { nJobs: 2 }),
      await fit({}, { nJobs: 3, kernel: "plain" }),
    ].map(({ outOfBagCurve }) => outOfBagCurve);
    assert.deepEqual(curves[1], curves[0]);
    assert.deepEqual(curves[2], curves[0]);
  });

  test("leaves out points that no row speaks for", async () => {
    const few = makeData([uniform], ([x]) => x, 2);
    const parameters = { ...PARAMETERS, nEstimators: 1, maxSamples: 1, minSamplesLeaf: 1 };
    for (let seed = 0; seed < 20; seed++) {
      const { outOfBagCurve, outOfBagScores } = await fitForest(few.columns, few.labels, parameters, { seed });
      assert.equal(outOfBagCurve.length, outOfBagScores.some((score) => !Number.isNaN(score)) ? 1 : 0);
    }
  });
});
