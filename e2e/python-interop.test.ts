/**
 * The promises to other tools: a model can be read and computed in plain Python from its documented format,
 * scikit-learn's forest of the same trees gives the same scores, the metrics are scikit-learn's, and generated Parquet
 * files are read by anyone.
 *
 * The Python half, python_interop.py, knows the format, and nothing of this code.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { churn } from "../bench/command.ts";
import { PythonScript } from "../bench/python.ts";
import {
  type DatasetSpecification,
  type Forest,
  ForestKernel,
  Model,
  readDataset,
  readModelDirectory,
  TreeExplainer,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { computeMetrics } from "../training/src/evaluation/metrics.ts";
import { partialDependence } from "../training/src/evaluation/partial-dependence.ts";
import { Random } from "../training/src/random.ts";

const TRAINING_ROWS = 8000;
const ROWS = 500;
/** Python's shap takes a tenth of a second for each. */
const EXPLAINED_ROWS = 100;
/** One cell in so many becomes something hard. */
const CHANGED_CELLS = 10;
/** Features that the Python half computes, too. */
const DERIVED = {
  charges_per_hour: "monthly_charges / (30 * max(avg_usage_hours, 0.1))",
  unhappy: "satisfaction_score < 5 || support_tickets > 3",
};
const DECISION = { threshold: 0.25 };

const isMissing =
  !existsSync(new URL("../bench/.venv/requirements.txt", import.meta.url)) && process.env.CHURN_REQUIRE_ALL !== "1";
const skip = isMissing && "no bench/.venv: bench/python.sh makes it";

