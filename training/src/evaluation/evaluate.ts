/**
 * How a model does on customers it has never seen: its metrics beside those of a base-rate guess, of contacting
 * everyone and no one, and, where it is known, of the truth; and its metrics on each slice of the customers.
 */
import { setImmediate as turn } from "node:timers/promises";
import type {
  CategoryEncodings,
  DatasetSpecification,
  Economics,
  Feature,
  Metric,
  Metrics,
  ModelContent,
  SliceMetrics,
} from "@churn/contract";
import { take } from "../data/take.ts";
import type { Sample } from "../data/training-set.ts";
import { rowsWhere } from "../sample.ts";
import { calibrationError } from "./calibration-error.ts";
import { contactValues } from "./economics.ts";
import { computeMetrics, confusionMatrix } from "./metrics.ts";
import { f1 } from "./threshold.ts";

export type Evaluation = Pick<
  ModelContent,
  "metrics" | "confusionMatrix" | "calibrationError" | "uncalibrated" | "baselines" | "slices"
>;

/** What the rows of a sample mean, and how they are judged. */
export interface EvaluationContext {
  readonly dataset: DatasetSpecification;
  readonly features: readonly Feature[];
  readonly encodings: CategoryEncodings;
  /** Share of churners among the training rows. */
  readonly baseRate: number;
  readonly threshold: number;
  /** The forest's scores of the same rows, where calibration has changed them. */
  readonly forestScores?: Float64Array | undefined;
  readonly seed: number;
}

type Measure = (scores: Float64Array, labels: Uint8Array) => Promise<Metrics>;

/** @param scores P(churn) of each row of the holdout. */
export async function evaluate(holdout: Sample, scores: Float64Array, context: EvaluationContext): Promise<Evaluation> {
  const { dataset, baseRate, threshold, forestScores, seed } = context;
  const decision = { threshold, economics: dataset.economics };
  const measure: Measure = async (values, truths) => {
    await turn(); // resampling takes a while: progress can be shown, and a signal be seen
    return computeMetrics({ scores: values, labels: truths }, decision, seed);
  };
  const { rows, labels, truth } = holdout;
  const guess = await measure(new Float64Array(rows).fill(baseRate), labels);
  const everyone = contactEveryone(guess.average_precision, dataset.economics);
  return {
    metrics: await measure(scores, labels),
    confusionMatrix: confusionMatrix({ scores, labels }, threshold),
    calibrationError: await calibrationError({ scores, labels }, seed),
    ...(forestScores && { uncalibrated: await measure(forestScores, labels) }),
    baselines: {
      base_rate: guess,
      contact_everyone: everyone,
      contact_no_one: Object.fromEntries(Object.keys(everyone).map((name) => [name, NOTHING])),
      ...(truth && { truth: await measure(truth, labels) }),
    },
    slices: await measureSlices(holdout, scores, context, measure),
  };
}

/** Of nobody contacted: no churner reached, no money made. */
const NOTHING: Metric = { value: 0, low: 0, high: 0 };

/**
 * The metrics of contacting everybody: all follow from the share of churners and rise with it, so do their intervals.
 *
 * @param share That share, in [0, 1]: the average precision of a guess that is the same for everyone.
 */
function contactEveryone(share: Metric, economics: Economics | undefined): Metrics {
  const from = (metric: (churners: number) => number): Metric => ({
    value: metric(share.value),
    low: metric(share.low),
    high: metric(share.high),
  });
  const worth = economics && contactValues(economics);
  return {
    f1_score: from((churners) => f1(churners, 1 - churners, churners)),
    precision_score: share,
    recall_score: from(() => 1),
    ...(worth && {
      profit_per_customer: from((churners) => churners * worth.churner + (1 - churners) * worth.stayer),
    }),
  };
}

/** The metrics of each group of each slice; a boolean's levels are "false" and "true". */
async function measureSlices(
  { rows, columns, labels }: Sample,
  scores: Float64Array,
  { dataset, features, encodings }: EvaluationContext,
  measure: Measure,
): Promise<SliceMetrics[]> {
  const slices: SliceMetrics[] = [];
  for (const column of dataset.slices ?? []) {
    const f = features.findIndex(({ name }) => name === column);
    const values = columns[f];
    const levels = features[f].kind === "category" ? encodings[column] : ["false", "true"];
    for (const [code, level] of levels.entries()) {
      const members = rowsWhere(rows, (row) => values[row] === code);
      if (members.length === 0) continue;
      const metrics = await measure(take(scores, members), take(labels, members));
      slices.push({ column, level, rows: members.length, metrics });
    }
  }
  return slices;
}
