/**
 * Tracked runs as MLflow itself sees them: it reads from our folder, and from the database that it makes of it, what we
 * have written, to the last byte; its pyfunc and ONNX loaders decide as we do; and we read what it has written.
 *
 * The Python half, mlflow_peer.py, knows MLflow, and nothing of this code.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { churn } from "../bench/command.ts";
import { PythonScript } from "../bench/python.ts";
import { type Column, type DatasetSpecification, MISSING_CODE, Model, type Table } from "../contract/src/index.ts";
import type { Artifact } from "../training/src/mlflow/artifact.ts";
import { findVersion } from "../training/src/tracking/file-registry.ts";
import { FileStore } from "../training/src/tracking/file-store.ts";
import type { DatasetInput, LoggedModel, MetricPoint, Run } from "../training/src/tracking/run.ts";
import { CHALLENGER } from "../training/src/tracking/training-run.ts";
import { MODEL_NAME } from "../training/src/train.ts";
import { changedCustomers, firstRows } from "./changed-customers.ts";
import { isMlflowMissing, MLFLOW, mlflowSkip } from "./mlflow-server.ts";

const EXPERIMENT = "team/ünï ☃";
const ROWS = 1000;
/** A sigmoid's last bit, as in onnx-export.test.ts. */
const TOLERANCE = 1e-15;

const folder = mkdtempSync(join(tmpdir(), "churn-mlflow-"));
const python = isMlflowMissing ? undefined : new PythonScript(new URL("mlflow_peer.py", import.meta.url), "mlflow");
after(() => {
  python?.close();
  rmSync(folder, { recursive: true, force: true });
});

const store = new FileStore(join(folder, "mlruns"));
const fileStore = pathToFileURL(store.root).href;
const database = `sqlite:///${join(folder, "mlflow.db")}`;
const customers = join(folder, "customers.parquet");

describe("MLflow reads what churn train has tracked", { skip: mlflowSkip }, () => {
  let summary = "";
  before(() => {
    process.env.MLFLOW_EXPERIMENT_NAME = EXPERIMENT;
    churn(folder, "generate", "--rows", "8000", "--seed", "2026", "--out", customers);
    trainModel("customers", "--data", customers, "--tune-seconds", "1");
    trainModel("telco");
    const migration = ["migrate-filestore", "--source", store.root, "--target", database];
    summary = execFileSync(MLFLOW, migration, { encoding: "utf8", stdio: "pipe" });
  });

  test("its migration to a database takes all of it", () => {
    const counts = [...summary.matchAll(/^ {2}(\w+) +(\d+) +(\d+)$/gm)].map(([, entity, migrated, kept]) => {
      assert.equal(migrated, kept, entity);
      return [entity, Number(kept)];
    });
    const runs = listRuns();
    const models = runs.flatMap(({ model }) => model ?? []);
    const sizes = (entries: readonly object[]): number =>
      entries.reduce((sum, one) => sum + Object.keys(one).length, 0);
    assert.deepEqual(Object.fromEntries(counts), {
      experiments: 2, // MLflow's Default is one
      runs: runs.length,
      params: sizes(runs.map(({ params }) => params)),
      tags: sizes(runs.map(({ tags }) => tags)),
      metrics: sizes(runs.map(({ metrics }) => metrics)),
      latest_metrics: sizes(runs.map(({ metrics }) => Object.groupBy(metrics, ({ key }) => key))),
      ...{ datasets: 4, inputs: 4, input_tags: 4, outputs: 2 },
      logged_models: models.length,
      logged_model_params: sizes(models.map(({ params }) => params)),
      logged_model_tags: sizes(models.map(({ tags }) => tags)),
      logged_model_metrics: sizes(models.map(({ metrics }) => metrics)),
      ...{ registered_models: 1, registered_model_aliases: 1, model_versions: 2, model_version_tags: 6 },
    });
    assert(runs.length > 2 && models.length === 2, "expected trials too");
  });

  for (const [where, uri] of Object.entries({ "the folder": fileStore, "that database": database })) {
    test(`every run from ${where}`, async () => {
      for (const { runId } of listRuns()) assert.deepEqual(await theirs(uri, runId), ours(store, runId));
    });

    test(`the registered version from ${where}`, async () => {
      const { version, modelId } = findVersion(store, { kind: "alias", name: MODEL_NAME, alias: CHALLENGER });
      const { runId, tags, model } = listRuns().find(({ model }) => model?.modelId === modelId) as Run;
      const { "mlflow.modelVersions": _, ...modelTags } = model?.tags ?? {};
      assert.deepEqual(await python?.ask({ command: "version", uri, name: MODEL_NAME, alias: CHALLENGER }), {
        modelId: uri === fileStore ? modelId : null, // MLflow's databases know it by the source alone
        ...{ version, source: `models:/${modelId}`, runId, status: "READY", aliases: [CHALLENGER] },
        ...{ description: tags["mlflow.note.content"], tags: modelTags },
      });
      assert.equal(version, "2");
    });
  }

  for (const [name, uri, version, data] of [
    ["customers", fileStore, `models:/${MODEL_NAME}/1`, customers],
    ["telco", database, `models:/${MODEL_NAME}@${CHALLENGER}`, "datasets/telco/Telco-Customer-Churn.csv"],
  ]) {
    for (const way of ["onnx", "json", "frame", "extension types"]) {
      test(`its ${way} says of ${name} what we say`, async () => {
        const model = Model.load(join(folder, name));
        const { dataset } = model.manifest;
        const compare = async (table: Table, columns = toJson(dataset, table)): Promise<void> => {
          const answer = await python?.ask<Predictions>({ command: "predict", uri, model: version, columns, way });
          assertPredictions(answer, model, table);
        };
        const table = firstRows(await changedCustomers(dataset, data), ROWS);
        await compare(table);
        await compare(firstRows(table, 1));
        if (way === "onnx") return; // the graph alone needs every column
        const required = Object.entries(toJson(dataset, table)).filter(([column]) => !dataset.columns[column].nullable);
        await compare(withoutNullable(dataset, table), Object.fromEntries(required));
      });
    }
  }
});

