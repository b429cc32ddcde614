/** `churn train`: data and a specification into a model directory. */
import { dirname, relative } from "node:path";
import type { ForestParameters } from "@churn/contract";
import { Command, Option } from "commander";
import { FOREST_PARAMETERS } from "../forest/parameters.ts";
import {
  calibrationSentence,
  confusionSentence,
  countNotes,
  extraColumnsNote,
  markdownTable,
  metricsTable,
} from "../report/text.ts";
import { checkPlace } from "../staged-output.ts";
import { trackingTarget } from "../tracking/target.ts";
import type { TrackedRun } from "../tracking/tracker.ts";
import { MODEL_NAME, type TrainResult, train } from "../train.ts";
import { type Context, createContext, numberIn, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

export const DEFAULT_MODEL = "models/best_model";
export const DEFAULT_SEED = 42;
const DEFAULT_REPORT = "reports/training.html";
const DEFAULT_TUNE_SECONDS = 120;

interface TrainCommandOptions extends OutputOptions, ForestParameters {
  readonly dataset: string;
  readonly data?: string;
  readonly out: string;
  readonly report?: string;
  readonly seed: number;
  readonly nJobs?: number;
  readonly tune?: boolean;
  readonly tuneSeconds?: number;
  readonly runName?: string;
  readonly register?: boolean;
}

type TrainArguments = Omit<TrainCommandOptions, keyof OutputOptions> & { readonly tracking?: string };

export function trainCommand(): Command {
  const command = new Command("train")
    .description("Train a random forest and write a model directory.")
    .option("--dataset <file>", "dataset specification", "datasets/customers/dataset.json")
    .option("--data <path>", "CSV or Parquet: a file, folder or glob (default: beside the specification, or data/raw/)")
    .option("--out <dir>", "model directory; one that is there is replaced", DEFAULT_MODEL)
    .option("--report <file>", `report of the held-out customers to write, .html (default: ${DEFAULT_REPORT})`)
    .option("--seed <n>", "seed of the random numbers", wholeNumber(0), DEFAULT_SEED)
    .option("--n-jobs <n>", "threads; does not change the result (default: all processors)", wholeNumber(1, 1024))
    .option("--tune", "look for better parameters, from those given on; each trial is a run (see docs/defaults.md)")
    .addOption(
      new Option("--tune-seconds <n>", `no trial starts after so many seconds (default: ${DEFAULT_TUNE_SECONDS})`)
        .argParser(numberIn(0, 1_000_000))
        .implies({ tune: true }),
    )
    .option("--run-name <name>", "name of the tracked run (default: train and the model's version)")
    .option("--register", "make the model a version of MLflow's registered model, and its challenger")
    .addHelpText(
      "after",
      "\nExample:\n  churn train --dataset datasets/telco/dataset.json --out models/telco --max-depth 10",
    );
  forestOptions(command);
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: TrainCommandOptions) => {
    const context = createContext(options);
    if (options.report !== undefined) checkPlace(options.report); // one that nobody asked for costs a warning only
    const result = await trainWithProgress(options, context);
    context.print(trainingSummary(result));
    const { manifest, directory, run, report, trials, findings, extraColumns } = result;
    const { version, contentSha256, calibration, threshold } = manifest;
    const { metrics, confusionMatrix, calibrationError, uncalibrated, baselines } = manifest;
    context.printJson({
      directory,
      version,
      contentSha256,
      calibration,
      threshold,
      metrics,
      confusionMatrix,
      calibrationError,
      uncalibrated,
      baselines,
      run,
      report,
      trials,
      findings,
      extraColumns,
    });
  });
}

/** One option per parameter. @param instead What stands in for those that are not given, in words; their own defaults without it. */
export function forestOptions(command: Command, instead?: string): void {
  for (const [name, { help, default: value, minimum, maximum, integer }] of Object.entries(FOREST_PARAMETERS)) {
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const text = instead === undefined ? help : `${help} (default: ${instead})`;
    const option = new Option(`--${flag} <n>`, text).argParser(numberIn(minimum, maximum, { whole: integer }));
    command.addOption(instead === undefined ? option.default(value) : option);
  }
}

