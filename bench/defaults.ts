/**
 * What the forest's default parameters were chosen from: a grid over generated customers and over Telco's folds.
 *
 *     npm run bench:defaults
 *
 * Each set of parameters is fitted on one file of generated customers and judged on another, and on each of
 * Telco's folds as `churn train` would: on the other four less their holdout.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compileFeatures,
  encodeForest,
  FeatureEncoder,
  ForestKernel,
  type ForestParameters,
  readDataset,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { readTrainingSet, splitSamples } from "../training/src/data/training-set.ts";
import { computeMetrics } from "../training/src/evaluation/metrics.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../training/src/forest/parameters.ts";
import { fitForest } from "../training/src/forest/random-forest.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { churn } from "./command.ts";
import { describeMachine, writeSection } from "./results.ts";
import { DATASET as TELCO, writeFolds } from "./telco-folds.ts";

const CUSTOMERS = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const ROWS = 200_000;
const SEED = 42;

type Change = Pick<ForestParameters, "maxSamples" | "minSamplesLeaf" | "maxFeatures">;

const GRID: readonly Change[] = [
  { maxSamples: 1, minSamplesLeaf: 5, maxFeatures: 0.3 },
  { maxSamples: 1, minSamplesLeaf: 30, maxFeatures: 0.3 },
  { maxSamples: 0.5, minSamplesLeaf: 20, maxFeatures: 0.3 },
  { maxSamples: 0.5, minSamplesLeaf: 15, maxFeatures: 0.4 },
  { maxSamples: 0.3, minSamplesLeaf: 10, maxFeatures: 0.4 },
  { maxSamples: 0.25, minSamplesLeaf: 8, maxFeatures: 0.3 },
  { maxSamples: 0.2, minSamplesLeaf: 8, maxFeatures: 0.4 },
  { maxSamples: 0.2, minSamplesLeaf: 8, maxFeatures: 0.3 },
  { maxSamples: 0.2, minSamplesLeaf: 6, maxFeatures: 0.3 },
  { maxSamples: 0.15, minSamplesLeaf: 6, maxFeatures: 0.3 },
  { maxSamples: 0.1, minSamplesLeaf: 4, maxFeatures: 0.3 },
];

/** Features and labels of the rows to fit, and of those to judge. */
interface Problem {
  readonly columns: readonly Float32Array[];
  readonly labels: Uint8Array;
  readonly judgeColumns: readonly Float32Array[];
  readonly judgeLabels: Uint8Array;
}

interface Result {
  readonly auc: number;
  readonly logLoss: number;
  readonly seconds: number;
  readonly megabytes: number;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const [fit, judge] = [SEED, SEED + 1].map((seed) => {
    const path = join(folder, `${seed}.parquet`);
    churn(folder, "generate", "--rows", String(ROWS), "--seed", String(seed), "--out", path);
    return path;
  });
  const customers = await readProblem(CUSTOMERS, fit, judge, { isWhole: true });
  const folds: Problem[] = [];
  for (const { train, test } of writeFolds(folder))
    folds.push(await readProblem(TELCO, train, test, { isWhole: false }));
  await solve(customers, GRID[0]); // compiles
  const lines: string[][] = [];
  for (const change of GRID) {
    const large = await solve(customers, change);
    const small: Result[] = [];
    for (const fold of folds) small.push(await solve(fold, change));
    const line = describe(change, large, small);
    process.stderr.write(`${line.join("  ")}\n`);
    lines.push(line);
  }
  report(lines);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function readProblem(
  specification: string,
  fitFile: string,
  judgeFile: string,
  { isWhole }: { readonly isWhole: boolean },
): Promise<Problem> {
  const dataset = readDataset(specification);
  const features = compileFeatures(dataset, specification);
  const reader = await openCustomers(findData(fitFile), dataset, { labelled: true });
  const set = await readTrainingSet(reader, fitFile, dataset, features).finally(reader.close);
  const { columns, labels } = isWhole ? set : splitSamples(set).training;
  const encoder = new FeatureEncoder(features, set.encodings);
  const judge = await openCustomers(findData(judgeFile), dataset, { labelled: true });
  const judgeColumns = features.map(() => new Float32Array(judge.rows));
  const judgeLabels = new Uint8Array(judge.rows);
  let start = 0;
  for await (const table of judge.tables()) {
    for (const [f, values] of encoder.encodeTable(table).entries()) judgeColumns[f].set(values, start);
    judgeLabels.set(table.labels as Uint8Array, start);
    start += table.rows;
  }
  judge.close();
  return { columns, labels, judgeColumns, judgeLabels };
}

async function solve(problem: Problem, change: Change): Promise<Result> {
  const { columns, labels, judgeColumns, judgeLabels } = problem;
  const start = performance.now();
  const { forest } = await fitForest(columns, labels, { ...DEFAULT_FOREST_PARAMETERS, ...change }, { seed: SEED });
  const seconds = (performance.now() - start) / 1000;
  const scores = new ForestKernel(forest).predictColumns(judgeColumns, judgeLabels.length);
  const { roc_auc, log_loss } = computeMetrics({ scores, labels: judgeLabels }, { threshold: 0.5 }, SEED);
  return { auc: roc_auc.value, logLoss: log_loss.value, seconds, megabytes: encodeForest(forest).length / 1e6 };
}

function describe(
  { maxSamples, minSamplesLeaf, maxFeatures }: Change,
  large: Result,
  small: readonly Result[],
): string[] {
  const mean = (value: (result: Result) => number): string =>
    (small.reduce((sum, result) => sum + value(result), 0) / small.length).toFixed(4);
  const cells = [
    `${100 * maxSamples} %`,
    String(minSamplesLeaf),
    String(maxFeatures),
    large.seconds.toFixed(1),
    large.auc.toFixed(4),
    large.logLoss.toFixed(4),
    large.megabytes.toFixed(2),
    mean(({ auc }) => auc),
    mean(({ logLoss }) => logLoss),
  ];
  const defaults = DEFAULT_FOREST_PARAMETERS;
  const isDefault =
    maxSamples === defaults.maxSamples &&
    minSamplesLeaf === defaults.minSamplesLeaf &&
    maxFeatures === defaults.maxFeatures;
  return isDefault ? cells.map((cell) => `**${cell}**`) : cells;
}

function report(lines: readonly string[][]): void {
  const body = [
    "`npm run bench:defaults`",
    describeMachine({}),
    [
      `Forests of 300 trees of depth 12 with 255 bins, seed ${SEED}: fitted on ${ROWS} generated customers and judged on ${ROWS}`,
      "others, and on Telco's five folds (mean). MB are of forest.safetensors, log-loss is before calibration. In",
      "bold the point chosen; docs/defaults.md says what follows from it.",
    ].join("\n"),
    markdownTable([
      [
        "rows per tree",
        "leaf",
        "features per split",
        "fit, s",
        "customers: AUC",
        "log-loss",
        "forest file, MB",
        "Telco: AUC",
        "log-loss",
      ],
      ...lines,
    ]),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Default parameters", body);
}
