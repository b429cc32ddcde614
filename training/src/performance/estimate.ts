/**
 * What a model's figures would be on customers whose outcomes nobody knows, if outcomes still follow from what is recorded
 * as they did: an estimate, never an alarm. When people react otherwise, it is wrong, and only outcomes can tell.
 *
 * Customers of a score leave as often as those held out in training did, with these weighted to look like the current ones.
 * The interval has three parts: chance in who leaves, the calibration's error, and the model's own.
 *
 * @source NannyML's CBPE; Białek et al. 2024, arXiv 2401.08348, for the weights
 */
import { type Economics, logit, type Metric } from "@churn/contract";
import { covarianceOf, fitSigmoid, sigmoidInfluence } from "../calibration/sigmoid.ts";
import { take } from "../data/take.ts";
import { domainWeights } from "../drift/domain-classifier.ts";
import type { DriftReference, ReferenceSample, ScoreCalibration } from "../drift/reference.ts";
import type { DriftWindow } from "../drift/window.ts";
import { contactValues } from "../evaluation/economics.ts";
import { descendingOrder } from "../radix-sort.ts";
import { withInterval } from "../statistics/estimate.ts";
import { type CalibratedScores, calibratedScores, calibrationVariance } from "./score-calibration.ts";

export interface PerformanceEstimate {
  /** Customers of the training that say as much as all those with their weights. */
  readonly effectiveRows: number;
  readonly metrics: Readonly<Partial<Record<"roc_auc" | "log_loss" | "profit_per_customer", Metric>>>;
}

/** What is left of the model's own error: of the AUC, and of a customer's probability. */
const AUC_ERROR = 0.01;
const PROBABILITY_ERROR = 0.01;
/** The training's customers are too unlike the current ones to stand for them. */
const LEAST_EFFECTIVE = 500;

/** @returns undefined where the training's customers cannot stand for the current ones */
export function estimatePerformance(
  reference: DriftReference,
  window: DriftWindow,
  settings: { readonly economics: Economics | undefined; readonly threshold: number; readonly seed: number },
): PerformanceEstimate | undefined {
  const { sample, calibration } = reference;
  if (calibration === undefined || window.scores.length === 0) return undefined;
  const names = [...sample.columns.keys()];
  const bytes = (columns: ReadonlyMap<string, Uint8Array>): Uint8Array[] =>
    names.map((name) => columns.get(name) as Uint8Array);
  const weights = domainWeights(bytes(sample.columns), bytes(window.sample), settings.seed);
  if (weights === undefined) return undefined;
  const effectiveRows = effective(weights);
  const current = recalibrate(calibration, sample, weights);
  if (current === undefined || effectiveRows < LEAST_EFFECTIVE) return undefined;
  return { effectiveRows, metrics: estimateMetrics(window.scores, current, settings) };
}

const effective = (weights: Float64Array): number =>
  weights.reduce((sum, weight) => sum + weight, 0) ** 2 / weights.reduce((sum, weight) => sum + weight * weight, 0);

/**
 * The fit of all held-out customers, moved by what the weights change in that of the sample. So a window without drift has nearly
 * the small error of all of them.
 */
function recalibrate(
  all: ScoreCalibration,
  { scores, labels }: ReferenceSample,
  weights: Float64Array,
): CalibratedScores | undefined {
  const doubles = Float64Array.from(scores);
  const [plain, weighted] = [fitSigmoid(doubles, labels), fitSigmoid(doubles, labels, weights)];
  if (plain === undefined || weighted === undefined) return undefined;
  const before = sigmoidInfluence(plain, doubles, labels);
  const after = sigmoidInfluence(weighted, doubles, labels, weights);
  if (before === undefined || after === undefined) return undefined;
  // The sample is part of all: of its customers the influence on the sum, of the others that on the fit of all.
  const share = scores.length / all.rows;
  const moved = covarianceOf(before.map((influence, i) => after[i] - influence + share * influence));
  return calibratedScores({
    slope: all.slope + weighted.slope - plain.slope,
    intercept: all.intercept + weighted.intercept - plain.intercept,
    covariance: [0, 1, 2].map((i) => moved[i] + Math.max(0, 1 - share) * all.covariance[i]) as [number, number, number],
  });
}

