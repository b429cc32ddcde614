/**
 * A model taken elsewhere: what `churn export` writes is valid ONNX, and onnxruntime computes with it, from raw columns,
 * the features, the probabilities and the decisions, bit for bit but for a sigmoid's last.
 *
 * The Python half, onnx_export.py, knows onnx and onnxruntime, and nothing of this code.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { churn } from "../bench/command.ts";
import { PythonScript } from "../bench/python.ts";
import {
  BINARY_OPERATORS,
  type Calibration,
  CONDITIONAL,
  type Column,
  compileFeatures,
  type DatasetSpecification,
  type ExpressionNode,
  FOLDED_FUNCTIONS,
  FUNCTIONS,
  featureColumnNames,
  MISSING_CODE,
  Model,
  type ModelFiles,
  readModelDirectory,
  type Table,
  UNARY_OPERATORS,
} from "../contract/src/index.ts";
import { randomForest, seededRandom } from "../contract/test/random-forest.ts";
import { encodeOnnx } from "../training/src/onnx/model.ts";
import { Random } from "../training/src/random.ts";
import { changedCustomers, firstRows } from "./changed-customers.ts";

const ROWS = 10_000;
/** A sigmoid's logarithm and exponential may differ in their last bit. All else, at these sizes the sum of leaf values too, is exact. */
const SIGMOID_TOLERANCE = 1e-15;

const isMissing =
  !existsSync(new URL("../bench/.venv/requirements.txt", import.meta.url)) && process.env.CHURN_REQUIRE_ALL !== "1";
const skip = isMissing && "no bench/.venv: bench/python.sh makes it";

const folder = mkdtempSync(join(tmpdir(), "churn-onnx-"));
const python = isMissing ? undefined : new PythonScript(new URL("onnx_export.py", import.meta.url));
after(() => {
  python?.close();
  rmSync(folder, { recursive: true, force: true });
});

const CALIBRATIONS: readonly Calibration[] = [
  { method: "none" },
  { method: "sigmoid", slope: 1.7, intercept: -0.4 },
  { method: "isotonic", x: [0.05, 0.1, 0.2, 0.35, 0.7], y: [0, 0.08, 0.08, 0.5, 1] },
  { method: "isotonic", x: [0.2], y: [0.3] },
];

describe("onnxruntime decides as churn predict does", { skip }, () => {
  test("of 10,000 generated customers, with the champion, calibrated in any way", async () => {
    const data = join(folder, "customers.parquet");
    churn(folder, "generate", "--rows", String(ROWS), "--seed", "2026", "--out", data);

    await compareModel("models/best_model", data);
  });

  test("of a real data set's customers", async () => {
    const model = join(folder, "telco");
    churn(folder, "train", "--dataset", "datasets/telco/dataset.json", "--out", model);

    await compareModel(model, "datasets/telco/Telco-Customer-Churn.csv");
  });

  async function compareModel(directory: string, data: string): Promise<void> {
    const out = join(folder, "model.onnx");
    churn(folder, "export", "--model", directory, "--format", "onnx", "--out", out);
    const files = readModelDirectory(directory);
    const table = await changedCustomers(files.manifest.dataset, data);

    const said = await python?.ask<{ producer: string; metadata: Record<string, string>; nInputs: number }>({
      ...{ command: "check", path: out },
    });
    const { version, contentSha256, dataset, threshold } = files.manifest;
    assert.deepEqual([said?.producer, said?.nInputs], ["churn", featureColumnNames(dataset).length]);
    assert.deepEqual(
      [said?.metadata.version, said?.metadata.content_sha256, said?.metadata.dataset, Number(said?.metadata.threshold)],
      [version, contentSha256, dataset.name, threshold.value],
    );
    await compareScores(files, table, out);
    for (const calibration of CALIBRATIONS) {
      const manifest = { ...files.manifest, calibration: { ...files.manifest.calibration, ...calibration } };
      await compareScores({ ...files, manifest }, table, writeModel({ ...files, manifest }));
    }
    await compareScores(files, firstRows(table, 1), out);
    await compareScores(files, firstRows(table, 0), out);
  }
});

test("each operator gives the features of our own evaluator, bit for bit, for any numbers and levels", {
  skip,
}, async () => {
  const files = syntheticModel();
  const table = specialValues();
  const path = writeModel(files);

  const answer = await python?.ask<{ bits: number[][] }>({ command: "features", path, columns: toJson(table) });
  const expected = new Model(files).encoder.encodeTable(table);
  for (const [f, { name, expression }] of files.features.entries()) {
    const bits = new Uint32Array(expected[f].map((x) => x + 0).buffer); // no threshold tells −0 from 0
    const differing = Array.from(bits.keys()).filter((row) => bits[row] !== answer?.bits[f][row]);
    const [first] = differing;
    const inputs = first === undefined ? "" : JSON.stringify(toJson(firstRows(table, 1, first)));
    assert.deepEqual(
      differing.length,
      0,
      `${name} = ${expression?.source}: ${differing.length} rows differ, as ${inputs}: ${expected[f][first]}`,
    );
  }
  await compareScores(files, table, path);
});

