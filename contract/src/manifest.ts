/**
 * `model.json`: what a model says of itself. Everything serving needs to know is in it; it knows nothing else.
 */
import { createHash } from "node:crypto";
import type { Calibration, CalibrationMethod } from "./calibration.ts";
import type { DatasetSpecification } from "./dataset.ts";
import type { CategoryEncodings } from "./features.ts";

/** Raised when a reader of the old format could misread the new one. */
export const FORMAT_VERSION = 3;

/** An estimate with its 95 % confidence interval. */
export interface Metric {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export type Metrics = Readonly<Record<string, Metric>>;

/** Holdout customers by what the threshold says and what they did; a score that reaches it is a positive. */
export interface ConfusionMatrix {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/** How the holdout customers of one group fare. */
export interface SliceMetrics {
  readonly column: string;
  readonly level: string;
  readonly rows: number;
  readonly metrics: Metrics;
}

/** scikit-learn's parameters, in camel case. */
export interface ForestParameters {
  readonly nEstimators: number;
  readonly maxDepth: number;
  readonly minSamplesLeaf: number;
  /** Rows drawn per tree, with replacement, as a share of all. */
  readonly maxSamples: number;
  /** Features tried per split: a count, or a share of all in (0, 1) written with a point. */
  readonly maxFeatures: number;
  /** Bins per feature, missing values apart. */
  readonly maxBins: number;
}

/** What turns the forest's score into P(churn), and how it was chosen. */
export type ModelCalibration = Calibration & {
  /** Cross-validated log-loss of each candidate, on out-of-bag scores. */
  readonly logLoss: Readonly<Partial<Record<CalibrationMethod, number>>>;
  /** Why this one, for people. */
  readonly reason: string;
};

/** How far probabilities are from the shares that churned, in 15 bins of equal number of customers. */
export interface CalibrationError {
  /** The mean distance (expected calibration error). Chance alone keeps it above 0. */
  readonly ece: number;
  /** That of a model that is right, on as many customers with the same scores: its mean, and its 95 % quantile. */
  readonly noise: { readonly mean: number; readonly high: number };
}

export interface Threshold {
  /** A customer is predicted to churn when P(churn) ≥ value. */
  readonly value: number;
  readonly method: "expected_profit" | "f1";
  /** 95 % interval of a value that was searched for; one that follows from the economics has none. */
  readonly interval?: readonly [low: number, high: number];
  /** Why this value, for people. */
  readonly reason: string;
}

/** How one feature looked in the training data. */
export type FeatureReference =
  | { readonly kind: "number"; readonly missing: number; readonly mean: number | null; readonly quantiles: number[] }
  | { readonly kind: "category"; readonly missing: number; readonly counts: Readonly<Record<string, number>> };

export interface Lineage {
  /** Part of the content hash: */
  readonly data: {
    readonly sha256: string;
    readonly rows: number;
    readonly trainingRows: number;
    /** Churners among the training rows; a model of before this was kept has none. */
    readonly trainingChurners?: number;
    /** What decided who is held out: the customer's key, or, where some had none, the number of the row. */
    readonly splitBy?: "key" | "row";
  };
  readonly seed: number;
  /** Outside the content hash: */
  readonly files: readonly string[];
  readonly code: {
    readonly commit: string | null;
    readonly contractTree: string | null;
    readonly trainingTree: string | null;
    readonly lockfileSha256: string | null;
    /** Whether the working tree differed from the commit. */
    readonly modified: boolean | null;
  };
  readonly engine: Readonly<Record<string, string>>;
  readonly created: string;
  readonly durationMs: number;
  /** Where the forest's parameters were searched for: forests tried, and whether the search came to its end. */
  readonly tuning?: { readonly trials: number; readonly isComplete: boolean };
}

export interface ModelManifest {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly name: string;
  /** Date-time and the first 8 hex digits of the content hash: `20261123T204500Z-1a2b3c4d`. */
  readonly version: string;
  readonly contentSha256: string;
  /** sha256 of every other file of the directory. */
  readonly files: Readonly<Record<string, string>>;
  readonly dataset: DatasetSpecification;
  /** In the order of the forest's feature indices. */
  readonly features: readonly { readonly name: string; readonly kind: string; readonly expression?: string }[];
  readonly encodings: CategoryEncodings;
  readonly forest: ForestParameters & { readonly nNodes: number };
  readonly calibration: ModelCalibration;
  readonly threshold: Threshold;
  readonly metrics: Metrics;
  readonly confusionMatrix: ConfusionMatrix;
  readonly calibrationError: CalibrationError;
  /** The metrics of the forest's scores, on the same customers, where calibration has changed them. */
  readonly uncalibrated?: Metrics;
  /**
   * The same metrics, on the same customers, of other predictors: the base rate, and the truth where it is known; of
   * `contact_everyone` and `contact_no_one` those of decisions.
   */
  readonly baselines: Readonly<Record<string, Metrics>>;
  readonly slices: readonly SliceMetrics[];
  readonly reference: {
    readonly features: Readonly<Record<string, FeatureReference>>;
    readonly scores: readonly number[];
  };
  /** A typical customer, a valid request. */
  readonly inputExample: Readonly<Record<string, number | string | boolean | null>>;
  readonly lineage: Lineage;
}

export const FOREST_FILE = "forest.safetensors";
/** How the training data looked, for who checks whether customers still do. The service verifies it, and reads no more of it. */
export const REFERENCE_FILE = "reference.safetensors";
export const CARD_FILE = "MODEL_CARD.md";
export const MANIFEST_FILE = "model.json";

/** What a manifest is before it has a version: everything that follows from data, specification, parameters and seed. */
export type ModelContent = Omit<ModelManifest, "version" | "contentSha256" | "files">;

/**
 * The hash of what a model is: the same for the same data, specification, parameters and seed, whenever
 * and wherever it was trained. Who trained it, when and how fast stay outside.
 *
 * @param files sha256 of the files with tensors.
 */
export function contentHash(content: ModelContent, files: Readonly<Record<string, string>>): string {
  const { formatVersion, name, dataset, features, encodings, forest, calibration, threshold } = content;
  const { metrics, confusionMatrix, calibrationError, uncalibrated, baselines, slices, reference, inputExample } =
    content;
  const { data, seed } = content.lineage;
  const parts = [files[FOREST_FILE], files[REFERENCE_FILE]];
  const identity = [formatVersion, name, dataset, features, encodings, forest, calibration, threshold];
  const judged = [metrics, confusionMatrix, calibrationError, uncalibrated, baselines, slices];
  return sha256(JSON.stringify([...identity, ...judged, reference, inputExample, data, seed, ...parts]));
}

/** Whether a value is a lineage: most of it lies outside the content hash, so no checksum can tell. */
export function isLineage(value: unknown): value is Lineage {
  const { data, seed, files, code, engine, created, durationMs } = (value ?? {}) as Partial<Lineage>;
  const areTexts = (values: readonly unknown[]): boolean => values.every((one) => typeof one === "string");
  const { commit, contractTree, trainingTree, lockfileSha256, modified } = code ?? ({} as Partial<Lineage["code"]>);
  return (
    typeof data?.sha256 === "string" &&
    [data.rows, data.trainingRows].every(Number.isFinite) &&
    [seed, durationMs].every(Number.isFinite) &&
    Array.isArray(files) &&
    areTexts(files) &&
    [commit, contractTree, trainingTree, lockfileSha256].every((one) => one === null || typeof one === "string") &&
    (modified === null || typeof modified === "boolean") &&
    typeof engine === "object" &&
    areTexts(Object.values(engine ?? { none: undefined })) &&
    typeof created === "string" &&
    !Number.isNaN(Date.parse(created))
  );
}

/** Version of content that was made at `created` (ISO 8601). */
export function modelVersion(created: string, contentSha256: string): string {
  const time = created.replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  return `${time}-${contentSha256.slice(0, 8)}`;
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
