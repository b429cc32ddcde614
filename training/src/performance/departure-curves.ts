/** How soon churners leave: Γ(days), the share of a horizon's churners who have gone by then. */
import type { JudgedWindow } from "./judged-window.ts";

/** Days from prediction to departure of churners, ascending, by score. */
export interface DepartureCurves {
  /** Scores up to it belong to the curve of the same place; the last has none. */
  readonly bounds: readonly number[];
  readonly days: readonly Float64Array[];
}

const CURVES = 3;
/** With fewer churners, one curve is for all; with fewer than that, none. */
const LEAST_PER_CURVE = 100;

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

/** The share of values at most `at`. @param sorted Ascending. */
export function shareUpTo(sorted: Float64Array, at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}

/** What is expected is a mean over the curve's churners (of the promised departures at least as long ago as theirs took): its variance. */
export function curveVariance(
  days: Float64Array,
  probabilities: Float64Array,
  ages: Float64Array,
  weights: Float64Array,
  members: Uint32Array,
): number {
  const promised = new Float64Array(days.length + 1); // by the last churner whose departure is not later than a row has had time for
  for (const row of members) {
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