test("a probability that is the threshold reaches it", { skip }, async () => {
  const files = syntheticModel();
  const calibration = { ...files.manifest.calibration, method: "isotonic", x: [0.5], y: [0.3] } as const;
  const threshold = { ...files.manifest.threshold, value: 0.3 };
  const path = writeModel({ ...files, manifest: { ...files.manifest, calibration, threshold } });

  const columns = toJson(firstRows(specialValues(), 3));
  const answer = await python?.ask({ command: "predict", path, columns });
  assert.deepEqual(answer, { probabilities: [0.3, 0.3, 0.3], predictions: [1, 1, 1] });
});

test("the expressions of that test have every operator", () => {
  const seen = new Set<unknown>();
  const visit = (node: ExpressionNode): void => {
    seen.add(node.kind === "call" ? node.operator : node.kind);
    if (node.kind === "call") node.args.forEach(visit);
  };
  for (const { expression } of syntheticModel().features) if (expression !== undefined) visit(expression.tree);

  const operators = [BINARY_OPERATORS, UNARY_OPERATORS, FUNCTIONS, FOLDED_FUNCTIONS].flatMap((map) => [
    ...map.values(),
  ]);
  for (const operator of [...operators, CONDITIONAL]) assert(seen.has(operator), `no expression has ${operator.name}`);
  for (const kind of ["literal", "column", "level", "levelMissing"])
    assert(seen.has(kind), `no expression has a ${kind}`);
});

test("files are written by the ONNX project's own schema", { skip }, async () => {
  const schema = await python?.ask<string>({ command: "schema" });
  assert.equal(readFileSync("training/src/onnx/onnx-ml.proto", "utf8"), schema);
});

test("the same model gives the same bytes", () => {
  const files = readModelDirectory("models/best_model");
  assert.deepEqual(encodeOnnx(files, "1"), encodeOnnx(files, "1"));
});

test("a column with the name of an output is refused", () => {
  const { dataset, ...files } = { ...syntheticModel(), dataset: SPECIFICATION };
  const columns = { ...dataset.columns, churn_probability: { type: "number" } } as const;
  const manifest = { ...files.manifest, dataset: { ...dataset, columns } };
  const features = compileFeatures(manifest.dataset, "dataset.json");
  assert.throws(() => encodeOnnx({ ...files, manifest, features }, "1"), {
    code: "CHURN_ERR_DATASET_INVALID",
    message: /churn_probability: expected another name/,
  });
});

