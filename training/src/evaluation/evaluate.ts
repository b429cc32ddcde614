/**
 * How a model does on customers it has never seen: its metrics beside those of a base-rate guess and, where it
 * is known, of the truth, and its metrics on each slice of the customers.
 */
import type {
  CategoryEncodings,
  DatasetSpecification,
  Feature,
  Metrics,
  ModelContent,
  SliceMetrics,
} from "@churn/contract";
import { type Sample, take } from "../data/training-set.ts";
import { computeMetrics, confusionMatrix } from "./metrics.ts";

export type Evaluation = Pick<ModelContent, "metrics" | "confusionMatrix" | "baselines" | "slices">;

/** What the rows of a sample mean, and how they are judged. */
export interface EvaluationContext {
  readonly dataset: DatasetSpecification;
  readonly features: readonly Feature[];
  readonly encodings: CategoryEncodings;
  /** Share of churners among the training rows. */
  readonly baseRate: number;
  readonly threshold: number;
  readonly seed: number;
}

/** @param scores P(churn) of each row of the holdout. */
export function evaluate(holdout: Sample, scores: Float64Array, context: EvaluationContext): Evaluation {
  const { dataset, baseRate, threshold, seed } = context;
  const decision = { threshold, economics: dataset.economics };
  const measure = (values: Float64Array, labels: Uint8Array): Metrics =>
    computeMetrics({ scores: values, labels }, decision, seed);
  const { rows, labels, truth } = holdout;
  return {
    metrics: measure(scores, labels),
    confusionMatrix: confusionMatrix({ scores, labels }, threshold),
    baselines: {
      base_rate: measure(new Float64Array(rows).fill(baseRate), labels),
      ...(truth && { truth: measure(truth, labels) }),
    },
    slices: (dataset.slices ?? []).flatMap((column) => measureSlice(column, holdout, scores, context, measure)),
  };
}

/** The metrics of each group of a column; a boolean's levels are "false" and "true". */
function measureSlice(
  column: string,
  { rows, columns, labels }: Sample,
  scores: Float64Array,
  { features, encodings }: EvaluationContext,
  measure: (scores: Float64Array, labels: Uint8Array) => Metrics,
): SliceMetrics[] {
  const values = columns[features.findIndex(({ name }) => name === column)];
  return (encodings[column] ?? ["false", "true"]).flatMap((level, code) => {
    const members = Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => values[row] === code);
    if (members.length === 0) return [];
    return [{ column, level, rows: members.length, metrics: measure(take(scores, members), take(labels, members)) }];
  });
}
