/**
 * What tracking costs: a training with it and without, one large run into a folder and to a real MLflow server, and a
 * list of many runs.
 *
 *     npm run bench:tracking [-- --quick]
 *
 * The server runs in bench/.venv-mlflow; bench/python.sh --mlflow makes it. Exit code 1 when a figure that must hold
 * fails; with --quick sizes are small, and nothing is written.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startMlflow } from "../e2e/mlflow-server.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { FileStore } from "../training/src/tracking/file-store.ts";
import { newRunId } from "../training/src/tracking/run.ts";
import { churn } from "./command.ts";
import { atMost, checkTable, describeMachine, type Findings, median, writeSection } from "./results.ts";
import type { Recorded } from "./tracked-run.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const TRACKED_RUN = fileURLToPath(new URL("tracked-run.ts", import.meta.url));
const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const REQUIREMENTS = new URL("requirements-mlflow.txt", import.meta.url);

const { quick } = parseArgs({ options: { quick: { type: "boolean", default: false } } }).values;
const SIZE = quick
  ? { customers: 20_000, rounds: 2, largeFile: 4e6, smallFiles: 40, runs: 500 }
  : { customers: 200_000, rounds: 9, largeFile: 40e6, smallFiles: 400, runs: 10_000 };
const LARGE_FILES = 4;
const SMALL_FILE = 100_000;
const LITTLE = 20; // small files
/** Of a large run, and of the list. */
const REPEATS = 3;

/** What tracking does, done by nobody. */
const STUBS = {
  "/tracking/tracker.ts": "export const trackRuns = async () => null;",
  "/tracking/training-run.ts": "export const trainingRun = () => ({}); export const trialRun = trainingRun;",
  "/mlflow/model-folder-thread.ts": "export const startModelFolder = async () => [];",
};

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  // Many runs last: a process' peak begins with that of the one that starts it.
  if (!report([trainingCost(), await largeRun(), manyRuns()]) && !quick) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// --- training ----------------------------------------------------------------------------------------------

/** Pairs of trainings, one with tracking and one without; each goes first in turn. */
function trainingCost(): Findings {
  churn(folder, "generate", "--rows", String(SIZE.customers), "--out", join(folder, "customers.parquet"));
  trainMeasured(true); // code is compiled
  const pairs = Array.from({ length: SIZE.rounds }, (_, round) => {
    const order = round % 2 === 0 ? [true, false] : [false, true];
    return new Map(order.map((isTracked) => [isTracked, trainMeasured(isTracked)]));
  });
  const compare = (what: keyof Usage) => {
    const [tracked, untracked] = [true, false].map((key) => pairs.map((pair) => pair.get(key)?.[what] ?? Number.NaN));
    const percents = tracked.map((value, i) => 100 * (value / untracked[i] - 1)).sort((a, b) => a - b);
    return { untracked: median(untracked), tracked: median(tracked), percents, percent: median(percents) };
  };
  const figures = { seconds: compare("seconds"), "processor seconds": compare("processorSeconds") };
  return {
    versions: {},
    text: [
      [
        `\`churn train\` on ${SIZE.customers} customers with default options, as a process, from start to end: with tracking into a`,
        "folder, and with what tracking does left out (the run, the model as MLflow has it, the file store). Pairs, each",
        `variant first in turn; median of ${SIZE.rounds}. Processor seconds are of all threads: most of`,
        "tracking's are a thread's that makes the model's folder while the report is drawn.",
      ].join("\n"),
      markdownTable([
        ["", "without", "with", "more, %, median of pairs", "least and most, %"],
        ...Object.entries(figures).map(([what, { untracked, tracked, percents, percent }]) => [
          ...[what, untracked.toFixed(2), tracked.toFixed(2), percent.toFixed(1)],
          `${percents[0].toFixed(1)} to ${percents[percents.length - 1].toFixed(1)}`,
        ]),
      ]),
    ],
    checks: [atMost("tracking's part of training, % of seconds", figures.seconds.percent, 5, 1)],
  };
}

/**
 * A module for Node's --import that puts other sources in the place of modules, by the ends of their addresses, and
 * tells at the end what the process has used.
 */
function replacing(stubs: Readonly<Record<string, string>>): string {
  const source = `
    import { registerHooks } from "node:module";
    import { isMainThread } from "node:worker_threads";
    if (isMainThread) process.on("exit", () => console.log(JSON.stringify(process.resourceUsage())));
    const stubs = ${JSON.stringify(Object.entries(stubs))};
    registerHooks({
      load(url, context, next) {
        const [, source] = stubs.find(([end]) => url.endsWith(end)) ?? [];
        return source === undefined ? next(url, context) : { format: "module", source, shortCircuit: true };
      },
    });`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

interface Usage {
  readonly seconds: number;
  readonly processorSeconds: number;
}

function trainMeasured(isTracked: boolean): Usage {
  const runs = join(folder, "training-runs");
  const node = ["--import", replacing(isTracked ? {} : STUBS), MAIN];
  const paths = ["--data", join(folder, "customers.parquet"), "--out", join(folder, "model")];
  const args = ["train", "--dataset", DATASET, ...paths, "--report", join(folder, "report.html"), "--quiet"];
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: `file:${runs}` };
  const start = performance.now();
  const used = execFileSync(process.execPath, [...node, ...args], { env, encoding: "utf8" });
  const seconds = (performance.now() - start) / 1000;
  if (existsSync(runs) !== isTracked) throw new Error(`${runs}: expected ${isTracked ? "a run" : "none"}`);
  rmSync(runs, { recursive: true, force: true });
  const { userCPUTime, systemCPUTime } = JSON.parse(used) as NodeJS.ResourceUsage;
  return { seconds, processorSeconds: (userCPUTime + systemCPUTime) / 1e6 };
}

