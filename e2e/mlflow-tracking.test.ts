/**
 * Tracked runs on a real MLflow server, which is killed, restarted and lied about: what a training leaves there is what
 * MLflow's own client reads, and it is there once.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { churn } from "../bench/command.ts";
import { customerRequests } from "../bench/customer-requests.ts";
import { PythonScript } from "../bench/python.ts";
import { Model, readModelDirectory } from "../contract/src/index.ts";
import { DAY_MS } from "../training/src/drift/windows.ts";
import { FileStore } from "../training/src/tracking/file-store.ts";
import { MlflowClient } from "../training/src/tracking/mlflow-client.ts";
import { pushRun } from "../training/src/tracking/push.ts";
import { newModelId, newRunId, type Run } from "../training/src/tracking/run.ts";
import { asSent, asWaiting } from "../training/src/tracking/waiting.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { isMlflowMissing, MLFLOW_ADMIN, type MlflowServer, mlflowSkip, startMlflow } from "./mlflow-server.ts";
import { storeWithOutcomes } from "./outcome-store.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const CHAMPION = fileURLToPath(new URL("../models/best_model", import.meta.url));
const ROWS = 4000;
const SMALL_FOREST = ["--n-estimators", "40", "--max-depth", "6"];

const folder = mkdtempSync(join(tmpdir(), "churn-tracking-"));
const at = (...path: string[]): string => join(folder, ...path);
const data = at("customers.parquet");
const python = isMlflowMissing ? undefined : new PythonScript(new URL("mlflow_peer.py", import.meta.url), "mlflow");
const servers: MlflowServer[] = [];
after(async () => {
  python?.close();
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startServer(name: string, options: Parameters<typeof startMlflow>[1] = {}): Promise<MlflowServer> {
  const server = await startMlflow(at(name), options);
  servers.push(server);
  return server;
}

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs the command as a user of a tracking server does, in a folder of its own. */
async function churnAt(cwd: string, url: string, args: string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: url, ...more };
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, "exit"),
  ]);
  return { code, output, errors };
}

const trainArgs = (out: string): string[] => [
  ...["train", "--dataset", fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url))],
  ...["--data", data, "--out", out, "--report", `${out}.html`, ...SMALL_FOREST, "--register"],
];

// --- what MLflow's client says, in one form ----------------------------------------------------------------

type Told = Omit<Run, "artifacts" | "model"> & {
  readonly artifacts: Readonly<Record<string, string>>;
  readonly models: readonly Record<string, unknown>[];
};

const told = (uri: string, runId: string): Promise<Told> =>
  (python as PythonScript).ask<Told>({ command: "run", uri, run_id: runId });

const hash = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");
const hashes = (artifacts: Run["artifacts"]): Record<string, string> =>
  Object.fromEntries(artifacts.map((one) => [one.path, hash("file" in one ? readFileSync(one.file) : one.content)]));
const byText = <T>(items: readonly T[]): T[] =>
  items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
const ordered = (value: object): object =>
  Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A run without what another place names anew. */
function essence(
  run: Pick<Run, "name" | "status" | "startTime" | "endTime" | "params" | "metrics" | "tags" | "inputs">,
) {
  const { "churn.run_id": _, "mlflow.parentRunId": __, ...tags } = run.tags;
  return {
    ...{ name: run.name, status: run.status, startTime: run.startTime, endTime: run.endTime },
    ...{ params: ordered(run.params), tags: ordered(tags) },
    metrics: byText(run.metrics.map(({ key, value, step, timestamp }) => [key, value, step, timestamp])),
    inputs: byText(run.inputs.map(ordered)),
  };
}

async function serverRuns(url: string, experiment = "churn") {
  const client = new MlflowClient(url, {});
  const id = await client.findExperiment(experiment);
  return id === undefined ? [] : client.searchRuns(id, { view: "ALL" });
}

// -----------------------------------------------------------------------------------------------------------

