/**
 * What the training data looked like: one summary per feature, kept in the model for drift checks, the
 * model card and the docs page's example.
 */
import { setImmediate as turn } from "node:timers/promises";
import type {
  CategoryEncodings,
  DatasetSpecification,
  Feature,
  FeatureReference,
  ModelManifest,
} from "@churn/contract";
import { featureColumnNames } from "@churn/contract";
import { quantile } from "./evaluation/metrics.ts";
import { sortFloats } from "./radix-sort.ts";

/** Quantiles at 0, 5, …, 100 %. */
const QUANTILES = Array.from({ length: 21 }, (_, i) => i / 20);
const MEDIAN = QUANTILES.indexOf(0.5);

/**
 * @param columns Encoded training rows, one column per feature.
 * @param scores The model's scores on the holdout.
 */
export async function profileFeatures(
  features: readonly Feature[],
  encodings: CategoryEncodings,
  columns: readonly Float32Array[],
  scores: Float64Array,
): Promise<ModelManifest["reference"]> {
  const summaries: Record<string, FeatureReference> = {};
  for (const [f, { name, kind }] of features.entries()) {
    await turn(); // so that progress can be shown, and a signal be seen
    summaries[name] = kind === "category" ? countLevels(encodings[name], columns[f]) : summarise(columns[f]);
  }
  return { features: summaries, scores: quantiles(scores.toSorted()) };
}

function countLevels(levels: readonly string[], column: Float32Array): FeatureReference {
  const counts = new Array<number>(levels.length).fill(0);
  let missing = 0;
  for (const code of column) {
    if (Number.isNaN(code)) missing++;
    else counts[code]++;
  }
  return { kind: "category", missing, counts: Object.fromEntries(levels.map((level, code) => [level, counts[code]])) };
}

function summarise(column: Float32Array): FeatureReference {
  const present = new Float32Array(column.length);
  let count = 0;
  let sum = 0;
  for (const value of column) {
    if (Number.isNaN(value)) continue;
    present[count++] = value;
    sum += value;
  }
  const missing = column.length - count;
  if (count === 0) return { kind: "number", missing, mean: null, quantiles: [] };
  return { kind: "number", missing, mean: sum / count, quantiles: quantiles(sortFloats(present.subarray(0, count))) };
}

const quantiles = (sorted: Float64Array | Float32Array): number[] => QUANTILES.map((q) => quantile(sorted, q));

/** To four digits. */
const round = (value: number): number => Number(value.toPrecision(4));

/** Median numbers and most frequent levels: a valid request that looks like a customer. */
export function typicalCustomer(
  dataset: DatasetSpecification,
  reference: Readonly<Record<string, FeatureReference>>,
): ModelManifest["inputExample"] {
  const value = (name: string): number | string | boolean | null => {
    const summary = reference[name];
    if (summary.kind === "category") return mostFrequent(summary.counts);
    const { type, minimum = -Infinity, maximum = Infinity } = dataset.columns[name];
    const median = summary.quantiles[MEDIAN];
    if (median === undefined) return null;
    if (type === "boolean") return median >= 0.5;
    // Values outside the bounds are findings in a file, but would be refused in a request.
    if (type !== "integer") return Math.min(maximum, Math.max(minimum, round(median)));
    return Math.min(Math.floor(maximum), Math.max(Math.ceil(minimum), Math.round(median)));
  };
  return Object.fromEntries(featureColumnNames(dataset).map((name) => [name, value(name)]));
}

function mostFrequent(counts: Readonly<Record<string, number>>): string | null {
  const [first] = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return first?.[0] ?? null;
}