/** @param options.tracking A folder for the run, in place of what the environment says. */
export function trainWithProgress(
  {
    dataset,
    data,
    out,
    report = DEFAULT_REPORT,
    seed,
    nJobs,
    tune,
    tuneSeconds,
    runName,
    register,
    tracking,
    ...rest
  }: TrainArguments,
  { log, withProgress }: Context,
): Promise<TrainResult> {
  const { nEstimators, maxDepth, minSamplesLeaf, maxSamples, maxFeatures, maxBins } = rest;
  return withProgress("training", (onProgress) =>
    train({
      dataset,
      data,
      out,
      report,
      parameters: { nEstimators, maxDepth, minSamplesLeaf, maxSamples, maxFeatures, maxBins },
      seed,
      nJobs,
      tune: tune ? { seconds: tuneSeconds ?? DEFAULT_TUNE_SECONDS } : undefined,
      tracking: tracking === undefined ? trackingTarget(process.env) : { folder: tracking, experiment: "churn" },
      runName,
      register,
      now: () => new Date(),
      log,
      onProgress,
    }),
  );
}

function trainingSummary(result: TrainResult): string {
  const { manifest, directory, run, report, trials, findings, extraColumns } = result;
  const { lineage, threshold } = manifest;
  const { rows, trainingRows } = lineage.data;
  const seconds = (lineage.durationMs / 1000).toFixed(1);
  return [
    ...(trials.length === 0 ? [] : [tuningSummary(result), ""]),
    `Trained on ${trainingRows} of ${rows} customers in ${seconds} s; the others, held out, say:`,
    "",
    metricsTable(manifest),
    "",
    `Threshold ${threshold.value.toFixed(4)}: ${threshold.reason}`,
    confusionSentence(manifest.confusionMatrix),
    calibrationSentence(manifest.calibration, manifest.calibrationError),
    ...countNotes("values outside the specification", findings),
    ...extraColumnsNote(extraColumns),
    `Model ${manifest.version} in ${directory}`,
    ...(report === null ? [] : [`Report in ${report}`]),
    ...(run === null ? [] : runNotes(run)),
  ].join("\n");
}

/** Where the run is, and how MLflow shows it. */
function runNotes({ location, isWaiting, version }: TrackedRun): string[] {
  const registered = version === undefined ? [] : [`Registered as version ${version} of ${MODEL_NAME}, its challenger`];
  if (isWaiting) return [`Run in ${relative(".", location)}, waiting for its server: churn runs --push`];
  if (/^https?:/.test(location)) return [`Run at ${location}`, ...registered];
  const folder = relative(".", location);
  return [`Run in ${folder}; to look at it: ${viewCommand(dirname(dirname(folder)))}`, ...registered];
}

/** MLflow reads folders no more unless it is told to, so they go into a database first. */
const viewCommand = (folder: string): string =>
  `mlflow migrate-filestore --source ${folder} --target sqlite:///mlflow.db && mlflow server --backend-store-uri sqlite:///mlflow.db`;

/** What was tried, beside the parameters that the search started from. */
function tuningSummary({ manifest, trials }: TrainResult): string {
  const [start] = trials;
  const names = Object.keys(start.parameters) as (keyof ForestParameters)[];
  const changes = (parameters: ForestParameters): string[] =>
    names.filter((name) => parameters[name] !== start.parameters[name]).map((name) => `${name} ${parameters[name]}`);
  const rows = trials.map(({ parameters, logLoss, gain, seconds }, i) => [
    i === 0 ? "as given" : changes(parameters).join(", "),
    logLoss.value.toFixed(4),
    i === 0 ? "–" : gain.value.toFixed(4),
    i === 0 ? "–" : `${gain.low.toFixed(4)} – ${gain.high.toFixed(4)}`,
    seconds.toFixed(1),
  ]);
  const chosen = changes(manifest.forest).join(", ") || "the parameters as given";
  const end = manifest.lineage.tuning?.isComplete ? "no further step helped" : "the time was up";
  return [
    markdownTable([["parameters", "out-of-bag log-loss", "gain", "95 % interval", "seconds"], ...rows]),
    "",
    `Tuning: ${chosen}; trials: ${trials.length}, ${end}.`,
  ].join("\n");
}