describe("with a real server", { skip: mlflowSkip }, () => {
  let server: MlflowServer;
  before(async () => {
    churn(folder, "generate", "--rows", String(ROWS), "--seed", "5", "--out", data);
    server = await startServer("server");
  });

  test("one churn train --register leaves everything, and the model is the one in the directory", async () => {
    const { code, output, errors } = await churnAt(folder, server.url, trainArgs(at("model")));
    assert.deepEqual([code, errors], [0, ""]);
    const [, runId = ""] = /Run at http:\/\/[^#]+#\/experiments\/\d+\/runs\/(\w+)/.exec(output) ?? [];
    assert.match(output, /Registered as version 1 of churn, its challenger/);
    assert.deepEqual(new FileStore(at("mlruns/waiting")).listRuns().runs, []);

    const { manifest } = readModelDirectory(at("model"));
    const run = await told(server.url, runId);
    assert.equal(run.params.n_estimators, "40");
    assert.equal(run.metrics.find(({ key }) => key === "roc_auc")?.value, manifest.metrics.roc_auc.value);
    const curve = run.metrics.filter(({ key }) => key === "out_of_bag/log_loss");
    assert.deepEqual(
      curve.map(({ step }) => step).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => 2 * (i + 1)),
    );
    assert.equal(run.artifacts["report.html"], hash(readFileSync(at("model.html"))));
    assert.deepEqual(run.inputs.map(({ name, context }) => [name, context]).sort(), [
      ["customers", "training"],
      ["customers-holdout", "test"],
    ]);

    const pulled = await churnAt(folder, server.url, [
      "models",
      "pull",
      "models:/churn@challenger",
      "--out",
      at("pulled"),
    ]);
    assert.equal(pulled.code, 0);
    for (const file of readdirSync(at("model"))) {
      assert.deepEqual(readFileSync(at("pulled", file)), readFileSync(at("model", file)), file);
    }
    const alias = await churnAt(folder, server.url, ["models", "alias", "models:/churn/1", "champion"]);
    assert.equal(alias.output, "churn@champion is version 1\n");
    assert.equal(
      (await churnAt(folder, server.url, ["models", "pull", `runs:/${runId}`, "--out", at("pulled")])).code,
      0,
    );

    const { inputExample } = manifest;
    const columns = Object.fromEntries(Object.entries(inputExample).map(([name, value]) => [name, [value]]));
    const answer = await python?.ask<{ churn_probability: number[] }>({
      ...{ command: "predict", uri: server.url, model: "models:/churn@champion", columns, way: "json" },
    });
    const model = Model.load(at("pulled"));
    const row = Object.fromEntries(
      Object.entries(inputExample).map(([name, value]) => [name, typeof value === "boolean" ? Number(value) : value]),
    );
    assert(Math.abs((answer?.churn_probability[0] ?? 2) - model.predictRow(row)) < 1e-6);
  });

  test("churn runs reads them there, by id, its beginning or the name", async () => {
    await churnAt(folder, server.url, [...trainArgs(at("second")), "--run-name", "of ünï/2", "--seed", "7"]);
    const list = JSON.parse((await churnAt(folder, server.url, ["runs", "--json"])).output);
    const [second, first] = list.runs;
    assert.equal(second.name, "of ünï/2");
    const compared = await churnAt(folder, server.url, ["runs", first.runId.slice(0, 12), "of ünï/2", "--json"]);
    const { params, metrics } = JSON.parse(compared.output);
    assert.deepEqual(params.differing, { seed: ["42", "7"] });
    assert.deepEqual(metrics.roc_auc.values, [first.metrics.roc_auc, second.metrics.roc_auc]);
    assert.equal(metrics.roc_auc.deltas[1], second.metrics.roc_auc - first.metrics.roc_auc);
  });

  test("a drift check is a run there, with how the model has done as curves by week", async () => {
    const cwd = mkdtempSync(at("drift-"));
    const store = storeWithOutcomes(join(cwd, "store.db"), customerRequests(cwd, 1000), 1);
    const args = ["--model", CHAMPION, "--current", store, "--every", "7d", "--json"];
    const { code, output, errors } = await churnAt(cwd, server.url, ["drift", ...args]);
    assert.deepEqual([code, errors], [0, ""]);
    const result = JSON.parse(output);
    const run = await told(server.url, result.run.runId);

    assert.equal(run.tags.verdict, result.verdict);
    assert.equal(run.metrics.find(({ key }) => key === "mean_score")?.value, result.scores.current.mean);
    const weeks = result.performance.history.map(({ from, rows }: { from: string; rows: number }) => [
      Date.parse(from) / (7 * DAY_MS),
      rows,
    ]);
    const curve = run.metrics.filter(({ key }) => key === "weekly/predictions").map(({ step, value }) => [step, value]);
    assert.ok(curve.length > 10);
    assert.deepEqual(
      curve.sort(([a], [b]) => a - b),
      weeks,
    );
    assert.equal(run.artifacts["report.html"], hash(readFileSync(join(cwd, "reports/drift.html"))));
  });

  test("a server that is killed while a run is sent costs a warning, and a later push completes it", async () => {
    const cwd = mkdtempSync(at("killed-"));
    const other = await startServer("mortal");
    const proxy = await startFaultyProxy(other.url, 12, "before"); // in the middle of the artifacts
    const killing = setInterval(() => {
      if (proxy.count() < 12) return;
      clearInterval(killing);
      void other.kill();
    }, 5);
    const { code, output, errors } = await churnAt(cwd, proxy.url, [
      ...trainArgs(join(cwd, "m")),
      "--tune-seconds",
      "0.1",
    ]);
    clearInterval(killing);
    proxy.close();
    assert.equal(code, 0, errors);
    assert.match(errors, /cannot be reached .*What was not sent waits in .*churn runs --push/);
    assert.match(output, /waiting for its server/);
    const store = new FileStore(join(cwd, "mlruns/waiting"));
    const waiting = store.listRuns().runs.map(({ runId }) => asSent(store.readRun(runId)));
    const expected = new Map(waiting.map((run) => [run.runId, { run: essence(run), files: hashes(run.artifacts) }]));
    assert.equal(waiting.length, 2); // the training and its trial

    const refused = await churnAt(cwd, proxy.url, ["runs", "--push"]);
    assert.deepEqual([refused.code, store.listRuns().runs.length], [1, 2]);
    await other.restart();
    const listed = JSON.parse((await churnAt(cwd, other.url, ["runs", "--json"])).output);
    assert(listed.runs.some((one: { isWaiting: boolean }) => one.isWaiting));
    const elsewhere = await churnAt(cwd, other.url, ["runs", "--push"]);
    assert.match(elsewhere.output, /Runs sent: 0\nNote: runs that wait for http:\/\/127.0.0.1:\d+: 2/);

    // Under the address that they wait for.
    const { port } = new URL(proxy.url);
    const whole = await startFaultyProxy(other.url, Number.POSITIVE_INFINITY, "before", Number(port));
    const pushed = await Promise.all([1, 2].map(() => churnAt(cwd, whole.url, ["runs", "--push", "--json"])));
    whole.close();
    assert.deepEqual(
      pushed.map(({ code: each }) => each),
      [0, 0],
    );
    const sent = pushed.flatMap(({ output: each }) => JSON.parse(each).sent);
    assert.equal(sent.length, 2);
    assert.deepEqual(store.listRuns().runs, []);

    const there = await serverRuns(other.url);
    assert.equal(there.length, 2);
    for (const { runId, tags } of there) {
      const run = await told(other.url, runId);
      const original = expected.get(tags["churn.run_id"]);
      assert.deepEqual([essence(run), ordered(run.artifacts)], [original?.run, ordered(original?.files ?? {})]);
      const parent = there.find((one) => one.tags["mlflow.parentRunId"] === undefined);
      assert.equal(tags["mlflow.parentRunId"], runId === parent?.runId ? undefined : parent?.runId);
    }
  });

  test("cut off at any request, before it or after it, a run is sent once in the end", async () => {
    const store = new FileStore(at("cut/waiting"));
    const client = new MlflowClient(server.url, {});
    let requests = Number.POSITIVE_INFINITY;
    for (let failAt = 1; failAt <= requests; failAt++) {
      for (const when of ["before", "after"] as const) {
        const run = smallRun();
        store.writeRun("cut", asWaiting(run, server.url));
        const proxy = await startFaultyProxy(server.url, failAt, when);
        const impatient = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0" };
        const first = await pushRun(store, run.runId, new MlflowClient(proxy.url, impatient)).catch(() => undefined);
        if (first !== undefined) requests = Math.min(requests, proxy.count());
        proxy.close();
        await pushRun(store, run.runId, client);
        assert(!store.hasRun(run.runId));
        const there = (await serverRuns(server.url, "cut")).filter(({ tags }) => tags["churn.run_id"] === run.runId);
        const where = `cut off ${when} request ${failAt}`;
        assert.equal(there.length, 1, where);
        const [{ runId, modelIds, status }] = there;
        assert.deepEqual([status, modelIds.length], ["FINISHED", 1], where);
        assert.equal((await client.versionsOfRun("cut", runId)).length, 1, where);
        const tags = { ...run.tags, "mlflow.runName": run.name };
        assert.deepEqual(essence(await told(server.url, runId)), essence({ ...run, tags }), where);
      }
    }
    assert(requests > 15 && requests < 40, `${requests} requests`);
  });

  test("a run for which there is no place here is sent all the same", async () => {
    const cwd = mkdtempSync(at("placeless-"));
    writeFileSync(join(cwd, "mlruns"), "");
    const temporary = join(cwd, "tmp");
    mkdirSync(temporary);
    const args = [...trainArgs(join(cwd, "m")), "--run-name", "placeless"];
    const { code, errors } = await churnAt(cwd, server.url, args, { TMPDIR: temporary });
    assert.equal(code, 0);
    assert.match(errors, /the run could not be written to .*mlruns.waiting/);
    assert.deepEqual(
      readdirSync(temporary).filter((name) => name.startsWith("churn-")),
      [],
    );
    const [{ name }] = await serverRuns(server.url, "churn");
    assert.equal(name, "placeless");
  });

  test("a child is not sent before its parent, which it could not name", async () => {
    const store = new FileStore(at("family/waiting"));
    const client = new MlflowClient(server.url, {});
    const parent = smallRun({ name: "family" });
    const child = { ...smallRun({ name: "family" }), tags: { "mlflow.parentRunId": parent.runId } };
    for (const run of [parent, child]) store.writeRun("family", asWaiting(run, server.url));
    await assert.rejects(pushRun(store, child.runId, client), /^Error: its parent [0-9a-f]{32} has to be sent first$/);
    const sent = await pushRun(store, parent.runId, client);
    await pushRun(store, child.runId, client);
    const runs = await serverRuns(server.url, "family");
    assert.deepEqual(
      runs.flatMap(({ tags }) => tags["mlflow.parentRunId"] ?? []),
      [sent?.runId],
    );
  });

  test("a run that was deleted on the server is not sent again", async () => {
    const store = new FileStore(at("deleted/waiting"));
    const client = new MlflowClient(server.url, {});
    const run = smallRun();
    store.writeRun("deleted", asWaiting(run, server.url));
    const proxy = await startFaultyProxy(server.url, 8, "before");
    await assert.rejects(
      pushRun(store, run.runId, new MlflowClient(proxy.url, { MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0" })),
    );
    proxy.close();
    const [{ runId }] = await serverRuns(server.url, "deleted");
    await fetch(`${server.url}/api/2.0/mlflow/runs/delete`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ run_id: runId }),
    });
    assert.equal(await pushRun(store, run.runId, client), undefined);
    assert.deepEqual([store.hasRun(run.runId), (await serverRuns(server.url, "deleted")).length], [false, 1]);
  });

  test("an older model that was sent late does not take the alias of a newer one", async () => {
    const store = new FileStore(at("late/waiting"));
    const client = new MlflowClient(server.url, {});
    for (const version of ["20260102T000000Z-b", "20260101T000000Z-a"]) {
      const run = smallRun({ name: "late", version });
      store.writeRun("late", asWaiting(run, server.url));
      await pushRun(store, run.runId, client);
    }
    assert.equal((await client.getVersionByAlias("late", "challenger"))?.version, "1");
  });
});

