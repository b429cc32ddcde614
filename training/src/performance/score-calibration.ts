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
 * The variance of a figure that comes from the calibration's error alone (delta method).
 *
 * @param figure Of the scores, given what each of them means
 */
export function calibrationVariance(
  { slope, intercept, covariance: [a, b, c] }: CalibratedScores,
  figure: (probability: (score: number) => number) => number,
): number {
  const at = (bySlope: number, byIntercept: number): number =>
    figure(probabilityBy({ slope: slope + bySlope, intercept: intercept + byIntercept }));
  const [dSlope, dIntercept] = [Math.sqrt(a), Math.sqrt(c)];
  if (dSlope === 0 || dIntercept === 0) return 0;
  // Central differences over a standard deviation each way: the curve's own bend over that length is part of the answer.
  const g0 = (at(dSlope, 0) - at(-dSlope, 0)) / (2 * dSlope);
  const g1 = (at(0, dIntercept) - at(0, -dIntercept)) / (2 * dIntercept);
  return g0 * g0 * a + 2 * g0 * g1 * b + g1 * g1 * c;
}
