/**
 * Metrics of scores against labels, named and defined as in scikit-learn, with bootstrap intervals.
 *
 * Everything is computed from rows sorted once by score and weighted by a count each: the estimate gives
 * every row the weight 1, a bootstrap resample gives it a Poisson(1) count. So one resample is one pass.
 */
import type { ConfusionMatrix, Economics, Metric, Metrics } from "@churn/contract";
import { drawBootstrap } from "../bootstrap.ts";
import { take } from "../data/take.ts";
import { descendingOrder } from "../radix-sort.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { rmsCalibrationError } from "./calibration-error.ts";
import { contactValues } from "./economics.ts";

/** Scores and labels of the same rows. */
export interface Scored {
  /** P(churn), in [0, 1]. */
  readonly scores: Float64Array;
  /** 1 is churn. */
  readonly labels: Uint8Array;
}

const RESAMPLES = 200;
/** Of more rows, a sample of so many is resampled: 200 passes over millions would say the same, in minutes. */
const RESAMPLED_ROWS = 100_000;
const RESAMPLED_PER_CLASS = 1000;
/** A stream that no resample draws from: they are numbered from 0. */
const SAMPLE_STREAM = -1;
/** Two-sided 95 %, percentile method. */
const LOW_QUANTILE = 0.025;
const HIGH_QUANTILE = 0.975;
/** Keeps a logarithm finite; the same as scikit-learn's for float64. */
const EPSILON = 2 ** -52;

/** What a metric at the threshold may depend on. */
export interface Decision {
  readonly threshold: number;
  readonly economics?: Economics | undefined;
}

/** Rows in descending order of score, as plain arrays. */
interface Sorted {
  readonly scores: Float64Array;
  readonly labels: Uint8Array;
  /** The log-loss of each row. */
  readonly losses: Float64Array;
  /** Rows before this position are predicted to churn. */
  readonly nPositive: number;
}

/**
 * `roc_auc`, `average_precision`, `log_loss`, `brier_score_loss`, `rms_calibration_error`; at the threshold `f1_score`,
 * `precision_score`, `recall_score` and, with economics, `profit_per_customer`. Each with its 95 % interval;
 * one that the rows do not define (an AUC of one class) is left out.
 */
export function computeMetrics(scored: Scored, decision: Decision, seed: number): Metrics {
  const { economics } = decision;
  const sorted = sortByScore(scored, decision.threshold);
  const estimate = unweightedMetrics(sorted, economics);
  const sample = rowsToResample(sorted, new Random(seed, SAMPLE_STREAM));
  const center = sample === sorted ? estimate : unweightedMetrics(sample, economics);
  const shrinkage = Math.sqrt(sample.scores.length / sorted.scores.length);
  const weights = new Uint8Array(sample.scores.length);
  const resamples: Record<string, number>[] = Array.from({ length: RESAMPLES }, (_, resample) => {
    drawBootstrap(new Random(seed, resample), 1, weights);
    return weightedMetrics(sample, weights, 2, economics);
  });
  const rescale = (name: string, value: number): number =>
    sample === sorted ? value : estimate[name] + shrinkage * (value - center[name]);
  const metrics = Object.entries(estimate).map(([name, value]): [string, Metric] => {
    const resampled = resamples.map((resample) => rescale(name, resample[name]));
    return [name, withInterval(value, resampled)];
  });
  return Object.fromEntries(metrics.filter(([, metric]) => Object.values(metric).every(Number.isFinite)));
}

function unweightedMetrics(sorted: Sorted, economics?: Economics): Record<string, number> {
  return weightedMetrics(sorted, new Uint8Array(sorted.scores.length).fill(1), 1, economics);
}

/**
 * At most `RESAMPLED_ROWS` of the rows, but all of them where that would leave too few of a class. Of m among n rows,
 * resamples spread √(n / m) times as wide as of all.
 *
 * @source Bickel, Götze and van Zwet 1997, "Resampling fewer than n observations"
 */