test("MLflow's own runs are read as it reads them", { skip: mlflowSkip }, async () => {
  const written = new FileStore(join(folder, "of-mlflow"));
  const uri = pathToFileURL(written.root).href;
  const ids = await python?.ask<string[]>({ command: "write", uri });
  const { runs, damaged } = written.listRuns("of MLflow/itself ünï");
  assert.deepEqual(damaged, []);
  assert.deepEqual(runs.map(({ runId }) => runId).sort(), ids?.slice(0, 2).sort(), "without the deleted one");
  for (const { runId } of runs) assert.deepEqual(ours(written, runId), await theirs(uri, runId));
});

const listRuns = (): Run[] => store.listRuns().runs.map(({ runId }) => store.readRun(runId));

function trainModel(dataset: string, ...options: string[]): void {
  const paths = ["--out", join(folder, dataset), "--report", join(folder, `${dataset}.html`)];
  const specification = ["--dataset", `datasets/${dataset}/dataset.json`];
  churn(folder, "train", "--register", "--n-estimators", "20", ...specification, ...paths, ...options);
}

// --- runs, as both sides tell them -------------------------------------------------------------------------

function ours(of: FileStore, runId: string) {
  const { model, artifacts, metrics, inputs, ...run } = of.readRun(runId);
  const models = model === undefined ? [] : [{ ...modelOf(model), sourceRunId: runId, status: "READY" }];
  return { ...run, metrics: inOrder(metrics), inputs: byName(inputs), artifacts: hashes(artifacts), models };
}

const modelOf = ({ files, metrics, registration: _, ...model }: LoggedModel) => ({
  ...model,
  metrics: inOrder(metrics),
  files: hashes(files),
});

async function theirs(uri: string, runId: string) {
  const run = await python?.ask<ReturnType<typeof ours>>({ command: "run", uri, run_id: runId });
  assert(run !== undefined);
  const models = run.models.map((model) => ({ ...model, metrics: inOrder(model.metrics) }));
  return { ...run, metrics: inOrder(run.metrics), inputs: byName(run.inputs), models };
}

/** By key and step; what JSON has no number for came as a text. */
const inOrder = <T extends MetricPoint>(points: readonly T[]): T[] =>
  points
    .map((point) => ({ ...point, value: Number(point.value) }))
    .sort((a, b) => (a.key === b.key ? a.step - b.step : a.key < b.key ? -1 : 1));

const byName = (inputs: readonly DatasetInput[]): DatasetInput[] =>
  inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1));

const hashes = (artifacts: readonly Artifact[]): Record<string, string> =>
  Object.fromEntries(
    artifacts.map((artifact) => {
      const content = "file" in artifact ? readFileSync(artifact.file) : artifact.content;
      return [artifact.path, createHash("sha256").update(content).digest("hex")];
    }),
  );

// --- customers ---------------------------------------------------------------------------------------------

type JsonColumns = Record<string, (number | string | boolean | null)[]>;

/** Columns as JSON, in their own types. */
function toJson({ columns: specified }: DatasetSpecification, { columns }: Table): JsonColumns {
  const cells = (name: string, column: Column): JsonColumns[string] => {
    if (!(column instanceof Float64Array))
      return Array.from(column.codes, (code) => (code === MISSING_CODE ? null : column.levels[code]));
    const isFlag = specified[name].type === "boolean";
    return Array.from(column, (x) => (Number.isNaN(x) ? null : isFlag ? x === 1 : x));
  };
  return Object.fromEntries([...columns].map(([name, column]) => [name, cells(name, column)]));
}

function withoutNullable({ columns: specified }: DatasetSpecification, { rows, columns }: Table): Table {
  const emptied = (column: Column): Column =>
    column instanceof Float64Array
      ? column.map(() => Number.NaN)
      : { ...column, codes: column.codes.map(() => MISSING_CODE) };
  const changed = [...columns].map(([name, column]): [string, Column] => [
    name,
    specified[name].nullable ? emptied(column) : column,
  ]);
  return { rows, columns: new Map(changed) };
}

type Predictions = Readonly<Record<"churn_probability" | "churn_prediction", readonly number[]>>;

function assertPredictions(predictions: Predictions | undefined, model: Model, table: Table): void {
  const expected = model.predictTable(table);
  assert.equal(predictions?.churn_probability.length, table.rows);
  for (const [row, probability] of predictions.churn_probability.entries()) {
    const difference = Math.abs(probability - expected[row]);
    assert(difference <= TOLERANCE, `row ${row}: expected ${expected[row]}, got ${probability}`);
    assert.equal(predictions.churn_prediction[row], model.decide(expected[row]), `row ${row}: ${probability}`);
  }
}