test("a server that asks who is there", { skip: mlflowSkip }, async () => {
  const cwd = mkdtempSync(at("auth-"));
  if (!existsSync(data)) churn(folder, "generate", "--rows", String(ROWS), "--seed", "5", "--out", data);
  const { url } = await startServer("auth", { auth: true });
  const refused = await churnAt(cwd, url, trainArgs(join(cwd, "m")), { MLFLOW_TRACKING_TOKEN: "nobody" });
  assert.equal(refused.code, 0);
  assert.match(refused.errors, /the server answered 401, .*MLFLOW_TRACKING_USERNAME/);

  const credentials = {
    MLFLOW_TRACKING_USERNAME: MLFLOW_ADMIN.username,
    MLFLOW_TRACKING_PASSWORD: MLFLOW_ADMIN.password,
  };
  const pushed = await churnAt(cwd, url, ["runs", "--push", "--json"], credentials);
  assert.equal(pushed.code, 0, pushed.errors);
  assert.equal(JSON.parse(pushed.output).sent[0].version, "1");
  const wrong = await churnAt(cwd, url, ["runs"], { ...credentials, MLFLOW_TRACKING_PASSWORD: "hidden" });
  assert.equal(wrong.code, 1);
  assert.match(wrong.errors, /answered 401/);
  assert(!wrong.errors.includes("hidden"));
});

/** With one of everything. */
function smallRun({ name = "cut", version = "20260101T000000Z-a" } = {}): Run {
  const time = 1_790_000_000_000;
  const point = { key: "roc_auc", value: 0.8, step: 0, timestamp: time };
  const tags = { model_version: version };
  return {
    runId: newRunId(),
    name: "small",
    status: "FINISHED",
    startTime: time,
    endTime: time + 1,
    params: { seed: "1" },
    metrics: [point, { ...point, key: "curve", step: 1 }, { ...point, key: "curve", step: 2 }],
    tags: { "mlflow.user": "ada" },
    inputs: [
      { name: "d", digest: "1", sourceType: "local", source: "{}", schema: "{}", profile: "{}", context: "training" },
    ],
    artifacts: [{ path: "a.txt", content: "a" }],
    model: {
      modelId: newModelId(),
      name,
      params: {},
      metrics: [{ ...point, datasetName: "d", datasetDigest: "1" }],
      tags,
      files: [{ path: "MLmodel", content: "flavors: {}\n" }],
      registration: { name, alias: "challenger", description: "", tags },
    },
  };
}
