/**
 * What the training data looked like: one summary per feature, kept in the model for drift checks, the
 * model card and the docs page's example.
 */
import type {
  CategoryEncodings,
  DatasetSpecification,
  Feature,
  FeatureReference,
  ModelManifest,
} from "@churn/contract";
import { featureColumnNames } from "@churn/contract";
import { quantile } from "./evaluation/metrics.ts";

/** Quantiles at 0, 5, …, 100 %. */
const QUANTILES = Array.from({ length: 21 }, (_, i) => i / 20);
const MEDIAN = QUANTILES.indexOf(0.5);

/**
 * @param columns Encoded training rows, one column per feature.
 * @param scores The model's scores on the holdout.
 */
export function profileFeatures(
  features: readonly Feature[],
  encodings: CategoryEncodings,
  columns: readonly Float32Array[],
  scores: Float64Array,
): ModelManifest["reference"] {
  return {
    features: Object.fromEntries(
      features.map(({ name, kind }, f) => [
        name,
        kind === "category" ? countLevels(encodings[name], columns[f]) : summarise(columns[f]),
      ]),
    ),
    scores: quantiles(scores.slice()),
  };
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
  const present = Float64Array.from(column.filter((value) => !Number.isNaN(value)));
  const missing = column.length - present.length;
  if (present.length === 0) return { kind: "number", missing, mean: null, quantiles: [] };
  const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
  return { kind: "number", missing, mean, quantiles: quantiles(present) };
}

function quantiles(values: Float64Array): number[] {
  const sorted = values.sort();
  return QUANTILES.map((q) => quantile(sorted, q));
}

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
