/**
 * Platt scaling: logistic regression of the outcome on the logit of the score, by Newton's method.
 *
 * On the logit, slope 1 and intercept 0 change nothing, so what a forest already gets right costs nothing to keep.
 *
 * @source Platt 1999; Lin, Lin & Weng 2007 (Newton's method with step halving)
 */
import { type Calibration, logit } from "@churn/contract";

export type Sigmoid = Extract<Calibration, { method: "sigmoid" }>;

const MAX_ITERATIONS = 50;
const MAX_HALVINGS = 20;
/** Of the mean gradient. */
const TOLERANCE = 1e-12;
/** A step that worsens the loss by no more is one that doubles cannot judge. */
const ROUNDING = 1e-14;

/**
 * The maximum-likelihood fit; undefined where there is none that rises (outcomes that the scores part without error, or
 * that fall with them).
 *
 * @param labels 1 is churn.
 */
export function fitSigmoid(scores: Float64Array, labels: Uint8Array): Sigmoid | undefined {
  const x = scores.map(logit);
  let [slope, intercept] = [1, 0];
  let loss = meanLoss(x, labels, slope, intercept);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const { gradient, hessian } = derivatives(x, labels, slope, intercept);
    if (Math.max(...gradient.map(Math.abs)) < TOLERANCE) break;
    const step = solve(hessian, gradient);
    if (step === undefined) return undefined;
    let size = 1;
    let next = loss;
    for (let halving = 0; halving < MAX_HALVINGS; halving++, size /= 2) {
      next = meanLoss(x, labels, slope - size * step[0], intercept - size * step[1]);
      if (next <= loss + ROUNDING) break;
    }
    slope -= size * step[0];
    intercept -= size * step[1];
    loss = next;
  }
  const isRising = Number.isFinite(slope) && slope > 0 && Number.isFinite(intercept) && loss > TOLERANCE;
  return isRising ? { method: "sigmoid", slope, intercept } : undefined;
}

/** Mean log-loss, in a form that does not overflow. */
function meanLoss(x: Float64Array, labels: Uint8Array, slope: number, intercept: number): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const z = slope * x[i] + intercept;
    const margin = labels[i] === 1 ? z : -z; // log(1 + e^−margin)
    sum += margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
  }
  return sum / x.length;
}

type Pair = readonly [number, number];

/** Of the mean log-loss by (slope, intercept); the Hessian's entries are (slope², slope · intercept, intercept²). */
function derivatives(x: Float64Array, labels: Uint8Array, slope: number, intercept: number) {
  let [g0, g1, h0, h1, h2] = [0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const p = 1 / (1 + Math.exp(-(slope * x[i] + intercept)));
    const error = p - labels[i];
    const weight = p * (1 - p);
    g0 += error * x[i];
    g1 += error;
    h0 += weight * x[i] * x[i];
    h1 += weight * x[i];
    h2 += weight;
  }
  const n = x.length;
  return { gradient: [g0 / n, g1 / n] as Pair, hessian: [h0 / n, h1 / n, h2 / n] as const };
}

/** Undefined where the Hessian is singular: scores that are all the same. */
function solve([a, b, c]: readonly [number, number, number], [x, y]: Pair): Pair | undefined {
  const determinant = a * c - b * b;
  if (!(determinant > 0)) return undefined;
  return [(c * x - b * y) / determinant, (a * y - b * x) / determinant];
}
