/**
 * What size costs: generating, training and predicting at 0.2, 1, 5 and 10 million customers, each as a process, in
 * seconds and peak memory.
 *
 *     npm run bench:size
 *
 * Needs about 2 GB of free disk, and some minutes. Exit code 1 when a figure that must hold fails.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFeatures, readDataset } from "../contract/src/index.ts";
import { HOLDOUT_SHARE } from "../training/src/data/training-set.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const SIZES = [200_000, 1_000_000, 5_000_000, 10_000_000];
const MOST = Math.max(...SIZES);

const GENERATE = "generate, to Parquet";
const TRAIN = "train";
const PREDICT_PARQUET = "predict, Parquet to Parquet";
const PREDICT_CSV = "predict, Parquet to CSV";
const PREDICT_TOP = "predict --top 1000";

interface Run {
  readonly command: string;
  readonly rows: number;
  readonly seconds: number;
  /** Of all threads together: a busy machine makes only `seconds` longer. */
  readonly processorSeconds: number;
  /** Peak of the process. */
  readonly mebibytes: number;
  /** What it wrote; a model has several files. */
  readonly megabytes: number | undefined;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  if (!report(SIZES.flatMap(measure))) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The commands at one size, one after the other; what they wrote is removed before the next size. */
function measure(rows: number): Run[] {
  const at = (name: string): string => join(folder, name);
  const data = at("customers.parquet");
  const run = (command: string, out: string, ...args: string[]): Run => {
    const used = churnMeasured([...args, "--out", out]);
    const megabytes = statSync(out).isFile() ? statSync(out).size / 1e6 : undefined;
    if (out !== data && megabytes !== undefined) rmSync(out);
    return { command, rows, ...used, megabytes };
  };
  const model = (trainedOn: number): string => at(`model-${trainedOn}`);
  const predict = ["predict", "--model", model(SIZES[0]), "--data", data];
  return [
    run(GENERATE, data, "generate", "--rows", String(rows)),
    run(TRAIN, model(rows), "train", "--dataset", DATASET, "--data", data),
    run(PREDICT_PARQUET, at("scores.parquet"), ...predict),
    run(PREDICT_CSV, at("scores.csv"), ...predict),
    run(PREDICT_TOP, at("top.csv"), ...predict, "--top", "1000"),
  ];
}

type Usage = Pick<Run, "seconds" | "processorSeconds" | "mebibytes">;

/** Runs the command as a process, which tells at its end what it has used. */
function churnMeasured(args: readonly string[]): Usage {
  const tell =
    "import { isMainThread } from 'node:worker_threads';" +
    "if (isMainThread) process.on('exit', () => console.log(JSON.stringify(process.resourceUsage())))";
  const node = ["--import", `data:text/javascript,${encodeURIComponent(tell)}`, MAIN];
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: `file:${join(folder, "mlruns")}` };
  const start = performance.now();
  const used = execFileSync(process.execPath, [...node, ...args, "--quiet"], { env, encoding: "utf8" });
  const seconds = (performance.now() - start) / 1000;
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(used) as NodeJS.ResourceUsage;
  return { seconds, processorSeconds: (userCPUTime + systemCPUTime) / 1e6, mebibytes: maxRSS / 1024 };
}

/** Prints and writes what came out. @returns whether everything holds */
function report(runs: readonly Run[]): boolean {
  const checks = [...requirements(runs)];
  const body = [
    "`npm run bench:size`",
    describeMachine({}),
    `Commands as processes, from start to end, with default options. Predictions are those of the model of ${SIZES[0]} customers.`,
    sizeTable(runs),
    trainingGrowth(runs),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Size", body);
  return checks.every(({ holds }) => holds);
}

function runOf(runs: readonly Run[], command: string, rows: number): Run {
  return runs.find((run) => run.command === command && run.rows === rows) as Run;
}

/** What training's memory grows by, in words. */
function trainingGrowth(runs: readonly Run[]): string {
  const [smaller, larger] = SIZES.slice(-2).map((rows) => runOf(runs, TRAIN, rows));
  const growth = ((larger.mebibytes - smaller.mebibytes) * 2 ** 20) / (larger.rows - smaller.rows);
  const nFeatures = compileFeatures(readDataset(DATASET), DATASET).length;
  return [
    `From ${smaller.rows} to ${larger.rows} customers training grows by ${growth.toFixed(0)} bytes a customer: ${4 * nFeatures} are the ${nFeatures} features as float32,`,
    `${(nFeatures * (1 - HOLDOUT_SHARE)).toFixed(0)} the bins of those ${100 * (1 - HOLDOUT_SHARE)} % that are trained on; the rest is the rows each thread sorts into its tree, labels and`,
    "out-of-bag scores.",
  ].join("\n");
}

function* requirements(runs: readonly Run[]): Generator<Check> {
  const largest = (command: string): Run => runOf(runs, command, MOST);
  yield atMost(`peak of ${GENERATE}, MiB`, largest(GENERATE).mebibytes, 700, 0);
  yield atMost(`peak of ${TRAIN} with 5000000 rows, MiB`, runOf(runs, TRAIN, 5_000_000).mebibytes, 1536, 0);
  yield atMost(`peak of ${TRAIN}, MiB`, largest(TRAIN).mebibytes, 4096, 0);
  for (const command of [PREDICT_PARQUET, PREDICT_CSV, PREDICT_TOP]) {
    const { rows, seconds, mebibytes } = largest(command);
    yield atLeast(`${command}, rows/s`, rows / seconds, 150_000, 0);
    yield atMost(`peak of ${command}, MiB`, mebibytes, 1024, 0);
  }
}

/** One command after the other, each at all sizes. */
function sizeTable(runs: readonly Run[]): string {
  const byCommand = Map.groupBy(runs, ({ command }) => command);
  return markdownTable([
    ["command", "rows", "seconds", "rows/s", "processor seconds", "peak memory, MiB", "file, MB"],
    ...[...byCommand.values()]
      .flat()
      .map(({ command, rows, seconds, processorSeconds, mebibytes, megabytes }) => [
        command,
        String(rows),
        seconds.toFixed(1),
        (rows / seconds).toFixed(0),
        processorSeconds.toFixed(1),
        mebibytes.toFixed(0),
        megabytes?.toFixed(1) ?? "",
      ]),
  ]);
}
