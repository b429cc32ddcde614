import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ForestParameters } from "@churn/contract";
import { DEFAULT_FOREST_PARAMETERS as DEFAULTS } from "../src/forest/parameters.ts";
import { Random } from "../src/random.ts";
import { type Judged, type SearchOptions, searchParameters } from "../src/tuning/search.ts";

const ROWS = 2000;
const ALWAYS: SearchOptions = { hasTime: () => true, clock: () => 0 };

/** Losses around a mean that the parameters give, the same rows hard in every trial, and some of them unseen. */
function judgeBy(meanLoss: (parameters: ForestParameters) => number, noise = 0) {
  const tried: ForestParameters[] = [];
  const judge = async (parameters: ForestParameters): Promise<Judged> => {
    const row = new Random(1);
    const own = new Random(2, tried.length);
    tried.push(parameters);
    const losses = Float64Array.from({ length: ROWS }, (_, i) => {
      const loss = meanLoss(parameters) + row.uniform() + noise * (own.uniform() - 0.5);
      return i % 50 === 0 ? Number.NaN : loss;
    });
    return { parameters, losses };
  };
  return { tried, judge };
}

const bowl =
  (best: Partial<ForestParameters>) =>
  (parameters: ForestParameters): number =>
    Object.entries(best).reduce((sum, [name, value]) => {
      return sum + 0.02 * Math.log2(parameters[name as keyof ForestParameters] / value) ** 2;
    }, 0);

describe("the search", () => {
  test("walks down to the best leaf size and share of features, and says what each step gained", async () => {
    const { judge } = judgeBy(bowl({ minSamplesLeaf: 32, maxFeatures: 0.133 }));

    const { best, trials, isComplete } = await searchParameters(DEFAULTS, judge, ALWAYS);

    assert.deepEqual(best.parameters, { ...DEFAULTS, minSamplesLeaf: 32, maxFeatures: 0.133 });
    assert(isComplete);
    assert.equal(trials[0].gain.value, 0);
    const last = trials.find(({ parameters }) => parameters.minSamplesLeaf === 32 && parameters.maxFeatures === 0.133);
    assert(Math.abs((last?.gain.value ?? 0) - (0.02 * 4 + 0.02 * Math.log2(0.3 / 0.133) ** 2)) < 1e-9);
    assert((last?.gain.high ?? 1) - (last?.gain.low ?? 0) < 1e-9, "the same rows are as hard in every trial");
  });

  test("tries nothing twice, and takes more trees but never fewer", async () => {
    const { judge, tried } = judgeBy(bowl({ nEstimators: 1200, maxDepth: 16 }));

    const { best } = await searchParameters(DEFAULTS, judge, ALWAYS);

    assert.deepEqual(best.parameters, { ...DEFAULTS, nEstimators: 1200, maxDepth: 16 });
    assert.equal(new Set(tried.map((parameters) => JSON.stringify(parameters))).size, tried.length);
    assert(tried.every(({ nEstimators }) => nEstimators >= 300));
  });

  test("keeps what it was given where nothing but luck speaks for a change", async () => {
    const changes = await Promise.all(
      Array.from({ length: 30 }, async (_, seed) => {
        const { judge } = judgeBy(() => seed, 0.1);
        const { best } = await searchParameters(DEFAULTS, judge, ALWAYS);
        return JSON.stringify(best.parameters) === JSON.stringify(DEFAULTS) ? 0 : 1;
      }),
    );

    assert.equal(
      changes.reduce<number>((sum, change) => sum + change, 0),
      0,
    );
  });

  test("keeps what it was given where a change is certain to help, but by less than it costs", async () => {
    const { judge } = judgeBy(({ nEstimators }) => -0.0004 * Math.log2(nEstimators));

    const { best } = await searchParameters(DEFAULTS, judge, ALWAYS);

    assert.deepEqual(best.parameters, DEFAULTS);
  });

  test("stays within the ranges of the parameters", async () => {
    const { judge, tried } = judgeBy(
      ({ minSamplesLeaf, maxFeatures, maxDepth }) => minSamplesLeaf + maxFeatures - maxDepth,
    );
    const start = { ...DEFAULTS, minSamplesLeaf: 3, maxFeatures: 2, maxDepth: 20 };

    const { best } = await searchParameters(start, judge, ALWAYS);

    assert.deepEqual(best.parameters, { ...start, minSamplesLeaf: 1, maxFeatures: 1, maxDepth: 27 });
    assert(tried.every(({ maxFeatures }) => Number.isInteger(maxFeatures)));
  });

  test("keeps a share of features a share, however much more of them help", async () => {
    const { judge, tried } = judgeBy(({ maxFeatures }) => (maxFeatures < 1 ? -maxFeatures : 0));

    const { best } = await searchParameters(DEFAULTS, judge, ALWAYS);

    assert.equal(best.parameters.maxFeatures, 0.99);
    assert(tried.every(({ maxFeatures }) => maxFeatures < 1));
  });

  test("keeps what it was given where no row has an out-of-bag score", async () => {
    const judge = async (parameters: ForestParameters): Promise<Judged> => ({
      parameters,
      losses: new Float64Array(10).fill(Number.NaN),
    });

    const { best } = await searchParameters(DEFAULTS, judge, ALWAYS);

    assert.deepEqual(best.parameters, DEFAULTS);
  });

  test("starts no trial when the time is up, but one at least", async () => {
    for (const allowed of [0, 3]) {
      const { judge, tried } = judgeBy(bowl({ minSamplesLeaf: 256 }));

      const { isComplete, best } = await searchParameters(DEFAULTS, judge, {
        ...ALWAYS,
        hasTime: () => tried.length <= allowed,
      });

      assert.equal(tried.length, allowed + 1);
      assert(!isComplete);
      assert(tried.includes(best.parameters));
    }
  });
});
