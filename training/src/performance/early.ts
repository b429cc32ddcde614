/**
 * Whether as many have left so far as should have: the test that need not wait for the horizon.
 *
 *     expected = Σ P(churn) · Γ(days since)  observed = those seen to have left
 *
 * Γ is how many of a horizon's churners have gone by a day, by the mature predictions of the store, apart for low,
 * middle and high scores, since who is likelier to leave may leave sooner.
 */
import { chiSquareUpperTail } from "../statistics/gamma.ts";
import { curveVariance, type DepartureCurves, shareUpTo } from "./departure-curves.ts";
import type { PerformanceTest } from "./finding.ts";
import type { JudgedWindow } from "./judged-window.ts";
import { observedTest } from "./observed-expected.ts";
import { type CalibratedScores, calibrationChanges } from "./score-calibration.ts";

/** With fewer expected by now, nothing is tested. */
const LEAST_EXPECTED = 50;
/** With fewer in a part of the scores, chance there is not normal enough. */
const LEAST_EXPECTED_OF_PART = 30;

/** Customers who have left so far, and who should have. */
export interface EarlyTest {
  readonly observed: number;
  readonly expected: number;
  readonly test: PerformanceTest;
}

/** What should have happened in a part of the scores, and what did. */
interface Part {
  readonly observed: number;
  readonly expected: number;
  /** Of observed − expected, but for the calibration's error, which the parts share. */
  readonly variance: number;
  readonly changes: readonly [number, number];
}

/**
 * Low, middle and high scores are tested together: those who seldom leave are few, and what happens to them is lost among all.
 *
 * @returns undefined with too few who should have left
 */
export function testEarly(
  window: JudgedWindow,
  weights: Float64Array,
  curves: DepartureCurves,
  calibration: CalibratedScores,
  floor: number,
): EarlyTest | undefined {
  const parts = mergeSmall(partsOf(window, weights, curves, calibration));
  const sum = (pick: (part: Part) => number): number => parts.reduce((total, part) => total + pick(part), 0);
  const [observed, expected] = [sum((part) => part.observed), sum((part) => part.expected)];
  if (expected < LEAST_EXPECTED) return undefined;
  const variance =
    sum((part) => part.variance) + sum(({ changes }) => changes[0]) ** 2 + sum(({ changes }) => changes[1]) ** 2;
  const misplaced = sum((part) => Math.abs(part.observed - part.expected)) / expected;
  const test = {
    ...observedTest({ observed, expected, variance, floor }),
    pValue: chiSquareUpperTail(distanceOf(parts), parts.length),
    isHarmful: misplaced >= floor,
  };
  return { observed, expected, test };
}

function partsOf(
  { rows, scores, ages, departures }: JudgedWindow,
  weights: Float64Array,
  { bounds, days }: DepartureCurves,
  calibration: CalibratedScores,
): Part[] {
  const curveOf = scores.map((score) => {
    const place = bounds.findIndex((bound) => score <= bound);
    return place === -1 ? bounds.length : place;
  });
  const gone = ages.map((elapsed, row) => shareUpTo(days[curveOf[row]], elapsed));
  const probabilities = scores.map(calibration.probability);
  return days.map((curve, place) => {
    const members = Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => curveOf[row] === place);
    let [observed, variance] = [0, curveVariance(curve, probabilities, ages, weights, members)];
    for (const row of members) {
      if (departures[row] <= ages[row]) observed += weights[row];
      const p = probabilities[row] * gone[row];
      variance += weights[row] ** 2 * p * (1 - p);
    }
    const expectedBy = (probability: (score: number) => number): number =>
      members.reduce((sum, row) => sum + weights[row] * gone[row] * probability(scores[row]), 0);
    const changes = calibrationChanges(calibration, expectedBy);
    return { observed, expected: expectedBy(calibration.probability), variance, changes };
  });
}

/** Parts in which too few should have left go with the next. */
function mergeSmall(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged[merged.length - 1];
    if (last === undefined || Math.min(last.expected, part.expected) >= LEAST_EXPECTED_OF_PART) merged.push(part);
    else merged[merged.length - 1] = add(last, part);
  }
  return merged;
}

const add = (a: Part, b: Part): Part => ({
  observed: a.observed + b.observed,
  expected: a.expected + b.expected,
  variance: a.variance + b.variance,
  changes: [a.changes[0] + b.changes[0], a.changes[1] + b.changes[1]],
});

/** dᵀ C⁻¹ d of the parts' differences d, C their covariance: a diagonal and two directions (Woodbury's identity). */
function distanceOf(parts: readonly Part[]): number {
  const product = (left: (part: Part) => number, right: (part: Part) => number): number =>
    parts.reduce((sum, part) => sum + (left(part) * right(part)) / part.variance, 0);
  const difference = ({ observed, expected }: Part): number => observed - expected;
  const [one, other] = [({ changes }: Part): number => changes[0], ({ changes }: Part): number => changes[1]];
  const [a, b, c] = [1 + product(one, one), product(one, other), 1 + product(other, other)];
  const [x, y] = [product(one, difference), product(other, difference)];
  return product(difference, difference) - (c * x * x - 2 * b * x * y + a * y * y) / (a * c - b * b);
}
