/**
 * Whether as many have left so far as should have: the test that need not wait for the horizon.
 *
 *     expected = Σ P(churn) · Γ(age)        observed = those seen to have left
 *
 * Γ is how many of a horizon's churners have gone by an age, by the mature predictions of the store, apart for low,
 * middle and high scores, since who is likelier to leave may leave sooner.
 */
import type { PerformanceTest } from "./finding.ts";
import type { JudgedWindow } from "./judged-window.ts";
import { observedTest } from "./mature.ts";
import { type CalibratedScores, calibrationVariance } from "./score-calibration.ts";

/** Days from prediction to departure of churners, ascending, by score. */
export interface DepartureCurves {
  /** Scores up to it belong to the curve of the same place; the last has none. */
  readonly bounds: readonly number[];
  readonly days: readonly Float64Array[];
}

const CURVES = 3;
/** With fewer churners, one curve is for all; with fewer than that, none. */
const LEAST_PER_CURVE = 100;
/** With fewer expected by now, nothing is tested. */
const LEAST_EXPECTED = 20;

/** @param isMature Whether a row's horizon is over. @returns undefined with too few churners */
export function departureCurves(window: JudgedWindow, isMature: (row: number) => boolean): DepartureCurves | undefined {
  const churners = Uint32Array.from(window.scores.keys()).filter(
    (row) => window.labels[row] === 1 && Number.isFinite(window.departures[row]) && isMature(row),
  );
  if (churners.length < LEAST_PER_CURVE) return undefined;
  const curves = churners.length < CURVES * LEAST_PER_CURVE ? 1 : CURVES;
  const byScore = churners.slice().sort((a, b) => window.scores[a] - window.scores[b]);
  const parts = Array.from({ length: curves }, (_, i) =>
    byScore.subarray(Math.round((i * byScore.length) / curves), Math.round(((i + 1) * byScore.length) / curves)),
  );
  return {
    bounds: parts.slice(0, -1).map((part) => window.scores[part[part.length - 1]]),
    days: parts.map((part) => Float64Array.from(part, (row) => window.departures[row]).sort()),
  };
}

/** Customers who have left so far, and who should have. */
export interface EarlyTest {
  readonly observed: number;
  readonly expected: number;
  readonly test: PerformanceTest;
}

/** @returns undefined with too few who should have left */
export function testEarly(
  window: JudgedWindow,
  weights: Float64Array,
  curves: DepartureCurves,
  calibration: CalibratedScores,
  floor: number,
): EarlyTest | undefined {
  const { rows, scores, ages, departures } = window;
  const curveOf = scores.map((score) => {
    const place = curves.bounds.findIndex((bound) => score <= bound);
    return place === -1 ? curves.bounds.length : place;
  });
  const gone = ages.map((age, row) => shareUpTo(curves.days[curveOf[row]], age));
  let [observed, variance] = [0, 0];
  const probabilities = scores.map(calibration.probability);
  for (let row = 0; row < rows; row++) {
    if (departures[row] <= ages[row]) observed += weights[row];
    const p = probabilities[row] * gone[row];
    variance += weights[row] ** 2 * p * (1 - p);
  }
  const expectedBy = (probability: (score: number) => number): number =>
    scores.reduce((sum, score, row) => sum + weights[row] * gone[row] * probability(score), 0);
  const expected = expectedBy(calibration.probability);
  if (expected < LEAST_EXPECTED) return undefined;
  variance += calibrationVariance(calibration, expectedBy);
  for (const [place, days] of curves.days.entries()) {
    variance += curveVariance(days, probabilities, ages, weights, (row) => curveOf[row] === place);
  }
  return { observed, expected, test: observedTest({ observed, expected, variance, floor }) };
}

/** The share of values at most `at`. @param sorted Ascending. */
function shareUpTo(sorted: Float64Array, at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}

/** What is expected is a mean over the curve's churners (of the promised departures at an age not below theirs): its variance. */
function curveVariance(
  days: Float64Array,
  probabilities: Float64Array,
  ages: Float64Array,
  weights: Float64Array,
  isOfCurve: (row: number) => boolean,
): number {
  const promised = new Float64Array(days.length + 1); // by the last churner whose departure is not beyond a row's age
  for (let row = 0; row < ages.length; row++) {
    if (isOfCurve(row))
      promised[Math.round(shareUpTo(days, ages[row]) * days.length)] += weights[row] * probabilities[row];
  }
  let [sum, squares, above] = [0, 0, 0];
  for (let churner = days.length; churner > 0; churner--) {
    above += promised[churner]; // rows at least as old as this churner's departure
    sum += above;
    squares += above * above;
  }
  const mean = sum / days.length;
  return (squares / days.length - mean * mean) / days.length;
}
