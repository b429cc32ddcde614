/**
 * How a model has done on customers whose horizon is over, beside how it did on those that its training held out.
 *
 * Only mature predictions count. A customer who left early is known at once and one who stayed is not, so that among all
 * that is known so far too many have left.
 */
import type { Economics, Metric, Metrics } from "@churn/contract";
import { take } from "../data/take.ts";
import { contactValues } from "../evaluation/economics.ts";
import { logLossOf } from "../evaluation/metrics.ts";
import { weightedAuc } from "../statistics/auc.ts";
import { type Estimate, weightedMean, withInterval, Z95 } from "../statistics/estimate.ts";
import { normalUpperTail } from "../statistics/gamma.ts";
import type { PerformanceFloors, PerformanceTest } from "./finding.ts";
import type { JudgedWindow } from "./judged-window.ts";
import { observedTest } from "./observed-expected.ts";
import { type CalibratedScores, calibrationVariance } from "./score-calibration.ts";

/** With fewer customers, or fewer of either kind, nothing is tested. */
export const LEAST_LABELLED = 200;
export const LEAST_OF_A_KIND = 20;

/** Customers with an outcome. */
export interface LabelledScores {
  readonly scores: Float64Array;
  readonly decisions: Uint8Array;
  readonly labels: Uint8Array;
  readonly weights: Float64Array;
}

/** Those whose outcome is known; who weighs nothing is not among them. */
export function labelledScores(
  window: JudgedWindow,
  weights: Float64Array,
  isMature: (row: number) => boolean = () => true,
): LabelledScores {
  const rows = Uint32Array.from(window.scores.keys()).filter(
    (row) => window.labels[row] <= 1 && weights[row] > 0 && isMature(row),
  );
  return {
    scores: take(window.scores, rows),
    decisions: take(window.decisions, rows),
    labels: take(window.labels, rows),
    weights: take(weights, rows),
  };
}

export function areEnough({ labels }: LabelledScores): boolean {
  const churners = labels.reduce((sum, label) => sum + label, 0);
  return labels.length >= LEAST_LABELLED && Math.min(churners, labels.length - churners) >= LEAST_OF_A_KIND;
}

/** Each with its standard error. */
export function measureOutcomes(
  { scores, decisions, labels, weights }: LabelledScores,
  economics: Economics | undefined,
): Readonly<Record<string, Estimate>> {
  const mean = (value: (row: number) => number): Estimate =>
    weightedMean(Float64Array.from(scores.keys(), value), weights);
  const auc = weightedAuc(scores, labels, weights);
  const worth = economics && contactValues(economics);
  return {
    ...(auc && { roc_auc: auc }),
    log_loss: mean((row) => logLossOf(scores[row], labels[row])),
    brier_score_loss: mean((row) => (scores[row] - labels[row]) ** 2),
    ...(worth && {
      profit_per_customer: mean((row) => decisions[row] * (labels[row] === 1 ? worth.churner : worth.stayer)),
    }),
  };
}

/** With their intervals; none where too few outcomes are known. */
export function metricsOf(labelled: LabelledScores, economics: Economics | undefined): Record<string, Metric> {
  if (!areEnough(labelled)) return {};
  const measured = Object.entries(measureOutcomes(labelled, economics));
  return Object.fromEntries(measured.map(([name, estimate]) => [name, withInterval(estimate)]));
}

/** @param reference Figures of the held-out customers. */
export function testOutcomes(
  labelled: LabelledScores,
  {
    reference,
    economics,
    calibration,
    floors,
  }: {
    readonly reference: Metrics;
    readonly economics: Economics | undefined;
    readonly calibration: CalibratedScores;
    readonly floors: PerformanceFloors;
  },
): PerformanceTest[] {
  const measured = measureOutcomes(labelled, economics);
  const compared: PerformanceTest[] = [
    compare("roc_auc", -1, floors.rocAuc),
    compare("log_loss", 1, floors.logLoss),
    compare("profit_per_customer", -1, floors.profit * Math.abs(reference.profit_per_customer?.value ?? 0)),
  ].filter((test) => test !== undefined);
  return [...compared, testObserved(labelled, calibration, floors.observedExpected)];

  /** @param worse The sign of a change for the worse. */
  function compare(
    metric: "roc_auc" | "log_loss" | "profit_per_customer",
    worse: 1 | -1,
    floor: number,
  ): PerformanceTest | undefined {
    const [now, before] = [measured[metric], reference[metric]];
    if (now === undefined || before === undefined) return undefined;
    const error = Math.hypot(now.standardError, (before.high - before.low) / (2 * Z95));
    const change = worse * (now.value - before.value);
    if (error === 0) return undefined; // the same for everybody, as where no contact pays
    return {
      metric,
      ...withInterval(now),
      reference: before.value,
      pValue: normalUpperTail(change / error),
      isHarmful: change >= floor,
    };
  }
}

/** Whether as many have left as their probabilities say, which is what all that is decided by them rests on. */
function testObserved(
  { scores, labels, weights }: LabelledScores,
  calibration: CalibratedScores,
  floor: number,
): PerformanceTest {
  let [observed, variance] = [0, 0];
  const probabilities = scores.map(calibration.probability);
  for (let row = 0; row < scores.length; row++) {
    observed += weights[row] * labels[row];
    variance += weights[row] ** 2 * probabilities[row] * (1 - probabilities[row]);
  }
  const sum = (values: Float64Array): number => values.reduce((total, value, row) => total + weights[row] * value, 0);
  return observedTest({
    observed,
    expected: sum(probabilities),
    variance: variance + calibrationVariance(calibration, (probability) => sum(scores.map(probability))),
    floor,
  });
}