test("the README's Python example runs as it stands", { skip }, () => {
  const [, example] = /```python\n([^`]+)```/.exec(readFileSync("README.md", "utf8")) ?? [];
  churn(folder, "export", "--model", "models/best_model", "--format", "onnx", "--out", join(folder, "churn.onnx"));

  const script = fileURLToPath(new URL("../bench/python.sh", import.meta.url));
  const out = execFileSync(script, ["-c", example], { cwd: folder, encoding: "utf8" });
  const model = Model.load("models/best_model");
  const { columns } = model.manifest.dataset;
  const missing = featureColumnNames(model.manifest.dataset).map((name) => [
    name,
    columns[name].type === "category" ? null : Number.NaN,
  ]);
  const customer = JSON.parse(/customer = (.+)/.exec(example)?.[1] ?? "");
  const expected = model.predictRow({ ...Object.fromEntries(missing), ...customer });
  const [probability, prediction] = out.split(" ").map(Number);
  assert(Math.abs(probability - expected) <= SIGMOID_TOLERANCE, `expected ${expected}, got ${out}`);
  assert.equal(prediction, model.decide(expected));
});

// --- customers ---------------------------------------------------------------------------------------------

/** Columns as JSON: null is missing, and numbers that JSON does not have are texts. */
function toJson({ columns }: Table): Record<string, (number | string | null)[]> {
  const number = (x: number): number | string | null => {
    if (Number.isNaN(x)) return null;
    if (Object.is(x, -0)) return "-0";
    return Number.isFinite(x) ? x : String(x);
  };
  const values = [...columns].map(([name, column]) => [
    name,
    column instanceof Float64Array
      ? Array.from(column, number)
      : Array.from(column.codes, (code) => (code === MISSING_CODE ? null : column.levels[code])),
  ]);
  return Object.fromEntries(values);
}

async function compareScores(files: ModelFiles, table: Table, path: string): Promise<void> {
  const model = new Model(files);
  const expected = model.predictTable(table);

  const answer = await python?.ask<{ probabilities: number[]; predictions: number[] }>({
    ...{ command: "predict", path, columns: toJson(table) },
  });
  assert(answer !== undefined && answer.probabilities.length === table.rows);
  const { calibration, threshold } = files.manifest;
  const tolerance = calibration.method === "sigmoid" ? SIGMOID_TOLERANCE : 0;
  for (const [row, probability] of answer.probabilities.entries()) {
    const difference = Math.abs(probability - expected[row]);
    assert(difference <= tolerance, `${path}: row ${row}: expected ${expected[row]}, got ${probability}`);
    if (Math.abs(expected[row] - threshold.value) < tolerance) continue;
    assert.equal(answer.predictions[row], model.decide(expected[row]), `row ${row}: ${probability}`);
  }
  const isDecided = new Set(expected).size <= 1;
  assert(isDecided || new Set(answer.predictions).size === 2, "expected both decisions");
}

let written = 0;
function writeModel(files: ModelFiles): string {
  const path = join(folder, `${written++}.onnx`);
  writeFileSync(path, encodeOnnx(files, "test"));
  return path;
}

// --- a model of every operator -----------------------------------------------------------------------------

const SPECIFICATION: DatasetSpecification = {
  name: "operators",
  target: { column: "y", positive: 1 },
  columns: {
    a: { type: "number", nullable: true },
    b: { type: "number", nullable: true },
    p: { type: "boolean", nullable: true },
    q: { type: "boolean", nullable: true },
    k: { type: "category", nullable: true },
    y: { type: "integer" },
  },
  features: Object.fromEntries(
    [
      ...[...BINARY_OPERATORS.keys()].map((name) => (/&&|\|\|/.test(name) ? `p ${name} q` : `a ${name} b`)),
      ...[...FOLDED_FUNCTIONS.keys()].flatMap((name) => [`${name}(a, b)`, `${name}(a, b, 0.5)`, `1 / ${name}(a, b)`]),
      ...[...FUNCTIONS.keys()].flatMap((name) => [`${name}(a)`, `1 / ${name}(a)`]),
      ...["-a", "1 / -a", "!p", "p ? a : b", "p ? q : !q", "p", "a * b - a / b", "1 / (a + b)", "1 / (a * b)"],
      ...["k == 'one'", "k != 'one'", "'' == k", "k == 'unheard of'", "isMissing(k)", "k == 'one' ? a : b"],
      ...[
        "bucket(a, -1, 0, 2.5)",
        "bucket(bucket(a, 0, 1), 0, 1)",
        "a > b && b > 0 || p",
        "a * 1e300",
        "(a - b) > 1e-12",
      ],
      ...["7", "true", "1e999", "2 - 3", "coalesce(a, b) > 1 ? f0 : f1 - 1", "isMissing(p && q)", "p + q"],
    ].map((source, i) => [`f${i}`, source]),
  ),
};

function syntheticModel(): ModelFiles {
  const features = compileFeatures(SPECIFICATION, "dataset.json");
  const champion = readModelDirectory("models/best_model").manifest;
  const calibration = { method: "none", logLoss: {}, reason: "made up" } as const;
  const threshold = { ...champion.threshold, value: 0.5 };
  return {
    manifest: { ...champion, dataset: SPECIFICATION, encodings: { k: ["two", "one", "ünï"] }, calibration, threshold },
    features,
    // Some trees are a leaf and nothing else.
    forest: randomForest(seededRandom(1), { nTrees: 50, nFeatures: features.length, maxDepth: 6 }),
  };
}

/**
 * Every pair of numbers at which operators differ, with every pair of conditions and every level; then pairs of any
 * numbers.
 */
function specialValues(): Table {
  const numbers = [0, -0, 0.1, -0.5, 0.5, 1, -1, 2.5, 3, -3.5, 16_777_217, 1e39, -1e39, 5e-324, 1e308, -1e308];
  const values = [...numbers, 0.1 + 0.2, 0.3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  const conditions = [0, 1, Number.NaN];
  const levels = ["one", "two", "ünï", "unseen"];
  const n = values.length;
  const special = n * n * 9 * 5;
  const rows = special + 5000;
  const digit = (row: number, below: number, base: number): number => Math.floor(row / below) % base;
  const random = new Random(2);
  const number = (below: number) => (row: number) =>
    row < special ? values[digit(row, below, n)] : 200 * random.uniform() - 100;
  const column = (value: (row: number) => number): Float64Array =>
    Float64Array.from({ length: rows }, (_, row) => value(row));
  return {
    rows,
    columns: new Map<string, Column>([
      ["a", column(number(1))],
      ["b", column(number(n))],
      ["p", column((row) => conditions[digit(row, n * n, 3)])],
      ["q", column((row) => conditions[digit(row, 3 * n * n, 3)])],
      ["k", { codes: Int32Array.from({ length: rows }, (_, row) => digit(row, 9 * n * n, 5) - 1), levels }],
    ]),
  };
}
