/** The `churn` command as its users meet it: a process with arguments, files, two streams and an exit code. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Model } from "@churn/contract";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const COMMANDS = [
  ...["generate", "train", "evaluate", "drift", "retrain", "rollback", "verify"],
  ...["predict", "export", "runs", "models", "demo"],
];

/** A data set of a made-up gym. */
const GYM = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0, maximum: 40 },
    weight: { type: "number", nullable: true },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
  slices: ["plan"],
};

type Cells = Record<string, string | number>;

function member(i: number): Cells {
  const visits = (i * 7) % 23;
  const isGone = (i * 13) % 23 > visits;
  const weight = i % 9 === 0 ? "" : 50 + (i % 60) / 4;
  return { id: `M${i}`, visits, weight, plan: ["day", "full", "student"][i % 3], left: isGone ? "yes" : "no" };
}

function csv(change: Partial<Record<string, (i: number) => string | number>> = {}, rows = 400): string {
  const members = Array.from({ length: rows }, (_, i) => {
    const changed = Object.entries(change).map(([name, value]) => [name, value?.(i) ?? ""]);
    return { ...member(i), ...Object.fromEntries(changed) } as Cells;
  });
  return [Object.keys(members[0]), ...members.map((one) => Object.values(one))].map((cells) => `${cells}\n`).join("");
}

let home: string;
before(() => {
  home = mkdtempSync(join(tmpdir(), "churn-cli-"));
});
after(() => rmSync(home, { recursive: true, force: true }));

