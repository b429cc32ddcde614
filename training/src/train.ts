/**
 * Training, from data to a model directory, as one readable sequence:
 *
 *     read ─▶ split ─▶ fit ─▶ calibration, threshold (out-of-bag) ─▶ metrics (holdout) ─▶ model directory ─▶ ledger, run, report
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import {
  calibrator,
  checkReplaceable,
  compileFeatures,
  FORMAT_VERSION,
  ForestKernel,
  type ForestParameters,
  type ModelContent,
  type ModelManifest,
  readDataset,
  writeModelDirectory,
} from "@churn/contract";
import { chooseCalibration } from "./calibration/choice.ts";
import { openCustomers } from "./data/reader.ts";
import { defaultDataPath, findData, hashData } from "./data/source.ts";
import { readTrainingSet, type Sample, splitSamples } from "./data/training-set.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import { importanceSample } from "./evaluation/importance.ts";
import { chooseThreshold } from "./evaluation/threshold.ts";
import { checkForestParameters } from "./forest/parameters.ts";
import { fitForest } from "./forest/random-forest.ts";
import { describeCode, describeEngine } from "./lineage.ts";
import type { Logger } from "./logger.ts";
import { describeModel } from "./model-card.ts";
import { profileFeatures, typicalCustomer } from "./profile.ts";
import { championVersion, checkLedger, recordReplacement } from "./registry/ledger.ts";
import { checkReportPath } from "./report/path.ts";
import { checkPlace } from "./staged-output.ts";
import { type TrackingTarget, writeRun } from "./tracking/run.ts";
import { reportTraining } from "./training-report.ts";

/** Rows that are scored between two turns of the event loop: a fifth of a second. */
const STEP_ROWS = 32_768;

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
  /** An .html file for the report of the holdout; none without it. */
  readonly report?: string | undefined;
  readonly now: () => Date;
  readonly log: Logger;
  readonly onProgress?: (phase: string) => void;
}

export interface TrainResult {
  readonly manifest: ModelManifest;
  readonly directory: string;
  readonly run: string | null;
  /** Null when none was asked for or it could not be written. */
  readonly report: string | null;
  readonly findings: Readonly<Record<string, number>>;
  readonly extraColumns: readonly string[];
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { log, seed, parameters, now, onProgress = () => {} } = options;
  checkForestParameters(parameters);
  checkReplaceable(options.out);
  if (options.report !== undefined) checkReportPath(options.report, [options.dataset, options.out]);
  checkPlace(options.out);
  checkLedger(options.out);
  const started = now();
  const dataset = readDataset(options.dataset);
  const features = compileFeatures(dataset, options.dataset);
  const source = findData(options.data ?? defaultDataPath(options.dataset, dataset.name));
  if (options.report !== undefined) checkReportPath(options.report, source.files);
  log.info({ event: "train.started", dataset: dataset.name, data: source.path, seed }, "training started");

  onProgress("reading customers");
  const dataSha256 = await hashData(source); // before it is read: a file that changes meanwhile is not what was trained on
  const reader = await openCustomers(source, dataset, { labelled: true });
  const { extraColumns } = reader;
  const heldOut = importanceSample(seed);
  const set = await readTrainingSet(reader, source.path, dataset, features, heldOut).finally(reader.close);
  log.info(
    { event: "data.loaded", rows: set.rows, features: features.length, durationMs: since(started, now) },
    "data loaded",
  );

  if (dataset.key !== undefined && !reader.columns.includes(dataset.key)) {
    log.warn({ event: "data.keyless", column: dataset.key }, "no key column: the holdout is chosen by row number");
  }

  onProgress("preparing features");
  const fitStarted = now();
  const { training, holdout } = splitSamples(set);
  const { forest, outOfBagScores } = await fitForest(training.columns, training.labels, parameters, {
    seed,
    nJobs: options.nJobs,
    onProgress: (done) => onProgress(`growing trees: ${done} of ${parameters.nEstimators}`),
  });
  const nNodes = forest.feature.length;
  log.info({ event: "forest.fitted", nodes: nNodes, durationMs: since(fitStarted, now) }, "forest fitted");

  onProgress("scoring the held-out customers");
  const evaluationStarted = now();
  const trainingChurners = training.labels.reduce((sum, label) => sum + label, 0);
  const calibration = chooseCalibration({ scores: outOfBagScores, labels: training.labels }, seed);
  const calibrate = calibrator(calibration);
  const outOfBag = { scores: outOfBagScores.map(calibrate), labels: training.labels };
  const threshold = chooseThreshold(outOfBag, dataset.economics, seed);
  const forestScores = await scoreSample(new ForestKernel(forest), holdout);
  const scores = forestScores.map(calibrate);
  onProgress("evaluating");
  const evaluation = await evaluate(holdout, scores, {
    dataset,
    features,
    encodings: set.encodings,
    baseRate: trainingChurners / training.rows,
    threshold: threshold.value,
    forestScores: calibration.method === "none" ? undefined : forestScores,
    seed,
  });
  const reference = await profileFeatures(features, set.encodings, training.columns, scores);
  log.info(
    { event: "model.evaluated", ...evaluation.confusionMatrix, durationMs: since(evaluationStarted, now) },
    "model evaluated",
  );
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
    forest: { ...parameters, nNodes },
    calibration,
    threshold,
    ...evaluation,
    reference,
    inputExample: typicalCustomer(dataset, reference.features),
    lineage: {
      data: {
        sha256: dataSha256,
        rows: set.rows,
        trainingRows: training.rows,
        trainingChurners,
        splitBy: set.isKeyed ? "key" : "row",
      },
      seed,
      files: source.files,
      code: describeCode(),
      engine: describeEngine(),
      created: now().toISOString(),
      durationMs: since(started, now),
    },
  };

  const previousVersion = championVersion(options.out);
  const manifest = writeModelDirectory(options.out, content, forest, describeModel);
  const run = track(manifest, started, options);
  if (previousVersion !== undefined) recordReplacement(options.out, manifest, previousVersion, "churn train");
  onProgress("drawing the report");
  const outcome = { model: { manifest, features, forest }, source, set, holdout, scores, forestScores, heldOut };
  const report = options.report === undefined ? null : await reportTraining(options.report, outcome, log);
  const durationMs = since(started, now);
  log.info(
    { event: "train.finished", modelVersion: manifest.version, modelSha256: manifest.contentSha256, durationMs },
    "training finished",
  );
  return {
    manifest,
    directory: options.out,
    run,
    report,
    findings: set.findings,
    extraColumns,
  };
}

/** The forest's score of each row, in steps between which progress can be shown and a signal be seen. */
async function scoreSample(kernel: ForestKernel, { rows, columns }: Sample): Promise<Float64Array> {
  const scores = new Float64Array(rows);
  for (let start = 0; start < rows; start += STEP_ROWS) {
    await turn();
    const end = Math.min(start + STEP_ROWS, rows);
    const step = columns.map((column) => column.subarray(start, end));
    scores.set(kernel.predictColumns(step, end - start), start);
  }
  return scores;
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
      runId: randomUUID().replaceAll("-", ""), // as MLflow writes them
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