// --- a large run -------------------------------------------------------------------------------------------

/** The same run with few artifacts and with many, each in a process of its own. */
async function largeRun(): Promise<Findings> {
  const artifacts = { little: writeFiles("little", 0, LITTLE), much: writeFiles("much", LARGE_FILES, SIZE.smallFiles) };
  const megabytes = (large: number, small: number) => (large * SIZE.largeFile + small * SMALL_FILE) / 1e6;
  const server = await startMlflow(join(folder, "server"));
  try {
    const rows = Object.entries({ "a folder": `file:${join(folder, "large-runs")}`, "a server": server.url }).map(
      ([place, uri]) => {
        const rounds = Array.from({ length: REPEATS }, () => ({
          little: record(uri, artifacts.little),
          much: record(uri, artifacts.much),
        }));
        const [little, much] = (["little", "much"] as const).map((amount) => ({
          seconds: median(rounds.map((round) => round[amount].seconds)),
          mebibytes: median(rounds.map((round) => round[amount].mebibytes)),
        }));
        return { place, little, much, growth: (much.mebibytes - little.mebibytes) * (2 ** 20 / 1e6) };
      },
    );
    return {
      versions: { MLflow: /^mlflow\S*==(\S+)/m.exec(readFileSync(REQUIREMENTS, "utf8"))?.[1] ?? "?" },
      text: [
        [
          `One run of 1000 metrics, a curve of 10000 points, 500 parameters and ${megabytes(LARGE_FILES, SIZE.smallFiles)} MB of artifacts (${LARGE_FILES} files of`,
          `${SIZE.largeFile / 1e6} MB, ${SIZE.smallFiles} of ${SMALL_FILE / 1e6} MB), and the same with ${megabytes(0, LITTLE)} MB, recorded by a process of its own. Median of ${REPEATS}.`,
        ].join("\n"),
        markdownTable([
          ["into", "artifacts, MB", "seconds", "peak memory, MiB"],
          ...rows.flatMap(({ place, little, much }) => [
            [place, String(megabytes(0, LITTLE)), little.seconds.toFixed(1), little.mebibytes.toFixed(0)],
            [
              place,
              String(megabytes(LARGE_FILES, SIZE.smallFiles)),
              much.seconds.toFixed(1),
              much.mebibytes.toFixed(0),
            ],
          ]),
        ]),
      ],
      checks: rows.map(({ place, growth }) => atMost(`${place}: peak of more artifacts over fewer, MB`, growth, 64, 0)),
    };
  } finally {
    await server.stop();
  }
}

function writeFiles(name: string, large: number, small: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  const sizes = [...Array(large).fill(SIZE.largeFile), ...Array(small).fill(SMALL_FILE)];
  for (const [i, size] of sizes.entries()) {
    const file = join(path, `file-${i}.bin`);
    for (let done = 0; done < size; done += SMALL_FILE) appendFileSync(file, randomBytes(SMALL_FILE));
  }
  return path;
}

function record(uri: string, artifacts: string): Recorded {
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: uri };
  const recorded = execFileSync(process.execPath, [TRACKED_RUN, artifacts], { cwd: folder, env, encoding: "utf8" });
  return JSON.parse(recorded);
}

// --- many runs ---------------------------------------------------------------------------------------------

function manyRuns(): Findings {
  const runs = join(folder, "mlruns");
  const store = new FileStore(runs);
  const timestamp = Date.now();
  const params = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`param_${i}`, String(i)]));
  const metrics = Array.from({ length: 46 }, (_, i) => ({ key: `metric_${i}`, value: i / 46, step: 0, timestamp }));
  for (let i = 0; i < SIZE.runs; i++) {
    store.writeRun("churn", {
      ...{ runId: newRunId(), name: `run ${i}`, status: "FINISHED", startTime: timestamp + i, endTime: timestamp + i },
      ...{ params, metrics, tags: {}, inputs: [], artifacts: [] },
    });
  }
  const seconds = Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    churn(folder, "runs");
    return (performance.now() - start) / 1000;
  });
  return {
    versions: {},
    text: [
      `\`churn runs\` among ${SIZE.runs} runs of 10 parameters and 46 metrics, as a process: ${median(seconds).toFixed(2)} s, median of ${REPEATS}.`,
    ],
    checks: [atMost(`churn runs among ${SIZE.runs}, s`, median(seconds), 1.5, 2)],
  };
}

// -----------------------------------------------------------------------------------------------------------

/** Prints, and at full size writes, what came out. @returns whether everything holds */
function report(findings: readonly Findings[]): boolean {
  const checks = findings.flatMap((part) => part.checks);
  const versions = Object.assign({}, ...findings.map((part) => part.versions));
  const text = findings.flatMap((part) => part.text);
  const body = ["`npm run bench:tracking`", describeMachine(versions), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (quick) process.stdout.write("\n--quick: what must hold is meant for the full size\n");
  else writeSection("Tracking", body);
  return checks.every(({ holds }) => holds);
}