function estimateMetrics(
  scores: Float64Array,
  calibration: CalibratedScores,
  { economics, threshold }: { readonly economics: Economics | undefined; readonly threshold: number },
): PerformanceEstimate["metrics"] {
  const worth = economics && contactValues(economics);
  const contacted = scores.filter((score) => score >= threshold);
  const sorted = take(scores, descendingOrder(scores));
  const losses = scores.map((score) => -logit(score)); // what an outcome of 1 adds to the log-loss of one of 0
  return {
    roc_auc: interval(
      (probability) => expectedAuc(sorted, sorted.map(probability)),
      aucVariance(sorted, sorted.map(calibration.probability)),
      AUC_ERROR,
    ),
    log_loss: interval(
      (probability) =>
        mean(scores.map((score, row) => probability(score) * losses[row] - Math.log1p(-Math.min(score, 1 - 2 ** -52)))),
      labelVariance(scores, losses),
      PROBABILITY_ERROR * mean(losses.map(Math.abs)),
    ),
    ...(worth && {
      profit_per_customer: interval(
        (probability) =>
          contacted.reduce(
            (sum, score) => sum + worth.stayer + (worth.churner - worth.stayer) * probability(score),
            0,
          ) / scores.length,
        labelVariance(
          scores,
          scores.map((score) => (score >= threshold ? worth.churner - worth.stayer : 0)),
        ),
        (PROBABILITY_ERROR * (worth.churner - worth.stayer) * contacted.length) / scores.length,
      ),
    }),
  };

  function interval(
    figure: (probability: (score: number) => number) => number,
    chance: number,
    modelError: number,
  ): Metric {
    const variance = chance + calibrationVariance(calibration, figure) + modelError ** 2;
    return withInterval({ value: figure(calibration.probability), standardError: Math.sqrt(variance) });
  }

  /** Of a mean to which an outcome of 1 adds so much. */
  function labelVariance(rows: Float64Array, gains: Float64Array): number {
    let sum = 0;
    for (const [row, score] of rows.entries()) {
      const p = calibration.probability(score);
      sum += p * (1 - p) * gains[row] ** 2;
    }
    return sum / rows.length ** 2;
  }
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Churners and stayers with a higher score than each row, ties half, by their probabilities. @param sorted Descending */
function* ranked(
  sorted: Float64Array,
  p: Float64Array,
): Generator<readonly [row: number, churners: number, stayers: number]> {
  let [churners, stayers] = [0, 0];
  for (let start = 0, end = 0; start < sorted.length; start = end) {
    let tied = 0;
    for (end = start; end < sorted.length && sorted[end] === sorted[start]; end++) tied += p[end];
    for (let row = start; row < end; row++) yield [row, churners + tied / 2, stayers + (end - start - tied) / 2];
    churners += tied;
    stayers += end - start - tied;
  }
}

/** P(a churner's score is higher than a stayer's) when each row is a churner with probability p; no row is both. */
function expectedAuc(sorted: Float64Array, p: Float64Array): number {
  let [pairs, churners, both] = [0, 0, 0];
  for (const [row, above] of ranked(sorted, p)) {
    pairs += (1 - p[row]) * above;
    churners += p[row];
    both += p[row] * (1 - p[row]);
  }
  // A row is half above itself in what is summed.
  return (pairs - both / 2) / (churners * (sorted.length - churners) - both);
}

/** What chance in who leaves makes of it, by each row's influence. */
function aucVariance(sorted: Float64Array, p: Float64Array): number {
  const churners = p.reduce((sum, one) => sum + one, 0);
  const stayers = sorted.length - churners;
  const auc = expectedAuc(sorted, p);
  let variance = 0;
  for (const [row, churnersAbove, stayersAbove] of ranked(sorted, p)) {
    const influence = (1 - stayersAbove / stayers - auc) / churners - (churnersAbove / churners - auc) / stayers;
    variance += p[row] * (1 - p[row]) * influence ** 2;
  }
  return variance;
}