function rowsToResample(sorted: Sorted, random: Random): Sorted {
  const rows = sorted.scores.length;
  const churners = sorted.labels.reduce((sum, label) => sum + label, 0);
  const rarer = Math.min(churners, rows - churners);
  if (rows <= RESAMPLED_ROWS || (rarer / rows) * RESAMPLED_ROWS < RESAMPLED_PER_CLASS) return sorted;
  return rowsOf(sorted, sampleRows(rows, RESAMPLED_ROWS, random));
}

function rowsOf(sorted: Sorted, rows: Uint32Array): Sorted {
  return {
    scores: take(sorted.scores, rows),
    labels: take(sorted.labels, rows),
    losses: take(sorted.losses, rows),
    nPositive: rows.findLastIndex((row) => row < sorted.nPositive) + 1,
  };
}

function withInterval(value: number, resampled: readonly number[]): Metric {
  const sorted = Float64Array.from(resampled.filter(Number.isFinite)).sort();
  return { value, low: quantile(sorted, LOW_QUANTILE), high: quantile(sorted, HIGH_QUANTILE) };
}

function sortByScore({ scores, labels }: Scored, threshold: number): Sorted {
  const order = descendingOrder(scores);
  const sortedScores = take(scores, order);
  const firstNegative = sortedScores.findIndex((score) => score < threshold);
  return {
    scores: sortedScores,
    labels: take(labels, order),
    losses: sortedScores.map((score, i) => logLossOf(score, labels[order[i]])),
    nPositive: firstNegative === -1 ? order.length : firstNegative,
  };
}

/** The log-loss of one customer. */
export function logLossOf(score: number, label: number): number {
  const probability = Math.min(1 - EPSILON, Math.max(EPSILON, label === 1 ? score : 1 - score));
  return -Math.log(probability);
}

/**
 * One pass from the highest score down; rows of equal score count as one step of the curves.
 *
 * @param noise See `rmsCalibrationError`.
 */
function weightedMetrics(
  { scores, labels, losses, nPositive }: Sorted,
  weights: Uint8Array,
  noise: 1 | 2,
  economics?: Economics,
) {
  let positives = 0; // weight of churners at or above the current score
  let negatives = 0;
  let pairs = 0; // (churner, stayer) pairs in the right order, ties half
  let precisionSum = 0;
  let loss = 0;
  let squares = 0;
  let truePositives = 0;
  let falsePositives = 0;
  for (let i = 0; i < scores.length; ) {
    const score = scores[i];
    let churners = 0;
    let stayers = 0;
    const start = i;
    for (; i < scores.length && scores[i] === score; i++) {
      const weight = weights[i];
      loss += weight * losses[i];
      if (labels[i] === 1) churners += weight;
      else stayers += weight;
    }
    pairs += stayers * (positives + churners / 2);
    positives += churners;
    negatives += stayers;
    squares += churners * (1 - score) ** 2 + stayers * score ** 2;
    if (churners > 0) precisionSum += (churners * positives) / (positives + negatives);
    if (start < nPositive) {
      truePositives = positives;
      falsePositives = negatives;
    }
  }
  const total = positives + negatives;
  const worth = economics && contactValues(economics);
  return {
    roc_auc: pairs / (positives * negatives),
    average_precision: precisionSum / positives,
    log_loss: loss / total,
    brier_score_loss: squares / total,
    rms_calibration_error: rmsCalibrationError(scores, labels, weights, noise),
    f1_score: (2 * truePositives) / (positives + truePositives + falsePositives),
    precision_score: truePositives + falsePositives === 0 ? 0 : truePositives / (truePositives + falsePositives),
    recall_score: truePositives / positives,
    ...(worth && { profit_per_customer: (truePositives * worth.churner + falsePositives * worth.stayer) / total }),
  };
}

export function confusionMatrix({ scores, labels }: Scored, threshold: number): ConfusionMatrix {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < scores.length; i++) counts[2 * +(scores[i] >= threshold) + labels[i]]++;
  const [trueNegatives, falseNegatives, falsePositives, truePositives] = counts;
  return { truePositives, falsePositives, falseNegatives, trueNegatives };
}

/** Linear interpolation between order statistics (numpy's default). */
export function quantile(sorted: Float64Array | Float32Array, q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