const folder = mkdtempSync(join(tmpdir(), "churn-python-"));
const python = isMissing ? undefined : new PythonScript(new URL("python_interop.py", import.meta.url));
after(() => {
  python?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("plain Python reads a model directory and computes the probabilities of churn predict", {
  skip,
}, async () => {
  const specification = writeSpecification();
  const [training, data] = [join(folder, "training.csv"), join(folder, "data.csv")];
  churn(folder, "generate", "--rows", String(TRAINING_ROWS), "--seed", "7", "--out", training);
  churn(folder, "generate", "--rows", String(ROWS), "--seed", "8", "--out", data);
  const [model, out] = [join(folder, "model"), join(folder, "scores.csv")];
  churn(folder, "train", "--dataset", specification.path, "--data", training, "--out", model, "--n-estimators", "60");
  const changed = changeCells(specification.dataset, model, data);
  churn(folder, "predict", "--model", model, "--data", data, "--out", out);

  const answer = await python?.ask<{ probabilities: number[]; missing: number }>({ command: "predict", model, data });
  const probabilities = column(out, "churn_probability").map(Number);
  assert.equal(probabilities.length, ROWS);
  // exp and log, of which a calibration is made, are rounded differently in their last bit.
  const isEqual = (a: number, b = Number.NaN): boolean => Math.abs(a - b) <= 1e-15;
  const differing = probabilities.filter((probability, i) => !isEqual(probability, answer?.probabilities[i]));
  assert.deepEqual(differing, [], `${differing.length} of ${ROWS} probabilities differ from Python's`);
  assert(new Set(probabilities).size > ROWS / 2, "expected the probabilities to differ between customers");
  assert(changed > ROWS && (answer?.missing ?? 0) > ROWS, "expected missing values, unseen levels, thresholds");
});

test("scikit-learn, given the champion's trees, computes the forest's score to 1e-12, also of missing values", {
  skip,
}, async () => {
  const { forest } = readModelDirectory("models/best_model");
  const columns = featuresOnThresholds(forest, ROWS);

  const answer = await python?.ask<{ scores: number[] }>({
    ...{ command: "exported", model: "models/best_model" },
    columns: columns.map((column) => [...column]), // NaN becomes null
  });
  const scores = new ForestKernel(forest).predictColumns(columns, ROWS);
  const differences = answer?.scores.map((score, i) => Math.abs(score - scores[i])) ?? [];
  assert.equal(differences.length, ROWS);
  assert(Math.max(...differences) <= 1e-12, `differs by up to ${Math.max(...differences)}`);
});

test("partial dependence equals scikit-learn's of the same trees, grid included, to 1e-12", { skip }, async () => {
  const { path, dataset } = writeSpecification({});
  const [data, directory] = [join(folder, "plain.csv"), join(folder, "plain-model")];
  churn(folder, "generate", "--rows", "3000", "--seed", "11", "--out", data);
  churn(folder, "train", "--dataset", path, "--data", data, "--out", directory, "--n-estimators", "20");
  const { manifest, ...files } = readModelDirectory(directory);
  const calibration = { ...manifest.calibration, method: "none" } as const; // theirs is of the forest's score
  const model = new Model({ ...files, manifest: { ...manifest, calibration } });
  const reader = await openCustomers(findData(data), dataset, { labelled: true });
  const [table] = await Array.fromAsync(reader.tables()).finally(reader.close);
  const columns = model.encoder.encodeTable(table);

  const whole = files.features.filter((_, f) => !columns[f].some(Number.isNaN)); // on its grid, NaN is a value
  assert(new Set(whole.map(({ kind }) => kind)).size === 2 && whole.length >= 6, "expected numbers and categories");
  for (const { name } of whole) {
    const feature = files.features.findIndex((other) => other.name === name);
    const expected = await python?.ask<{ grid: number[]; mean: number[] }>({
      ...{ command: "dependence", model: directory, feature, resolution: 20 },
      columns: columns.map((column) => [...column]),
    });
    const { grid, mean } = await partialDependence(model, table, name, 20);
    const positions = grid.map((value) =>
      typeof value === "number" ? value : manifest.encodings[name].indexOf(value),
    );
    assert.equal(mean.length, expected?.mean.length);
    for (const [i, value] of mean.entries()) {
      assert(Math.abs(value - (expected?.mean[i] ?? 1)) <= 1e-12, `${name}: ${value}, ${expected?.mean[i]}`);
      assert(Math.abs(positions[i] - (expected?.grid[i] ?? -1)) <= 1e-5 * Math.abs(positions[i]), "float32 by then");
    }
  }
});

test("shap, given the champion's trees, finds the same contributions to 1e-9, also of missing values", {
  skip,
}, async () => {
  const { forest } = readModelDirectory("models/best_model");
  const columns = featuresOnThresholds(forest, EXPLAINED_ROWS);

  const answer = await python?.ask<{ base: number; contributions: number[][] }>({
    ...{ command: "contributions", model: "models/best_model" },
    columns: columns.map((column) => [...column]), // NaN becomes null
  });
  const explainer = new TreeExplainer(forest);
  const contributions = explainer.explainColumns(columns, EXPLAINED_ROWS);
  assert(Math.abs(explainer.baseValue - (answer?.base ?? 0)) <= 1e-9);
  const differences = contributions.flatMap((column, f) =>
    Array.from(column, (contribution, row) => Math.abs(contribution - (answer?.contributions[row][f] ?? 1))),
  );
  assert.equal(differences.length, EXPLAINED_ROWS * columns.length);
  assert(Math.max(...differences) <= 1e-9, `differs by up to ${Math.max(...differences)}`);
  assert(
    contributions.some((column) => column.some((contribution) => Math.abs(contribution) > 0.05)),
    "expected contributions that matter",
  );
});

test("pandas reads from a generated Parquet file what is in the CSV file of the same customers", {
  skip,
}, async () => {
  const [parquet, csv] = [join(folder, "customers.parquet"), join(folder, "customers.csv")];
  const options = ["--rows", "70000", "--seed", "9", "--month", "2", "--scenario", "unit-bug", "--with-truth"];
  for (const out of [parquet, csv]) churn(folder, "generate", ...options, "--out", out);

  const answer = await python?.ask<{ differing: number; cells: number; missing: number }>({
    ...{ command: "tables", parquet },
    csv_file: csv,
  });
  assert.equal(answer?.differing, 0);
  assert(answer.cells === 27 * 70_000 && answer.missing > 70_000);
});

const random = new Random(3);
const labels = Uint8Array.from({ length: 2000 }, () => +(random.uniform() < 0.3));
const scores = Float64Array.from(labels, (label) => (random.uniform() + 0.6 * label * random.uniform()) / 1.6);
for (const [name, values] of [
  ["scores that all differ", scores],
  ["scores with many ties, zeros and ones", scores.map((score) => Math.round(12 * score - 1) / 10)],
  ["one score for everybody", new Float64Array(scores.length).fill(0.3)],
] as const) {
  test(`metrics equal scikit-learn's to 1e-12: ${name}`, { skip }, async () => {
    const bounded = values.map((score) => Math.min(1, Math.max(0, score)));

    const expected = await python?.ask<Record<string, number>>({
      command: "metrics",
      scores: [...bounded],
      labels: [...labels],
      ...DECISION,
    });
    const metrics = computeMetrics({ scores: bounded, labels }, DECISION, 0);
    assert.deepEqual(Object.keys(metrics).sort(), Object.keys(expected ?? {}).sort());
    for (const [metric, value] of Object.entries(expected ?? {})) {
      const difference = Math.abs(metrics[metric].value - value);
      assert(difference <= 1e-12, `${metric}: expected ${value}, got ${metrics[metric].value}`);
    }
  });
}

/** The generated customers' specification with other derived features. */
function writeSpecification(features: Readonly<Record<string, string>> = DERIVED): {
  path: string;
  dataset: DatasetSpecification;
} {
  const path = join(folder, "dataset.json");
  const { $schema: _, ...original } = JSON.parse(readFileSync("datasets/customers/dataset.json", "utf8"));
  writeFileSync(path, JSON.stringify({ ...original, features }));
  return { path, dataset: readDataset(path) };
}

/** Columns of features whose values lie right on cut points; in the second half of the rows some are missing. */
function featuresOnThresholds({ cutPoints, cutOffsets }: Forest, rows: number): Float32Array[] {
  return Array.from({ length: cutOffsets.length - 1 }, (_, f) =>
    Float32Array.from({ length: rows }, (_, row) => {
      if (row >= rows / 2 && random.integer(CHANGED_CELLS) === 0) return Number.NaN;
      return cutPoints[cutOffsets[f] + random.integer(cutOffsets[f + 1] - cutOffsets[f])];
    }),
  );
}

/** Empties cells, invents levels and puts numbers right on a threshold, in place. @returns how many */
function changeCells({ columns }: DatasetSpecification, model: string, path: string): number {
  const { features, forest } = readModelDirectory(model);
  const thresholds = new Map(
    features.map(({ name }, f) => [name, forest.cutPoints.subarray(...forest.cutOffsets.subarray(f, f + 2))]),
  );
  const [header, ...lines] = readFileSync(path, "utf8").trimEnd().split("\n");
  const names = header.split(",");
  let changed = 0;
  const change = (cell: string, name: string): string => {
    const cuts = thresholds.get(name);
    if (cuts === undefined || random.integer(CHANGED_CELLS) > 0) return cell;
    changed++;
    const { nullable, type } = columns[name];
    if (nullable && random.integer(2) === 0) return "";
    if (type === "category") return "never seen";
    return type === "boolean" ? cell : String(cuts[random.integer(cuts.length)]);
  };
  const edited = lines.map((line) => {
    const cells = line.split(",");
    assert.equal(cells.length, names.length, `a cell with a comma: ${line}`);
    return cells.map((cell, i) => change(cell, names[i])).join();
  });
  writeFileSync(path, [header, ...edited].join("\n"));
  return changed;
}

function column(path: string, name: string): string[] {
  const [header, ...lines] = readFileSync(path, "utf8").trimEnd().split("\n");
  const index = header.split(",").indexOf(name);
  return lines.map((line) => line.split(",")[index]);
}