/** A folder to work in, with the files given: text as it is, other values as JSON. */
function workplace(files: Record<string, unknown> = {}): string {
  const folder = mkdtempSync(join(home, "at-"));
  for (const [name, content] of Object.entries({ "dataset.json": GYM, "gym.csv": csv(), ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** Path → hash of everything in a folder. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [path, entry.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder"];
  });
  return Object.fromEntries(entries.sort());
}

/** Waits until a command has begun the file that it writes aside. */
async function hasBegun(folder: string): Promise<void> {
  while (!readdirSync(folder).some((name) => name.includes(".new-"))) await sleep(10);
}

function start(folder: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const { MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, ...rest } = process.env;
  const env = { ...rest, LOG_LEVEL: "silent", ...environment };
  return spawn(process.execPath, [MAIN, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
}

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function finish(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, stdout, stderr };
}

const churn = (folder: string, args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Outcome> =>
  finish(start(folder, args, environment));

const TRAIN = ["train", "--dataset", "dataset.json", "--data", "gym.csv", "--out", "models/best_model"];
const QUICK = [...TRAIN, "--n-estimators", "9", "--min-samples-leaf", "5"];
const EVALUATE = ["evaluate", "--model", "model", "--data", "gym.csv", "--out", "report.html"];
const EXPORT = ["export", "--model", "model", "--format", "onnx", "--out", "churn.onnx"];
const DRIFT = ["drift", "--model", "model", "--current", "gym.csv", "--report", "drift.html"];
const PREDICT = ["predict", "--model", "model", "--data", "gym.csv", "--out", "scores.csv"];

async function trained(args: readonly string[] = QUICK, folder: string = workplace()) {
  const outcome = await churn(folder, [...args, "--json"]);
  assert.equal(outcome.code, 0, outcome.stderr);
  return { folder, outcome, result: JSON.parse(outcome.stdout) };
}

interface Bad {
  readonly args?: readonly string[];
  readonly files?: Record<string, unknown>;
  readonly environment?: NodeJS.ProcessEnv;
  readonly says: RegExp;
}

const dataset = (change: Record<string, unknown>): Record<string, unknown> => ({
  "dataset.json": { ...GYM, ...change },
});
const data = (content: string): Record<string, unknown> => ({ "gym.csv": content });

const BAD_TRAINING: Readonly<Record<string, Bad>> = {
  "a missing data file": {
    args: [...TRAIN, "--data", "none.csv"],
    says: /none\.csv: found nothing: expected a CSV or/,
  },
  "a missing specification": {
    args: [...TRAIN, "--dataset", "none.json"],
    says: /none\.json: expected a dataset spec/,
  },
  "a specification that is no JSON": { files: { "dataset.json": "{" }, says: /dataset\.json: not valid JSON: / },
  "a specification with a wrong field": { files: dataset({ colour: 1 }), says: /dataset\.json: \/colour: expected no/ },
  "an unknown function": {
    files: dataset({ features: { f: "pow(visits, 2)" } }),
    says: /\/features\/f: unknown function "pow": expected one of .* \(at character 1\)$/m,
  },
  "an unknown name": { files: dataset({ features: { f: "visit" } }), says: /\/features\/f: unknown name "visit"/ },
  "a cycle": { files: dataset({ features: { a: "b", b: "a" } }), says: /defined by itself: a → b → a/ },
  "an empty file": { files: data(""), says: /gym\.csv: expected a header line, got an empty file/ },
  "a header only": { files: data("id,visits,weight,plan,left\n"), says: /gym\.csv: expected customers, got no rows/ },
  "a missing column": { files: data("id,visits,weight,left\n"), says: /expected a column "plan", got "id", "visits"/ },
  "a missing target": { files: data("id,visits,weight,plan\n"), says: /expected a column "left", got "id"/ },
  "a duplicate column": {
    files: data("id,visits,visits,weight,plan,left\n"),
    says: /expected each column once, .* got "visits" more than once/,
  },
  "text in a number column": {
    files: data(csv({ visits: (i) => (i === 6 ? "many" : i) })),
    says: /gym\.csv: column "visits", row 7: expected a number, got "many"$/m,
  },
  "one class only": {
    files: data(csv({ left: () => "no" })),
    says: /column "left": expected two classes, got only "no"/,
  },
  "a constant column": {
    files: data(csv({ visits: () => 3 })),
    says: /column "visits": expected .* got 3 in every row/,
  },
  "a column without values": { files: data(csv({ plan: () => "" })), says: /column "plan": .* got no value at all/ },
  "too few customers": { files: data(csv({}, 30)), says: /expected at least 10 customers of each class among the/ },
  "a file that is not Parquet": {
    args: [...TRAIN, "--data", "gym.parquet"],
    files: { "gym.parquet": "id,visits" },
    says: /gym\.parquet: not readable as parquet/,
  },
  "a file in place of the model": {
    args: [...TRAIN, "--out", "gym.csv"],
    says: /gym\.csv: expected a model directory or nothing, .* got a file: name another path/,
  },
  "a folder of other things in place of the model": {
    args: [...TRAIN, "--out", "."],
    says: /\.: expected a model directory or nothing, .* got a folder that also holds "dataset\.json": name another path/,
  },
  "a number of trees out of range": {
    args: [...TRAIN, "--n-estimators", "0"],
    says: /option '--n-estimators <n>' argument '0' is invalid\. Expected a whole number in \[1, 10000\], got "0"/,
  },
  "a report that is no page": {
    args: [...TRAIN, "--report", "gym.csv"],
    says: /gym\.csv: expected a file name ending in \.html$/m,
  },
  "text for a depth": { args: [...TRAIN, "--max-depth", "deep"], says: /'--max-depth <n>' .* got "deep"/ },
  "a share of features that is zero": {
    args: [...TRAIN, "--max-features", "0"],
    says: /'--max-features <n>' .* got "0"/,
  },
  "an unknown option": { args: [...TRAIN, "--colour", "red"], says: /^error: unknown option '--colour'$/m },
  "an option without its value": { args: ["train", "--out"], says: /^error: option '--out <dir>' argument missing$/m },
  "an argument too many": { args: [...TRAIN, "now"], says: /^error: too many arguments for 'train'/ },
  "an unknown log level": {
    environment: { LOG_LEVEL: "loud" },
    says: /LOG_LEVEL: expected one of trace, .* got "loud"/,
  },
};

const BAD_OTHERS: Readonly<Record<string, Bad>> = {
  "an unknown command": { args: ["fly"], says: /^error: unknown command 'fly'$/m },
  "customers to generate that are none": {
    args: ["generate", "--rows", "0"],
    says: /'--rows <n>' argument '0' is invalid/,
  },
  "a scenario that there is not": {
    args: ["generate", "--scenario", "war"],
    says: /--scenario <name>' argument 'war' is invalid. Allowed choices are stable, price-increase/,
  },
  "a month before the first": {
    args: ["generate", "--month", "-1"],
    says: /--month <n>' argument '-1' is invalid. Expected a whole number in \[0, 120\], got "-1"/,
  },
  "a scenario that begins before there is a month to change": {
    args: ["generate", "--scenario", "stable", "--from", "0"],
    says: /--from <month>' argument '0' is invalid. Expected a whole number in \[1, 120\], got "0"/,
  },
  "a file kind it cannot generate": {
    args: ["generate", "--rows", "10", "--out", "customers.xlsx"],
    says: /customers\.xlsx: expected a file name ending in \.parquet or \.csv/,
  },
  "a prediction without data": { args: ["predict"], says: /^error: required option '--data <path>' not specified$/m },
  "an evaluation without data": { args: ["evaluate"], says: /^error: required option '--data <path>' not specified$/m },
  "an evaluation without a model": { args: EVALUATE, says: /model: no such model directory: train a model first/ },
  "customers of an unknown kind": {
    args: [...EVALUATE, "--customers", "some"],
    says: /'--customers <which>' argument 'some' is invalid\. Allowed choices are all, holdout\./,
  },
  "a drift check of nothing": { args: ["drift"], says: /^error: required option '--current <path>' not specified$/m },
  "a drift check without a model": { args: DRIFT, says: /model: no such model directory: train a model first/ },
  "a budget of no false alarms": {
    args: [...DRIFT, "--false-alarms", "0/year"],
    says: /'--false-alarms <rate>' argument '0\/year' is invalid\. Expected a number above 0 per year, .* such as 1\/year/,
  },
  "a budget without a period": { args: [...DRIFT, "--false-alarms", "2"], says: /such as 1\/year, got "2"/ },
  "a check every so many hours": {
    args: [...DRIFT, "--every", "6h"],
    says: /'--every <days>' argument '6h' is invalid\. Expected days from 1d to 365d, got "6h"/,
  },
  "a prediction of nobody": { args: [...PREDICT, "--top", "0"], says: /'--top <n>' .* whole number in \[1, .*got "0"/ },
  "a prediction without a model": { args: PREDICT, says: /model: no such model directory: train a model first/ },
};

const MODEL_FILES = ["model.json", "forest.safetensors", "reference.safetensors", "MODEL_CARD.md"];

async function refuses(bad: Bad, folder: string = workplace(bad.files)): Promise<void> {
  const before = contents(folder);

  const { code, stdout, stderr } = await churn(folder, bad.args ?? TRAIN, bad.environment);

  assert.match(stderr, bad.says);
  assert.match(stderr, /^(churn|error): [^\n]+\n$/, "expected one line on standard error");
  assert.doesNotMatch(stderr, /\n? {4}at |unexpected failure/);
  assert.equal(stdout, "");
  assert.equal(code, 2);
  assert.deepEqual(contents(folder), before);
}

describe("bad input gives one message, exit code 2 and no file:", { concurrency: 2 }, () => {
  for (const [name, bad] of Object.entries({ ...BAD_TRAINING, ...BAD_OTHERS })) {
    test(name, () => refuses(bad));
  }
});

describe("a model", { concurrency: 2 }, () => {
  let model: string;
  let hash: string;
  before(async () => {
    const { folder, result } = await trained([...QUICK, "--n-jobs", "1"]);
    model = join(folder, "models", "best_model");
    hash = result.contentSha256;
  });

  /** A workplace with a copy of the model in it. */
  function beside(files: Record<string, unknown> = {}, name = "model"): string {
    const folder = workplace(files);
    cpSync(model, join(folder, name), { recursive: true });
    return folder;
  }

  for (const name of MODEL_FILES) {
    test(`whose ${name} is cut short predicts nothing`, async () => {
      const folder = beside();
      truncateSync(join(folder, "model", name), 100);

      await refuses({ args: PREDICT, says: new RegExp(`model: ${name}: (expected sha256|not valid JSON)`) }, folder);
    });
  }

  test("that was tampered with predicts nothing", async () => {
    const folder = beside();
    const path = join(folder, "model", "model.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"seed": 42', '"seed": 43'));

    await refuses({ args: PREDICT, says: /model: model\.json: expected content hash/ }, folder);
  });

  test("predicts nothing from data without a required column", () =>
    refuses(
      { args: PREDICT, says: /expected a column "visits", got "id", "weight"/ },
      beside(data("id,weight\na,1\n")),
    ));

  test("predicts nothing into a file of an unknown kind", () =>
    refuses(
      { args: [...PREDICT, "--out", "scores.txt"], says: /scores\.txt: expected a file name ending in/ },
      beside(),
    ));

  for (const [fault, args, says] of [
    [
      "in a format that is not there",
      ["--format", "pmml"],
      /'--format <name>' argument 'pmml' is invalid.*onnx, mlflow/,
    ],
    ["over another's folder", ["--format", "mlflow", "--out", "model"], /model: expected a path where nothing is/],
    ["into its own directory", ["--out", "model/churn.onnx"], /expected a place outside of model directories/],
    ["over its own files", ["--out", "model/forest.safetensors"], /expected a place outside of model directories/],
    ["over a folder", ["--out", "model"], /model: cannot be written \(there is a folder of that name\)/],
    ["from nowhere", ["--model", "nowhere"], /nowhere: no such model directory/],
  ] as const) {
    test(`exports nothing ${fault}`, () => refuses({ args: [...EXPORT, ...args], says }, beside()));
  }

  const members = (i: number) => (i * 5) % 23;
  const CHECKS: Readonly<Record<string, readonly [code: number, verdict: string, now: string, reason: RegExp]>> = {
    "members as they were": [0, "ok", csv({}, 400), /^$/],
    "members who come more often": [3, "drift", csv({ visits: (i) => 15 + (i % 23) }), /^visits has shifted/],
    "visits that are counted in minutes": [3, "dataQuality", csv({ visits: (i) => 60 * members(i) }), /^visits: /],
    "the same member in every row": [3, "dataQuality", csv({ id: () => "M1" }), /^id: 399 rows repeat a customer/],
    "nobody's weight any more": [3, "dataQuality", csv({ weight: () => "" }), /^weight: 100.0 % of rows have no value/],
    "too few members": [4, "notEnoughData", csv({}, 150), /^$/],
    "one member": [4, "notEnoughData", csv({}, 1), /^$/],
  };
  for (const [what, [code, verdict, now, reason]] of Object.entries(CHECKS)) {
    test(`checked against ${what}: ${verdict}`, async () => {
      const folder = beside({ "now.csv": now });

      const outcome = await churn(folder, [...DRIFT, "--current", "now.csv", "--exit-code", "--json"]);

      const result = JSON.parse(outcome.stdout);
      assert.equal(result.verdict, verdict, JSON.stringify(result.reasons));
      assert.match(result.reasons[0] ?? "", reason);
      assert.equal(outcome.code, code);
      const report = readFileSync(join(folder, "drift.html"), "utf8");
      assert.match(report, new RegExp(`<h1>${verdict} `));
      assert.doesNotMatch(report, /<script|src="http|undefined|NaN/);
    });
  }

  test("checked without --exit-code ends with 0, whatever it finds", async () => {
    const outcome = await churn(beside({ "now.csv": csv({}, 150) }), [...DRIFT, "--current", "now.csv"]);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stdout, /^notEnoughData: There are not enough customers/);
  });

  for (const [what, now, says] of [
    ["no rows", "id,visits,weight,plan\n", /now\.csv: expected customers, got no rows/],
    ["a column gone", "id,weight,plan\na,1,day\n", /expected a column "visits", got "id"/],
    [
      "text where numbers were",
      csv({ visits: () => "often" }),
      /column "visits", row 1: expected a number, got "often"/,
    ],
  ] as const) {
    test(`is not checked against ${what}`, () =>
      refuses({ args: [...DRIFT, "--current", "now.csv"], says }, beside({ "now.csv": now })));
  }

  test("exported says where it is and how large", async () => {
    const folder = beside();

    const { code, stdout } = await churn(folder, [...EXPORT, "--json"]);

    const { sizeBytes, ...rest } = JSON.parse(stdout);
    const { version } = Model.load(join(folder, "model")).manifest;
    assert.deepEqual([code, rest], [0, { out: "churn.onnx", format: "onnx", modelVersion: version }]);
    assert.equal(readFileSync(join(folder, "churn.onnx")).length, sizeBytes);
  });

  test("exported for MLflow carries itself along", async () => {
    const folder = beside();

    const { code } = await churn(folder, [...EXPORT, "--format", "mlflow", "--out", "deep/churn"]);

    assert.equal(code, 0);
    for (const file of readdirSync(join(folder, "model"))) {
      assert.deepEqual(readFileSync(join(folder, "deep/churn/model", file)), readFileSync(join(folder, "model", file)));
    }
    assert(readdirSync(join(folder, "deep/churn")).includes("MLmodel"));
    assert.deepEqual(readdirSync(join(folder, "deep")), ["churn"]);
  });

  test("scores a file in its order, by key, in doubles that read back to the model's own", async () => {
    const folder = beside();
    const expected = Model.load(model);

    const { code, stdout } = await churn(folder, [...PREDICT, "--json"]);

    const { rows, predictedChurn } = JSON.parse(stdout);
    const [header, ...lines] = readFileSync(join(folder, "scores.csv"), "utf8").trimEnd().split("\n");
    assert.deepEqual([code, rows, lines.length], [0, 400, 400]);
    assert.equal(header, "id,churn_probability,churn_prediction");
    for (const [i, line] of lines.entries()) {
      const { id, visits, weight, plan } = member(i);
      const probability = expected.predictRow({ visits, weight: weight === "" ? Number.NaN : weight, plan });
      const [key, ...score] = line.split(",");
      assert.equal(key, id);
      assert.deepEqual(score.map(Number), [probability, expected.decide(probability)]);
    }
    assert.equal(predictedChurn, lines.filter((line) => line.endsWith(",1")).length);
  });

  test("judged on its training data gives its own figures, in one JSON document, and a report", async () => {
    const folder = beside();

    const { code, stdout, stderr } = await churn(folder, [...EVALUATE, "--json"], { LOG_LEVEL: "info" });

    const { metrics, baselines, confusionMatrix, slices, version } = Model.load(model).manifest;
    const found = JSON.parse(stdout);
    const entries = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { durationMs, ...last } = entries[1];
    assert.equal(code, 0);
    assert.deepEqual(
      [found.metrics, found.baselines, found.confusionMatrix, found.slices],
      [metrics, baselines, confusionMatrix, slices],
    );
    assert.deepEqual(
      [found.rows, found.labelledRows, found.customers, found.out],
      [400, 400, "holdout", "report.html"],
    );
    assert.deepEqual(Object.keys(found.importances[0]), ["column", "value", "low", "high"]);
    assert.match(readFileSync(join(folder, "report.html"), "utf8"), /^<!doctype html>.*<\/html>\n$/s);
    assert.deepEqual(
      entries.map(({ plane, event }) => `${plane} ${event}`),
      ["training evaluate.started", "training evaluate.finished"],
    );
    assert.deepEqual([last.rows, last.modelVersion], [found.judgingRows, version]);
    assert(durationMs > 0);
  });

  test("judged in a terminal gives a table and says where the report is", async () => {
    const { code, stdout } = await churn(beside(), EVALUATE);

    assert.equal(code, 0);
    assert.match(stdout, /^Model \S+\nJudged by \d+ customers that were held out/);
    assert.match(stdout, /\| ROC AUC +\| 0\.\d{4} +\| 0\.\d{4} – /);
    assert.match(stdout, /\nReport in report\.html\n$/);
  });

  test("of another data set judges nothing, and names the column that is not there", () =>
    refuses(
      { args: EVALUATE, says: /gym\.csv: expected a column "visits", got "id", "weight", "left"$/m },
      beside(data("id,weight,left\na,1,yes\nb,2,no\n")),
    ));

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`judged until ${signal} leaves no report, and the old one as it was`, async () => {
      const folder = beside({ "gym.csv": csv({}, 60_000), "report.html": "old" });
      const before = contents(folder);
      const child = start(folder, [...EVALUATE, "--customers", "all"]);
      const outcome = finish(child);
      await hasBegun(folder);
      child.kill(signal);

      const { code, signal: endedBy } = await outcome;

      assert(endedBy === signal || code !== 0, `exit code ${code}`);
      assert.deepEqual(contents(folder), before);
    });
  }
  test("says what it met, in notes for people and in fields for programs", async () => {
    const folder = beside({ "new.csv": "id,visits,plan,shoes\na,1,day,red\nb,99,zebra,red\nc,,,red\nd,2,yoga,red\n" });
    const args = ["predict", "--model", "model", "--data", "new.csv", "--out", "scores.csv", "--top", "3"];

    const notes = (await churn(folder, args)).stdout.split("\n");
    const document = JSON.parse((await churn(folder, [...args, "--json"])).stdout);

    const { version: modelVersion } = Model.load(model).manifest;
    const scored = `Scored 4 customers with model ${modelVersion}: ${document.predictedChurn} are predicted to churn`;
    assert.deepEqual(notes, [
      scored,
      'Note: column "weight" is not in the data; scored as unknown',
      "Note: missing values, scored as unknown: visits 1, plan 1",
      "Note: levels that the model does not know, scored as unknown: plan 2",
      "Note: values outside the specification's bounds: visits 1",
      "Note: columns that the specification does not name, ignored: 1",
      "The 3 most worth a contact, best first, in scores.csv",
      "",
    ]);
    assert.deepEqual(document, {
      out: "scores.csv",
      rows: 4,
      written: 3,
      predictedChurn: document.predictedChurn,
      modelVersion,
      unknownLevels: { plan: 2 },
      missing: { visits: 1, weight: 4, plan: 1 },
      findings: { visits: 1 },
      missingColumns: ["weight"],
      extraColumns: ["shoes"],
    });
  });

  test("has the same content with two threads", async () => {
    assert.equal((await trained([...QUICK, "--n-jobs", "2"])).result.contentSha256, hash);
  });

  test("has another content with another seed", async () => {
    assert.notEqual((await trained([...QUICK, "--seed", "43"])).result.contentSha256, hash);
  });

  test("that is the first makes no ledger; one that replaces it adds a line", async () => {
    const { folder, result: first } = await trained();
    const ledger = join(folder, "models", "ledger.jsonl");
    assert.deepEqual(readdirSync(dirname(ledger)), ["best_model"]);

    const { result: second } = await trained([...QUICK, "--seed", "7"], folder);

    const lines = readFileSync(ledger, "utf8").trimEnd().split("\n");
    const { at, manifestSha256, ...entry } = JSON.parse(lines[0]);
    assert.equal(lines.length, 1);
    assert.deepEqual(entry, {
      event: "replaced",
      version: second.version,
      contentSha256: second.contentSha256,
      previousVersion: first.version,
      reason: "churn train",
    });
    assert.equal(new Date(at).toISOString(), at);
    const manifest = readFileSync(join(folder, "models", "best_model", "model.json"));
    assert.equal(manifestSha256, createHash("sha256").update(manifest).digest("hex"));
    assert.deepEqual(readdirSync(dirname(ledger)).sort(), [".lock", "best_model", "ledger.jsonl"]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`stays whole, with nothing beside it, when training its successor ends by ${signal}`, async () => {
      const folder = beside({}, "models/best_model");
      const before = contents(folder);
      const child = start(folder, [...TRAIN, "--n-estimators", "10000"], { LOG_LEVEL: "info" });
      const outcome = finish(child);
      let log = "";
      child.stderr?.on("data", (text: string) => {
        log += text;
        if (log.includes("data.loaded")) child.kill(signal);
      });

      const { code, signal: endedBy } = await outcome;

      assert(endedBy === signal || code !== 0, `exit code ${code}`);
      assert.match(log, /data\.loaded/);
      assert.deepEqual(contents(folder), before);
    });
  }
});

describe("the command", { concurrency: 2 }, () => {
  test("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

    assert.deepEqual(await churn(home, ["--version"]), { code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  });

  test("lists its commands, with an example", async () => {
    const { code, stdout } = await churn(home, ["--help"]);

    const [, commands] = /\nCommands:\n(.*)\nExample:/s.exec(stdout) ?? [];
    const listed = [...commands.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
    assert.deepEqual([code, listed], [0, COMMANDS]);
    assert.match(stdout, /\nExample:\n {2}churn /);
  });

  for (const command of COMMANDS) {
    test(`${command} --help ends with an example of it, and writes nothing`, async () => {
      const folder = workplace();
      const before = contents(folder);

      const { code, stdout, stderr } = await churn(folder, [command, "--help"]);

      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`\nExample:\n  churn ${command} [^\n]+\n$`));
      assert.deepEqual(contents(folder), before);
    });
  }

  test("without a command says how to use it, and fails", async () => {
    const { code, stdout, stderr } = await churn(home, []);

    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^Usage: churn/);
  });

  test("--json leaves one document on standard output, logs on standard error", async () => {
    const folder = workplace();

    const { code, stdout, stderr } = await churn(folder, [...QUICK, "--json"], { LOG_LEVEL: "info" });

    const entries = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { version, metrics, confusionMatrix, run, report } = JSON.parse(stdout);
    const { truePositives, falsePositives, falseNegatives } = confusionMatrix;
    assert.equal(code, 0);
    assert.match(version, /^\d{8}T\d{6}Z-[0-9a-f]{8}$/);
    assert(metrics.roc_auc.low <= metrics.roc_auc.value && metrics.roc_auc.value <= metrics.roc_auc.high);
    assert.equal(metrics.precision_score.value, truePositives / (truePositives + falsePositives));
    assert.equal(metrics.recall_score.value, truePositives / (truePositives + falseNegatives));
    assert(readdirSync(run.location).includes("meta.yaml"));
    assert.equal(run.isWaiting, false);
    assert.equal(report, "reports/training.html");
    assert.match(readFileSync(join(folder, report), "utf8"), /^<!doctype html>/);
    assert.deepEqual(new Set(entries.map(({ plane }) => plane)), new Set(["training"]));
    assert.deepEqual(
      entries.map(({ event }) => event),
      [
        ...["train.started", "data.loaded", "forest.fitted", "model.evaluated", "report.written"],
        ...["run.recorded", "train.finished"],
      ],
    );
  });

  test("train --tune tells what it tried; --tune-seconds implies it", async () => {
    const folder = workplace();

    const { code, stdout } = await churn(folder, [...QUICK, "--tune-seconds", "0.001"]);

    assert.equal(code, 0);
    assert.match(stdout, /^\| parameters +\| out-of-bag log-loss +\| gain/);
    assert.match(stdout, /^Tuning: the parameters as given; trials: 1, the time was up\.$/m);
  });

  test("generate --json prints one document, and the same seed gives the same file", async () => {
    const folder = workplace();
    const args = ["generate", "--rows", "50", "--json", "--out"];

    const { stdout } = await churn(folder, [...args, "first.csv"]);
    await churn(folder, [...args, "second.csv"]);

    const options = { rows: 50, seed: 42, month: 0, scenario: "stable", from: 1, withTruth: false };
    assert.deepEqual(JSON.parse(stdout), { ...options, out: "first.csv" });
    assert.equal(readFileSync(join(folder, "first.csv"), "utf8"), readFileSync(join(folder, "second.csv"), "utf8"));
  });

  test("generate writes the same bytes with one thread and with two", async () => {
    const folder = workplace();
    const args = ["generate", "--rows", "600000", "--month", "1", "--scenario", "new-segment", "--n-jobs"];

    for (const nJobs of ["1", "2"]) await churn(folder, [...args, nJobs, "--out", `${nJobs}.parquet`]);

    assert.ok(readFileSync(join(folder, "1.parquet")).equals(readFileSync(join(folder, "2.parquet"))));
  });

  test("--quiet prints nothing", async () => {
    const { code, stdout, stderr } = await churn(workplace(), [...QUICK, "--quiet"]);

    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  });
});
