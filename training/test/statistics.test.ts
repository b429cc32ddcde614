import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lowerBeta } from "../src/statistics/beta.ts";
import { binomialLowerTail, binomialUpperTail, clopperPearson } from "../src/statistics/binomial.ts";
import {
  jensenShannonDistance,
  kolmogorovSmirnovDistance,
  populationStabilityIndex,
  totalVariationDistance,
  wassersteinDistance,
} from "../src/statistics/divergence.ts";
import { chiSquareUpperTail, normalUpperTail } from "../src/statistics/gamma.ts";
import { holmAdjust } from "../src/statistics/holm.ts";
import { chiSquareTest, testHomogeneity } from "../src/statistics/homogeneity.ts";
import { hypergeometricTwoSided } from "../src/statistics/hypergeometric.ts";
import { kolmogorovTwoSample, kolmogorovUpperTail } from "../src/statistics/kolmogorov.ts";
import { testRanks } from "../src/statistics/mann-whitney.ts";
import fixture from "./fixtures/statistics.json" with { type: "json" };

/** A statistic, to twelve digits. */
function sameStatistic(got: number, expected: number, what: string): void {
  assert(Math.abs(got - expected) <= 1e-12 * Math.abs(expected), `${what}: expected ${expected}, got ${got}`);
}

/** A probability, to nine digits, or to 1e-14. */
function sameProbability(got: number, expected: number, what: string): void {
  const error = Math.abs(got - expected);
  assert(error <= 1e-9 * expected || error <= 1e-14, `${what}: expected ${expected}, got ${got}`);
}

/** The same whole numbers as in statistics.py. */
function sample(seed: number, rows: number, divisor: number, shift: number): Float64Array {
  const values = new Float64Array(rows);
  let state = seed;
  for (let i = 0; i < rows; i++) {
    state = (Math.imul(1103515245, state) + 12345) & 0x7fffffff;
    values[i] = Math.floor(state / divisor) + shift;
  }
  return values;
}

/** Counts of two samples at each of their distinct values. */
function binned(reference: Float64Array, current: Float64Array) {
  const values = [...new Set([...reference, ...current])].sort((a, b) => a - b);
  const places = new Map(values.map((value, place) => [value, place]));
  const count = (rows: Float64Array): Float64Array => {
    const counts = new Float64Array(values.length);
    for (const value of rows) counts[places.get(value) as number] += 1;
    return counts;
  };
  return { values, reference: count(reference), current: count(current) };
}

describe("two samples are as far apart, and as unlikely, as in scipy's ks_2samp", () => {
  for (const { seed, otherSeed, divisor, n, m, shift, method, d, p, wasserstein } of fixture.twoSamples) {
    test(`${n} and ${m} rows, divisor ${divisor}, shift ${shift}, ${method}`, () => {
      const counts = binned(sample(seed, n, divisor, 0), sample(otherSeed, m, divisor, shift));
      const distance = kolmogorovSmirnovDistance(counts);
      sameStatistic(distance, d, "D");
      sameProbability(kolmogorovTwoSample(distance, n, m), p, "p");
      sameStatistic(wassersteinDistance(counts, counts.values), wasserstein, "Wasserstein");
    });
  }
});

test("the law of one sample's distance is scipy's kstwo", () => {
  for (const { n, d, p } of fixture.oneSample) sameProbability(kolmogorovUpperTail(d, n), p, `n ${n}, d ${d}`);
});

test("tables are as unlikely, and as far apart, as exact figures near scipy's", () => {
  for (const { reference, current, statistic, p, df, psi, jensenShannon, wasserstein } of fixture.tables) {
    const cells = reference.map((count, i) => ({ reference: count, current: current[i] }));
    const found = chiSquareTest(cells);
    const what = `${reference.length} levels, ${statistic}`;
    sameStatistic(found.statistic, statistic, what);
    assert.equal(found.degreesOfFreedom, df);
    sameProbability(found.pValue, p, what);
    sameStatistic(populationStabilityIndex({ reference, current }), psi, what);
    sameStatistic(jensenShannonDistance({ reference, current }), jensenShannon, what);
    const squares = reference.map((_, i) => i * i);
    sameStatistic(wassersteinDistance({ reference, current }, squares), wasserstein, what);
  }
});

test("tails of the hypergeometric, binomial, beta, chi-square and normal laws are scipy's", () => {
  for (const { k, p, ...urn } of fixture.hypergeometric) {
    sameProbability(hypergeometricTwoSided(k, urn), p, `${k} of ${JSON.stringify(urn)}`);
  }
  for (const { n, p, k, sf, cdf } of fixture.binomial) {
    sameProbability(binomialUpperTail(k, n, p), sf, `≥ ${k} of ${n} at ${p}`);
    sameProbability(binomialLowerTail(k, n, p), cdf, `≤ ${k} of ${n} at ${p}`);
  }
  for (const { x, a, b, p } of fixture.beta) sameProbability(lowerBeta(x, a, b), p, `${x}, ${a}, ${b}`);
  for (const { x, df, p } of fixture.chiSquare) sameProbability(chiSquareUpperTail(x, df), p, `${x}, ${df}`);
  for (const { z, p } of fixture.normal) sameProbability(normalUpperTail(z), p, `${z}`);
});

test("the exact interval of a share is scipy's", () => {
  for (const { k, n, low, high } of fixture.intervals) {
    const found = clopperPearson(k, n, 0.025);
    sameProbability(found.low, low, `${k} of ${n}`);
    sameProbability(found.high, high, `${k} of ${n}`);
  }
});

test("ranks are as unlikely as in scipy's mannwhitneyu, also with ties", () => {
  for (const { negatives, positives, auc, p } of fixture.ranks) {
    const labels = new Uint8Array(negatives.length + positives.length).fill(1, negatives.length);
    const found = testRanks(Float64Array.from([...negatives, ...positives]), labels);
    sameStatistic(found.auc, auc, "AUC");
    sameProbability(found.pValue, p, `${labels.length} rows`);
  }
});

test("levels of which fewer than ten rows are expected are one", () => {
  const common = testHomogeneity([1000, 500, 3, 2], [100, 55, 0, 1]);
  assert.deepEqual(common?.degreesOfFreedom, 1); // the rare ones went to the rarest of the others
  const pooled = testHomogeneity([1000, 500, 60, 60], [100, 55, 6, 6]);
  assert.deepEqual(pooled?.degreesOfFreedom, 2);
  assert.equal(testHomogeneity([1000, 3], [100, 0]), undefined);
});

test("distances are 0 for equal shares and 1 for disjoint ones, however many rows", () => {
  const equal = { reference: [100, 300, 0], current: [1, 3, 0] };
  const disjoint = { reference: [100, 300, 0], current: [0, 0, 7] };
  for (const distance of [kolmogorovSmirnovDistance, jensenShannonDistance, totalVariationDistance]) {
    assert.equal(distance(equal), 0);
    assert.ok(Math.abs(distance(disjoint) - 1) < 1e-15);
  }
});

test("Holm's correction is that of the textbook example", () => {
  assert.deepEqual(
    holmAdjust([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12))),
    [0.03, 0.06, 0.06, 0.02],
  );
  assert.deepEqual(holmAdjust([]), []);
  // Of weights 3 and 1 the second has a quarter of the level, and then all of it.
  assert.deepEqual(holmAdjust([0.03, 0.005], [3, 1]), [0.03, 0.02]);
});
