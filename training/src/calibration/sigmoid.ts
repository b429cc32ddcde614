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
 * @param labels 1 is churn. @param weights Of the rows; 1 each without them.
 */
export function fitSigmoid(scores: Float64Array, labels: Uint8Array, weights?: Float64Array): Sigmoid | undefined {
  const x = scores.map(logit);
  const rows: Rows = { x, labels, weights, total: weights?.reduce((sum, weight) => sum + weight, 0) ?? x.length };
  let [slope, intercept] = [1, 0];
  let loss = meanLoss(rows, slope, intercept);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const { gradient, hessian } = derivatives(rows, slope, intercept);
    if (Math.max(...gradient.map(Math.abs)) < TOLERANCE) break;
    const step = solve(hessian, gradient);
    if (step === undefined) return undefined;
    let size = 1;
    let next = loss;
    for (let halving = 0; halving < MAX_HALVINGS; halving++, size /= 2) {
      next = meanLoss(rows, slope - size * step[0], intercept - size * step[1]);
      if (next <= loss + ROUNDING) break;
    }
    slope -= size * step[0];
    intercept -= size * step[1];
    loss = next;
  }
  const isRising = Number.isFinite(slope) && slope > 0 && Number.isFinite(intercept) && loss > TOLERANCE;
  return isRising ? { method: "sigmoid", slope, intercept } : undefined;
}

/**
 * What each row has added to a fit, as (slope, intercept) one after the other: the sum of their outer products is the fit's
 * covariance, whatever the weights, and fits of overlapping rows can be subtracted row by row.
 *
 * @source Huber 1967 (the sandwich estimator); undefined for scores that are all the same.
 */
export function sigmoidInfluence(
  { slope, intercept }: Pick<Sigmoid, "slope" | "intercept">,
  scores: Float64Array,
  labels: Uint8Array,
  weights?: Float64Array,
): Float64Array | undefined {
  const x = scores.map(logit);
  const { hessian } = derivatives({ x, labels, weights, total: 1 }, slope, intercept);
  const influence = new Float64Array(2 * x.length);
  for (let i = 0; i < x.length; i++) {
    const error = (weights?.[i] ?? 1) * (labels[i] - 1 / (1 + Math.exp(-(slope * x[i] + intercept))));
    const step = solve(hessian, [error * x[i], error]);
    if (step === undefined) return undefined;
    influence.set(step, 2 * i);
  }
  return influence;
}

/** The sum of the outer products of influences, as (slope², slope · intercept, intercept²). */
export function covarianceOf(influence: Float64Array): readonly [number, number, number] {
  let [a, b, c] = [0, 0, 0];
  for (let i = 0; i < influence.length; i += 2) {
    a += influence[i] ** 2;
    b += influence[i] * influence[i + 1];
    c += influence[i + 1] ** 2;
  }
  return [a, b, c];
}

interface Rows {
  readonly x: Float64Array;
  readonly labels: Uint8Array;
  readonly weights?: Float64Array | undefined;
  /** Of the weights. */
  readonly total: number;
}

/** Mean log-loss, in a form that does not overflow. */
function meanLoss({ x, labels, weights, total }: Rows, slope: number, intercept: number): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const z = slope * x[i] + intercept;
    const margin = labels[i] === 1 ? z : -z; // log(1 + e^−margin)
    const loss = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
    sum += weights === undefined ? loss : weights[i] * loss;
  }
  return sum / total;
}

type Pair = readonly [number, number];

/** Of the mean log-loss by (slope, intercept); the Hessian's entries are (slope², slope · intercept, intercept²). */
function derivatives({ x, labels, weights, total }: Rows, slope: number, intercept: number) {
  let [g0, g1, h0, h1, h2] = [0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const p = 1 / (1 + Math.exp(-(slope * x[i] + intercept)));
    const weight = weights === undefined ? 1 : weights[i];
    const error = weight * (p - labels[i]);
    const curvature = weight * p * (1 - p);
    g0 += error * x[i];
    g1 += error;
    h0 += curvature * x[i] * x[i];
    h1 += curvature * x[i];
    h2 += curvature;
  }
  return { gradient: [g0 / total, g1 / total] as Pair, hessian: [h0 / total, h1 / total, h2 / total] as const };
}

/** Undefined where the Hessian is singular: scores that are all the same. */
function solve([a, b, c]: readonly [number, number, number], [x, y]: Pair): Pair | undefined {
  const determinant = a * c - b * b;
  if (!(determinant > 0)) return undefined;
  return [(c * x - b * y) / determinant, (a * y - b * x) / determinant];
}
