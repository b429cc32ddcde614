/**
 * What the forest's default parameters were chosen from: a grid over generated customers, many and fewer, and over Telco's
 * folds.
 *
 *     npm run bench:defaults
 *
 * Each set of parameters is fitted on generated customers and judged on others, and on each of Telco's folds as `churn
 * train` would: on the other four less their holdout. Scores are calibrated as a model's are.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  calibrator,
  compileFeatures,
  encodeForest,
  FeatureEncoder,
  ForestKernel,
  type ForestParameters,
  readDataset,
} from "../contract/src/index.ts";
import { chooseCalibration } from "../training/src/calibration/choice.ts";
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
const FEWER_ROWS = 50_000;
const SEED = 42;

type Change = Partial<ForestParameters>;

const GRID: readonly Change[] = [
  { maxSamples: 1, minSamplesLeaf: 5 },
  { maxSamples: 1, minSamplesLeaf: 30 },
  { maxSamples: 0.5, minSamplesLeaf: 30 },
  { maxSamples: 0.5, minSamplesLeaf: 20 },
  { maxSamples: 0.5, minSamplesLeaf: 10 },
  { maxSamples: 0.3, minSamplesLeaf: 12 },
  { maxSamples: 0.3, minSamplesLeaf: 8 },
  { minSamplesLeaf: 4 },
  { maxSamples: 0.1, minSamplesLeaf: 4 },
  { maxFeatures: 0.2 },
  { maxFeatures: 0.4 },
  { maxDepth: 8 },
  { maxDepth: 10 },
  { maxDepth: 16 },
  { nEstimators: 100 },
  { nEstimators: 200 },
  { nEstimators: 600 },
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
  const [fit, fewer, judge] = [
    [ROWS, SEED],
    [FEWER_ROWS, SEED],
    [ROWS, SEED + 1],
  ].map(([rows, seed]) => {
    const path = join(folder, `${rows}-${seed}.parquet`);
    churn(folder, "generate", "--rows", String(rows), "--seed", String(seed), "--out", path);
    return path;
  });
  const many = await readProblem(CUSTOMERS, fit, judge, { isWhole: true });
  const few = await readProblem(CUSTOMERS, fewer, judge, { isWhole: true });
  const folds: Problem[] = [];
  for (const { train, test } of writeFolds(folder))
    folds.push(await readProblem(TELCO, train, test, { isWhole: false }));
  await solve(many, {}); // compiles
  const lines: string[][] = [];
  for (const change of [{}, ...GRID]) {
    const parameters = { ...DEFAULT_FOREST_PARAMETERS, ...change };
    const results = [await solve(many, parameters), await solve(few, parameters)];
    for (const fold of folds) results.push(await solve(fold, parameters));
    const line = describe(parameters, results);
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
  const parameters = { ...DEFAULT_FOREST_PARAMETERS, ...change };
  const { forest, outOfBagScores } = await fitForest(columns, labels, parameters, { seed: SEED });
  const seconds = (performance.now() - start) / 1000;
  const calibrate = calibrator(chooseCalibration({ scores: outOfBagScores, labels }, SEED).calibration);
  const scores = new ForestKernel(forest).predictColumns(judgeColumns, judgeLabels.length).map(calibrate);
  const { roc_auc, log_loss } = computeMetrics({ scores, labels: judgeLabels }, { threshold: 0.5 }, SEED);
  return { auc: roc_auc.value, logLoss: log_loss.value, seconds, megabytes: encodeForest(forest).length / 1e6 };
}

/** @param results Of many customers, of fewer, and of Telco's folds. */
function describe(parameters: ForestParameters, [many, few, ...folds]: readonly Result[]): string[] {
  const mean = (value: (result: Result) => number): number =>
    folds.reduce((sum, result) => sum + value(result), 0) / folds.length;
  const defaults = DEFAULT_FOREST_PARAMETERS;
  const names = ["maxSamples", "minSamplesLeaf", "maxFeatures", "maxDepth", "nEstimators"] as const;
  const isDefault = names.every((name) => parameters[name] === defaults[name]);
  const chosen = names.map((name) => (parameters[name] === defaults[name] ? "" : String(parameters[name])));
  const cells = [
    ...(isDefault ? names.map((name) => String(parameters[name])) : chosen),
    many.seconds.toFixed(1),
    many.megabytes.toFixed(2),
    many.auc.toFixed(4),
    many.logLoss.toFixed(4),
    few.auc.toFixed(4),
    few.logLoss.toFixed(4),
    mean(({ auc }) => auc).toFixed(4),
    mean(({ logLoss }) => logLoss).toFixed(4),
  ];
  return isDefault ? cells.map((cell) => `**${cell}**`) : cells;
}

function report(lines: readonly string[][]): void {
  const body = [
    "`npm run bench:defaults`",
    describeMachine({}),
    [
      `Forests with 255 bins, seed ${SEED}: fitted on ${ROWS} and on ${FEWER_ROWS} generated customers and judged on ${ROWS} others,`,
      "and on Telco's five folds (mean), with calibrated scores. Seconds and MB (of forest.safetensors) are of the larger",
      "file. In bold the defaults; each other line says what it changes.",
    ].join("\n"),
    markdownTable([
      [
        "max_samples",
        "min_samples_leaf",
        "max_features",
        "max_depth",
        "n_estimators",
        "fit, s",
        "MB",
        `${ROWS}: AUC`,
        "log-loss",
        `${FEWER_ROWS}: AUC`,
        "log-loss",
        "Telco: AUC",
        "log-loss",
      ],
      ...lines,
    ]),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Default parameters", body);
}
