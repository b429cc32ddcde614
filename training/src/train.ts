/**
 * Training, from data to a model directory, as one readable sequence:
 *
 *     read ─▶ split ─▶ fit ─▶ threshold (out-of-bag) ─▶ metrics (holdout) ─▶ model directory ─▶ ledger, run
 */
import { join } from "node:path";
import {
  checkReplaceable,
  compileFeatures,
  type Feature,
  FORMAT_VERSION,
  ForestKernel,
  type ForestParameters,
  type Metrics,
  type ModelContent,
  type ModelManifest,
  readDataset,
  type SliceMetrics,
  type Threshold,
  writeModelDirectory,
} from "@churn/contract";
import { openCustomers } from "./data/reader.ts";
import { defaultDataPath, findData, hashData } from "./data/source.ts";
import { readTrainingSet, type TrainingSet } from "./data/training-set.ts";
import { computeMetrics, confusionMatrix, type Scored } from "./evaluation/metrics.ts";
import { chooseThreshold } from "./evaluation/threshold.ts";
import { checkForestParameters } from "./forest/parameters.ts";
import { type FittedForest, fitForest } from "./forest/random-forest.ts";
import { describeCode, describeEngine } from "./lineage.ts";
import type { Logger } from "./logger.ts";
import { describeModel } from "./model-card.ts";
import { profileFeatures, typicalCustomer } from "./profile.ts";
import { appendToLedger, currentVersion } from "./registry/ledger.ts";
import { type TrackingTarget, writeRun } from "./tracking/run.ts";

/** The name under which a registry knows the model. */
const MODEL_NAME = "churn";

export interface TrainOptions {
  readonly dataset: string;
  /** File, folder or glob; by default the data file beside the specification, or what `churn generate` wrote. */
  readonly data?: string | undefined;
  readonly out: string;
  readonly parameters: ForestParameters;
  readonly seed: number;
  readonly nJobs?: number | undefined;
  readonly tracking: TrackingTarget;
  readonly now: () => Date;
  readonly log: Logger;
  readonly onProgress?: (phase: string) => void;
}

export interface TrainResult {
  readonly manifest: ModelManifest;
  readonly directory: string;
  readonly run: string | null;
  readonly findings: Readonly<Record<string, number>>;
  readonly extraColumns: readonly string[];
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { log, seed, parameters, now, onProgress = () => {} } = options;
  checkForestParameters(parameters);
  checkReplaceable(options.out);
  const started = now();
  const dataset = readDataset(options.dataset);
  const features = compileFeatures(dataset, options.dataset);
  const source = findData(options.data ?? defaultDataPath(options.dataset, dataset.name));
  log.info({ event: "train.started", dataset: dataset.name, data: source.path, seed }, "training started");

  onProgress("reading customers");
  const reader = await openCustomers(source, dataset, { labelled: true });
  const { extraColumns } = reader;
  const set = await readTrainingSet(reader, source.path, dataset, features).finally(reader.close);
  log.info(
    { event: "data.loaded", rows: set.rows, features: features.length, durationMs: since(started, now) },
    "data loaded",
  );

  if (dataset.key !== undefined && !reader.columns.includes(dataset.key)) {
    log.warn({ event: "data.keyless", column: dataset.key }, "no key column: the holdout is chosen by row number");
  }

  const fitStarted = now();
  const { trainingRows, fitted } = await fit(set, options, onProgress);
  log.info(
    { event: "forest.fitted", nodes: fitted.forest.feature.length, durationMs: since(fitStarted, now) },
    "forest fitted",
  );

  onProgress("evaluating");
  const threshold = chooseThreshold(outOfBag(set, trainingRows, fitted), dataset.economics);
  const evaluation = evaluate(set, features, fitted, threshold, seed, dataset);
  log.info({ event: "model.evaluated", ...evaluation.confusionMatrix }, "model evaluated");
  const content: ModelContent = {
    formatVersion: FORMAT_VERSION,
    name: MODEL_NAME,
    dataset,
    features: features.map(({ name, kind, expression }) => ({
      name,
      kind,
      ...(expression && { expression: expression.source }),
    })),
    encodings: set.encodings,
    forest: { ...parameters, nNodes: fitted.forest.feature.length },
    calibration: { method: "none" },
    threshold,
    ...evaluation,
    inputExample: typicalCustomer(dataset, evaluation.reference.features),
    lineage: {
      data: { sha256: await hashData(source), rows: set.rows, trainingRows: trainingRows.length },
      seed,
      files: source.files,
      code: describeCode(),
      engine: describeEngine(),
      created: now().toISOString(),
      durationMs: since(started, now),
    },
  };

  const previousVersion = currentVersion(options.out);
  const manifest = writeModelDirectory(options.out, content, fitted.forest, describeModel);
  if (previousVersion !== undefined) {
    const { version, contentSha256 } = manifest;
    appendToLedger(options.out, {
      event: "replaced",
      at: content.lineage.created,
      version,
      contentSha256,
      previousVersion,
      reason: "churn train",
    });
  }
  const durationMs = since(started, now);
  log.info(
    { event: "train.finished", modelVersion: manifest.version, modelSha256: manifest.contentSha256, durationMs },
    "training finished",
  );
  return {
    manifest,
    directory: options.out,
    run: track(manifest, started, options),
    findings: Object.fromEntries(set.findings),
    extraColumns,
  };
}

