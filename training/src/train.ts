/**
 * Training, from data to a model directory, as one readable sequence:
 *
 *     read ─▶ split ─▶ fit ─▶ calibration, threshold (out-of-bag) ─▶ metrics (holdout) ─▶ model directory ─▶ ledger, report, run
 */
import { availableParallelism } from "node:os";
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
import { encodeReference, makeReference } from "./drift/reference.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import { importanceSample } from "./evaluation/importance.ts";
import { chooseThreshold } from "./evaluation/threshold.ts";
import { checkForestParameters } from "./forest/parameters.ts";
import { type FittedForest, fitForest } from "./forest/random-forest.ts";
import type { KernelName } from "./forest/tree-kernel.ts";
import { describeCode, describeEngine } from "./lineage.ts";
import type { Logger } from "./logger.ts";
import { startModelFolder } from "./mlflow/model-folder-thread.ts";
import { describeModel } from "./model-card.ts";
import { profileFeatures, typicalCustomer } from "./profile.ts";
import { checkLedger } from "./registry/ledger.ts";
import { replaceChampion } from "./registry/succession.ts";
import { checkReportPath } from "./report/path.ts";
import { checkPlace } from "./staged-output.ts";
import { newRunId, type Run } from "./tracking/run.ts";
import type { TrackingTarget } from "./tracking/target.ts";
import { type TrackedRun, trackRuns } from "./tracking/tracker.ts";
import { trainingRun, trialRun } from "./tracking/training-run.ts";
import { reportTraining } from "./training-report.ts";
import type { Judged, SearchResult, Trial } from "./tuning/search.ts";
import { tuneForest } from "./tuning/tune.ts";

/** Rows that are scored between two turns of the event loop: a fifth of a second. */
const STEP_ROWS = 32_768;

/** The name under which a registry knows the model. */
export const MODEL_NAME = "churn";

export interface TrainOptions {
  readonly dataset: string;
  /** File, folder or glob; by default the data file beside the specification, or what `churn generate` wrote. */
  readonly data?: string | undefined;
  readonly out: string;
  readonly parameters: ForestParameters;
  readonly seed: number;
  readonly nJobs?: number | undefined;
  /** Looks for better parameters, starting from those given; no trial starts after so many seconds. */
  readonly tune?: { readonly seconds: number } | undefined;
  /** As in `FitOptions`. */
  readonly kernel?: KernelName | undefined;
  readonly tracking: TrackingTarget;
  /** Name of the run; it has the model's version in it without one. */
  readonly runName?: string | undefined;
  /** Whether the model becomes a version of the registered model, and its challenger. */
  readonly register?: boolean | undefined;
  /** An .html file for the report of the holdout; none without it. */
  readonly report?: string | undefined;
  readonly now: () => Date;
  readonly log: Logger;
  readonly onProgress?: (phase: string) => void;
}

export interface TrainResult {
  readonly manifest: ModelManifest;
  readonly directory: string;
  /** Null when it could not be written. */
  readonly run: TrackedRun | null;
  /** Null when none was asked for or it could not be written. */
  readonly report: string | null;
  /** With `tune`: what was tried, the given parameters first. */
  readonly trials: readonly Trial[];
  readonly findings: Readonly<Record<string, number>>;
  readonly extraColumns: readonly string[];
}

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { log, seed, now, onProgress = () => {} } = options;
  checkForestParameters(options.parameters);
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
  const runId = newRunId();
  const trialRuns: Run[] = []; // recorded after that of the training, which they stand under
  const tuned =
    options.tune && (await tune(training, options.tune, trialRuns, { ...options, runId, dataset: dataset.name }));
  const parameters = tuned?.best.parameters ?? options.parameters;
  const { forest, kernel, outOfBagScores, outOfBagCurve } =
    tuned?.best.fitted ??
    (await fitForest(training.columns, training.labels, parameters, {
      seed,
      nJobs: options.nJobs,
      kernel: options.kernel,
      onProgress: (done) => onProgress(`growing trees: ${done} of ${parameters.nEstimators}`),
    }));
  const nNodes = forest.feature.length;
  log.info({ event: "forest.fitted", nodes: nNodes, kernel, durationMs: since(fitStarted, now) }, "forest fitted");

  onProgress("scoring the held-out customers");
  const evaluationStarted = now();
  const trainingChurners = training.labels.reduce((sum, label) => sum + label, 0);
  const { calibration, foldLogLoss } = chooseCalibration({ scores: outOfBagScores, labels: training.labels }, seed);
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
      ...(tuned && { tuning: { trials: tuned.trials.length, isComplete: tuned.isComplete } }),
    },
  };

  onProgress("describing the customers");
  const driftReference = await makeReference({
    dataset,
    features,
    encodings: set.encodings,
    forest,
    calibrate,
    training,
    holdout,
    scores,
    threshold: threshold.value,
    seed,
  });
  const tensors = { forest, reference: encodeReference(driftReference) };

  const manifest = await replaceChampion(options.out, { at: now(), reason: "churn train" }, () =>
    writeModelDirectory(options.out, content, tensors, describeModel),
  );
  const modelFolder = startModelFolder({ manifest, ...tensors });
  onProgress("drawing the report");
  const outcome = { model: { manifest, features, forest }, source, set, holdout, scores, forestScores, heldOut };
  const report = options.report === undefined ? null : await reportTraining(options.report, outcome, log);
  onProgress("recording the run");
  const modelFiles = await modelFolder.catch((error) => {
    log.warn({ event: "tracking.modelless", err: error }, "the run is recorded without its model");
    return undefined;
  });
  const run = await trackRuns(options.tracking, log, [
    trainingRun({
      runId,
      name: options.runName,
      manifest,
      started,
      ended: now(),
      settings: {
        n_jobs: options.nJobs ?? availableParallelism(),
        tune: options.tune !== undefined,
        ...(options.tune && { tune_seconds: options.tune.seconds }),
      },
      data: source.path,
      outOfBagCurve,
      foldLogLoss,
      report,
      modelFiles,
      register: options.register ?? false,
    }),
    ...trialRuns,
  ]);
  const durationMs = since(started, now);
  log.info(
    { event: "train.finished", modelVersion: manifest.version, modelSha256: manifest.contentSha256, durationMs },
    "training finished",
  );
  return {
    manifest,
    directory: options.out,
    run,
    report: report?.path ?? null,
    trials: tuned?.trials ?? [],
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

/** Other parameters than those given, where they are better. @param runs Gets one per trial, under that of the training. */
function tune(
  training: Sample,
  { seconds }: { readonly seconds: number },
  runs: Run[],
  {
    parameters,
    seed,
    nJobs,
    kernel,
    dataset,
    runId,
    now,
    log,
    onProgress = () => {},
  }: TrainOptions & {
    readonly runId: string;
  },
): Promise<SearchResult<Judged & { readonly fitted: FittedForest }>> {
  let started = now();
  const onTrial = (trial: Trial, number: number): void => {
    const { parameters: tried, logLoss, gain, seconds } = trial;
    const durationMs = Math.round(1000 * seconds);
    log.info(
      { event: "tuning.tried", trial: number, ...tried, logLoss: logLoss.value, gain: gain.value, durationMs },
      "parameters tried",
    );
    const settings = { seed, dataset };
    runs.push(trialRun(trial, { number, parentRunId: runId, started, ended: now(), settings }));
    started = now();
  };
  return tuneForest(training, parameters, { seed, nJobs, kernel, seconds, now, onProgress, onTrial });
}

function since(start: Date, now: () => Date): number {
  return now().getTime() - start.getTime();
}
