/**
 * Calibration: from a forest's score to a probability that can be taken at its word.
 *
 * A forest ranks well, but the mean of its trees' leaf rates is drawn towards the middle. A rising function, learned
 * on rows that the trees have not seen, puts that right without changing who stands before whom:
 *
 *     none       p = s
 *     sigmoid    p = 1 / (1 + exp(−(slope · logit(s) + intercept)))
 *     isotonic   p = linear interpolation of y over x, constant outside
 *
 * @source Platt 1999 (on the logit of the score, so that slope 1 and intercept 0 change nothing); Zadrozny & Elkan 2002
 */

export type Calibration =
  | { readonly method: "none" }
  | { readonly method: "sigmoid"; readonly slope: number; readonly intercept: number }
  | { readonly method: "isotonic"; readonly x: readonly number[]; readonly y: readonly number[] };

export type CalibrationMethod = Calibration["method"];

/** Scores nearer to 0 or 1 count as this near: a logit must be finite. */
export const SCORE_MARGIN = 1e-6;

/** log(s / (1 − s)) of a score in [0, 1], finite at its ends, too. */
export function logit(score: number): number {
  const inside = Math.min(1 - SCORE_MARGIN, Math.max(SCORE_MARGIN, score));
  return Math.log(inside / (1 - inside));
}

/** The function that turns a forest's score, in [0, 1], into P(churn), in [0, 1]; it never falls. */
export function calibrator(calibration: Calibration): (score: number) => number {
  switch (calibration.method) {
    case "none":
      return (score) => score;
    case "sigmoid": {
      const { slope, intercept } = calibration;
      return (score) => 1 / (1 + Math.exp(-(slope * logit(score) + intercept)));
    }
    case "isotonic": {
      const { x, y } = calibration;
      return (score) => interpolate(x, y, score);
    }
  }
}

function interpolate(x: readonly number[], y: readonly number[], at: number): number {
  let above = 0; // the first knot that is not below
  for (let end = x.length; above < end; ) {
    const middle = (above + end) >> 1;
    if (x[middle] < at) above = middle + 1;
    else end = middle;
  }
  if (above === 0) return y[0];
  if (above === x.length) return y[x.length - 1];
  const share = (at - x[above - 1]) / (x[above] - x[above - 1]);
  return Math.min(y[above], y[above - 1] + share * (y[above] - y[above - 1]));
}

/** What is wrong with a calibration that was read from a file; undefined when it can be used. */
export function calibrationFault(value: unknown): string | undefined {
  const { method, slope, intercept, x, y } = (value ?? {}) as Record<string, unknown>;
  switch (method) {
    case "none":
      return undefined;
    case "sigmoid":
      if (!isNumber(slope) || slope <= 0) return `expected a slope above 0, got ${JSON.stringify(slope)}`;
      return isNumber(intercept) ? undefined : `expected a finite intercept, got ${JSON.stringify(intercept)}`;
    case "isotonic": {
      if (!isRising(x, true)) return "expected knots x that rise";
      if (!isRising(y, false) || y.length !== x.length)
        return "expected as many values y as knots, none below the one before";
      return y[0] >= 0 && y[y.length - 1] <= 1 ? undefined : "expected values y in [0, 1]";
    }
    default:
      return `expected the method none, sigmoid or isotonic, got ${JSON.stringify(method) ?? "none"}`;
  }
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);

function isRising(values: unknown, strictly: boolean): values is readonly number[] {
  if (!Array.isArray(values) || values.length === 0 || !values.every(Number.isFinite)) return false;
  return values.every((value, i) => i === 0 || value > values[i - 1] || (!strictly && value === values[i - 1]));
}
