/** Scores at their word: what share of customers of a score leave, by the held-out customers, and how sure that is. */
import { logit } from "@churn/contract";
import type { ScoreCalibration } from "../drift/reference.ts";

type Line = Pick<ScoreCalibration, "slope" | "intercept">;

export interface CalibratedScores extends Line {
  readonly covariance: ScoreCalibration["covariance"];
  /** P(churn) of a score. */
  readonly probability: (score: number) => number;
}

export function calibratedScores(calibration: Line & Pick<ScoreCalibration, "covariance">): CalibratedScores {
  return { ...calibration, probability: probabilityBy(calibration) };
}

const probabilityBy =
  ({ slope, intercept }: Line) =>
  (score: number): number =>
    1 / (1 + Math.exp(-(slope * logit(score) + intercept)));

/**
 * By how much a figure changes with the calibration's error: by a standard deviation in each of two directions that are
 * independent (Cholesky's of the covariance).
 *
 * @param figure Of the scores, given what each of them means
 */
export function calibrationChanges(
  { slope, intercept, covariance: [a, b, c] }: CalibratedScores,
  figure: (probability: (score: number) => number) => number,
): readonly [number, number] {
  const at = (bySlope: number, byIntercept: number): number =>
    figure(probabilityBy({ slope: slope + bySlope, intercept: intercept + byIntercept }));
  const change = (bySlope: number, byIntercept: number): number =>
    (at(bySlope, byIntercept) - at(-bySlope, -byIntercept)) / 2;
  if (a === 0) return [0, 0];
  const root = Math.sqrt(a);
  return [change(root, b / root), change(0, Math.sqrt(Math.max(0, c - (b * b) / a)))];
}

/** The variance of a figure that comes from the calibration's error alone. */
export function calibrationVariance(
  calibration: CalibratedScores,
  figure: (probability: (score: number) => number) => number,
): number {
  const [one, other] = calibrationChanges(calibration, figure);
  return one * one + other * other;
}