async function fit(
  set: TrainingSet,
  { parameters, seed, nJobs }: TrainOptions,
  onProgress: (phase: string) => void,
): Promise<{ trainingRows: Uint32Array; fitted: FittedForest }> {
  const trainingRows = rowsWhere(set, 0);
  const columns = set.columns.map((column) => Float32Array.from(trainingRows, (row) => column[row]));
  const labels = Uint8Array.from(trainingRows, (row) => set.labels[row]);
  const fitted = await fitForest(columns, labels, parameters, {
    seed,
    nJobs,
    onProgress: (done) => onProgress(`growing trees: ${done} of ${parameters.nEstimators}`),
  });
  return { trainingRows, fitted };
}

function rowsWhere({ isHoldout }: TrainingSet, held: 0 | 1): Uint32Array {
  return Uint32Array.from(isHoldout.keys()).filter((row) => isHoldout[row] === held);
}

function outOfBag(set: TrainingSet, trainingRows: Uint32Array, { outOfBagScores }: FittedForest): Scored {
  return { scores: outOfBagScores, labels: Uint8Array.from(trainingRows, (row) => set.labels[row]) };
}

type Evaluation = Pick<ModelContent, "metrics" | "confusionMatrix" | "baselines" | "slices" | "reference">;

/** How the model does on customers it has never seen, beside the base rate and, where known, the truth. */
function evaluate(
  set: TrainingSet,
  features: readonly Feature[],
  { forest }: FittedForest,
  threshold: Threshold,
  seed: number,
  { economics, slices = [] }: ModelContent["dataset"],
): Evaluation {
  const rows = rowsWhere(set, 1);
  const labels = Uint8Array.from(rows, (row) => set.labels[row]);
  const scores = predictRows(new ForestKernel(forest), set.columns, rows);
  const decision = { threshold: threshold.value, economics };
  const measure = (values: Float64Array, truths: Uint8Array = labels): Metrics =>
    computeMetrics({ scores: values, labels: truths }, decision, seed);

  const baseRate =
    set.labels.reduce((sum, label, row) => sum + label * (1 - set.isHoldout[row]), 0) / (set.rows - rows.length);
  const baselines: Record<string, Metrics> = { base_rate: measure(new Float64Array(rows.length).fill(baseRate)) };
  if (set.truth !== undefined)
    baselines.truth = measure(Float64Array.from(rows, (row) => set.truth?.[row] ?? Number.NaN));
  const trainingColumns = set.columns.map((column) => column.filter((_, row) => set.isHoldout[row] === 0));
  return {
    metrics: measure(scores),
    confusionMatrix: confusionMatrix({ scores, labels }, threshold.value),
    baselines,
    slices: slices.flatMap((column) => measureSlice(column, set, features, rows, scores, measure)),
    reference: profileFeatures(features, set.encodings, trainingColumns, scores),
  };
}

function predictRows(kernel: ForestKernel, columns: readonly Float32Array[], rows: Uint32Array): Float64Array {
  const features = new Float32Array(columns.length);
  return Float64Array.from(rows, (row) => {
    for (let f = 0; f < columns.length; f++) features[f] = columns[f][row];
    return kernel.predictProba(features);
  });
}

/** The metrics of each group of a column; a boolean's levels are "false" and "true". */
function measureSlice(
  column: string,
  { encodings, columns, labels }: TrainingSet,
  features: readonly Feature[],
  rows: Uint32Array,
  scores: Float64Array,
  measure: (scores: Float64Array, labels: Uint8Array) => Metrics,
): SliceMetrics[] {
  const values = columns[features.findIndex(({ name }) => name === column)];
  return (encodings[column] ?? ["false", "true"]).flatMap((level, code) => {
    const members = Uint32Array.from(rows.keys()).filter((i) => values[rows[i]] === code);
    if (members.length === 0) return [];
    const metrics = measure(
      Float64Array.from(members, (i) => scores[i]),
      Uint8Array.from(members, (i) => labels[rows[i]]),
    );
    return [{ column, level, rows: members.length, metrics }];
  });
}

/** A run that cannot be written is a warning: tracking never costs a model. */
function track(
  manifest: ModelManifest,
  started: Date,
  { tracking, parameters, seed, log, now }: TrainOptions,
): string | null {
  if (tracking.warning !== undefined) log.warn({ event: "tracking.redirected" }, tracking.warning);
  const { version, metrics, lineage, contentSha256 } = manifest;
  try {
    return writeRun(tracking.folder, {
      runId: version,
      experiment: tracking.experiment,
      name: `train ${version}`,
      startTime: started.toISOString(),
      endTime: now().toISOString(),
      params: { ...parameters, seed, dataset: manifest.dataset.name },
      metrics,
      tags: { modelVersion: version, contentSha256 },
      lineage,
    });
  } catch (error) {
    const message = `the run could not be written to ${join(tracking.folder, tracking.experiment)}`;
    log.warn({ event: "tracking.failed", reason: (error as Error).message }, message);
    return null;
  }
}

function since(start: Date, now: () => Date): number {
  return now().getTime() - start.getTime();
}
