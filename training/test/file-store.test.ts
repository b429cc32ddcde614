/** Runs in a folder; e2e/mlflow-file-store.test.ts has MLflow read them. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { findVersion, registerVersion, setAlias } from "../src/tracking/file-registry.ts";
import { FileStore } from "../src/tracking/file-store.ts";
import { fitToLimits } from "../src/tracking/limits.ts";
import { newModelId, newRunId, type Run } from "../src/tracking/run.ts";
import { readingTarget, trackingTarget } from "../src/tracking/target.ts";
import { asSent, asWaiting, serverOf } from "../src/tracking/waiting.ts";

const folder = mkdtempSync(join(tmpdir(), "churn-runs-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const newStore = (): FileStore => new FileStore(join(folder, String(made++)));

const START = 1_790_000_000_000;

function sampleRun(changes: Partial<Run> = {}): Run {
  return {
    runId: newRunId(),
    name: "a run",
    status: "FINISHED",
    startTime: START,
    endTime: START + 5000,
    params: { seed: "42", "a/b": "ünï", lines: "one\ntwo\n", empty: "" },
    metrics: [
      { key: "roc_auc", value: 0.8437, step: 0, timestamp: START },
      { key: "curve/loss", value: 1e-7, step: 1, timestamp: START },
      { key: "curve/loss", value: 0.1 + 0.2, step: 2, timestamp: START },
    ],
    tags: { "mlflow.user": "ada", yes: "no" },
    inputs: [
      {
        name: "customers",
        digest: "0123456789abcdef",
        sourceType: "local",
        source: '{"uri":"/data/customers.csv"}',
        schema: "{}",
        profile: '{"num_rows":3}',
        context: "training",
      },
    ],
    artifacts: [{ path: "plots/a b.svg", content: "<svg/>" }],
    model: {
      modelId: newModelId(),
      name: "churn",
      params: { seed: "42" },
      metrics: [
        { key: "roc_auc", value: 0.8437, step: 0, timestamp: START, datasetName: "customers", datasetDigest: "0123" },
      ],
      tags: { model_version: "1" },
      files: [{ path: "MLmodel", content: "flavors: {}\n" }],
    },
    ...changes,
  };
}

const withContents = (artifacts: Run["artifacts"]) =>
  artifacts.map((one) => [one.path, "file" in one ? readFileSync(one.file, "utf8") : String(one.content)]);

describe("a run", () => {
  test("reads back as it was written", () => {
    const store = newStore();
    const run = sampleRun();
    const path = store.writeRun("équipe/churn", run);
    const { artifacts, model, experiment, tags, ...rest } = store.readRun(run.runId);

    const { artifacts: written, model: writtenModel, tags: writtenTags, ...writtenRest } = run;
    const byKey = <T extends { metrics: Run["metrics"] }>(one: T): T => ({
      ...one,
      metrics: one.metrics.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.step - b.step)),
    });
    assert.deepEqual(byKey(rest), byKey(writtenRest));
    assert.deepEqual(tags, { ...writtenTags, "mlflow.runName": run.name });
    assert.equal(experiment, "équipe/churn");
    assert.deepEqual(withContents(artifacts), withContents(written));
    assert.deepEqual([model?.modelId, model?.metrics], [writtenModel?.modelId, writtenModel?.metrics]);
    assert.match(
      readFileSync(join(path, "..", "models", model?.modelId ?? "", "artifacts", "MLmodel"), "utf8"),
      /^run_id: '/m,
    );
  });

  test("and is gone with its model when it is removed", () => {
    const store = newStore();
    const run = sampleRun();
    const path = store.writeRun("churn", run);
    store.removeRun(run.runId);
    assert.deepEqual([existsSync(path), store.hasRun(run.runId), store.listRuns().runs], [false, false, []]);
    assert.deepEqual(readdirSync(join(path, "..", "models")), []);
  });

  test("that cannot be written whole leaves nothing", () => {
    const store = newStore();
    const run = sampleRun({ artifacts: [{ path: "a", file: join(folder, "no such file") }] });
    assert.throws(() => store.writeRun("churn", run));
    assert.deepEqual(store.listRuns(), { runs: [], damaged: [] });
    assert.throws(() => store.modelFolder(run.model?.modelId ?? ""), { code: "CHURN_ERR_FILE_MISSING" });
  });

  test("that waited is sent as it was", () => {
    const registration = { name: "churn", alias: "challenger", description: "d", tags: { a: "1" } };
    const run = sampleRun();
    const asked = { ...run, model: run.model && { ...run.model, registration } };
    const store = newStore();
    store.writeRun("churn", asWaiting(asked, "http://mlflow:5000"));
    const waiting = store.readRun(run.runId);
    assert.equal(serverOf(waiting), "http://mlflow:5000");
    const sent = asSent(waiting);
    assert.deepEqual(sent.tags, { ...run.tags, "mlflow.runName": run.name });
    assert.deepEqual([sent.model?.tags, sent.model?.registration], [run.model?.tags, registration]);
  });
});

describe("a folder", () => {
  test("lists its runs, the newest first, beside what is damaged or somebody else's", () => {
    const store = newStore();
    const [older, newer] = [sampleRun({ startTime: START }), sampleRun({ startTime: START + 1 })];
    const experiment = join(store.writeRun("churn", older), "..");
    store.writeRun("churn", newer);
    for (const [name, meta] of [
      ["empty", ""],
      ["garbage", "\u0000{]: -"],
      ["a list", "- 1\n"],
      ["another's", "name: 'x'\n"],
      ["no meta", undefined],
    ] as const) {
      mkdirSync(join(experiment, name));
      if (meta !== undefined) writeFileSync(join(experiment, name, "meta.yaml"), meta);
    }
    mkdirSync(join(store.root, "not an experiment"));
    writeFileSync(join(experiment, older.runId, "metrics", "torn"), "1 2");

    const { runs, damaged } = store.listRuns("churn");
    assert.deepEqual(
      runs.map(({ runId }) => runId),
      [newer.runId, older.runId],
    );
    assert.equal(damaged.length, 5);
    assert.equal(store.readRun(older.runId).metrics.find(({ key }) => key === "torn")?.step, 0);
    assert.deepEqual(store.listRuns("another"), { runs: [], damaged: [] });
  });

  test("with a damaged experiment keeps that as it is, and takes runs beside it", () => {
    const store = newStore();
    const experiment = join(store.writeRun("churn", sampleRun()), "..");
    writeFileSync(join(experiment, "meta.yaml"), "");
    const run = sampleRun();
    assert.notEqual(join(store.writeRun("churn", run), ".."), experiment);
    const { runs, damaged } = store.listRuns("churn");
    assert.deepEqual([runs.map(({ runId }) => runId), damaged], [[run.runId], [experiment]]);
  });

  test("of a pipe, where a tag should be, is damaged and not waited for", { timeout: 10_000 }, () => {
    const store = newStore();
    const run = sampleRun();
    const pipe = join(store.writeRun("churn", run), "tags", "pipe");
    execFileSync("mkfifo", [pipe]);
    assert.throws(() => store.readRun(run.runId), { message: `${pipe}: expected a file` });
  });

  for (const [name, make] of [
    ["a file", (path: string) => writeFileSync(path, "")],
    ["a link to itself", (path: string) => symlinkSync(path, path)],
  ] as const) {
    test(`that is ${name} is an error of the user's`, () => {
      const path = join(folder, String(made++));
      make(path);
      assert.throws(() => new FileStore(path).listRuns(), {
        code: "CHURN_ERR_FILE_UNREADABLE",
        message: /: expected a folder of runs: /,
      });
    });
  }

  test("that is not there has no runs", () => {
    assert.deepEqual(new FileStore(join(folder, "nowhere")).listRuns(), { runs: [], damaged: [] });
  });

  test("keeps an experiment of the same name once, however many begin it", async () => {
    const root = join(folder, "many");
    const script = `
      import { FileStore } from ${JSON.stringify(new URL("../src/tracking/file-store.ts", import.meta.url).href)};
      const run = (i) => ({ runId: process.argv[1] + i, name: "r", status: "FINISHED", startTime: 1, endTime: 2,
        params: {}, metrics: [], tags: {}, inputs: [], artifacts: [] });
      for (let i = 0; i < 20; i++) new FileStore(${JSON.stringify(root)}).writeRun("churn", run(i));`;
    const begin = (name: string) => promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, name]);
    await Promise.all(["a", "b", "c", "d"].map(begin));
    assert.equal(new FileStore(root).listRuns("churn").runs.length, 80);
    assert.deepEqual(readdirSync(root).filter((name) => /^\d/.test(name)).length, 2); // and MLflow's default one
  });

  test("does not use the name of an experiment that was deleted", () => {
    const store = newStore();
    const id = join(store.writeRun("churn", sampleRun()), "..").split("/").at(-1) as string;
    mkdirSync(join(store.root, ".trash"));
    const meta = readFileSync(join(store.root, id, "meta.yaml"), "utf8").replace("'active'", "'deleted'");
    rmSync(join(store.root, id), { recursive: true });
    mkdirSync(join(store.root, ".trash", id));
    writeFileSync(join(store.root, ".trash", id, "meta.yaml"), meta);
    assert.throws(() => store.writeRun("churn", sampleRun()), /"churn" is deleted: restore it, or name another/);
  });
});

describe("a registered model", () => {
  const registration = { name: "churn", alias: "challenger", description: "line 1\nline 2", tags: { a: "1" } };
  test("counts its versions, and its alias names the last", () => {
    const store = newStore();
    const runs = [sampleRun(), sampleRun()];
    const versions = runs.map((run) => {
      store.writeRun("churn", run);
      return registerVersion(store, { modelId: run.model?.modelId ?? "", runId: run.runId }, registration, START);
    });
    assert.deepEqual(versions, ["1", "2"]);
    const find = (alias: string) => findVersion(store, { kind: "alias", name: "churn", alias });
    assert.deepEqual(find("challenger"), { version: "2", modelId: runs[1].model?.modelId });
    setAlias(store, "churn", "champion", "1");
    assert.equal(find("champion").version, "1");
    assert.throws(() => setAlias(store, "churn", "champion", "3"), {
      code: "CHURN_ERR_FILE_MISSING",
      message: /no version 3 of "churn"/,
    });
    assert.throws(() => find("none"), { code: "CHURN_ERR_FILE_MISSING", message: /no alias "none" of "churn"/ });
  });

  test("that is damaged is mended by the next version; a damaged version is an error of the user's", () => {
    const store = newStore();
    const run = sampleRun();
    store.writeRun("churn", run);
    const register = () =>
      registerVersion(store, { modelId: run.model?.modelId ?? "", runId: run.runId }, registration, START);
    register();
    const path = join(store.root, "models", "churn");
    writeFileSync(join(path, "meta.yaml"), "");
    register();
    assert.match(readFileSync(join(path, "meta.yaml"), "utf8"), /^name: 'churn'$/m);

    for (const meta of ["", "\u0000{", "name: 'churn'\n", "model_id: null\n"]) {
      writeFileSync(join(path, "version-1", "meta.yaml"), meta);
      assert.throws(() => findVersion(store, { kind: "version", name: "churn", version: "1" }), {
        code: "CHURN_ERR_FILE_UNREADABLE",
        message: /version-1\/meta.yaml: expected a version of a logged model, with its model_id$/,
      });
    }
  });
});

describe("what MLflow would not take is told", () => {
  const problemsOf = (changes: Partial<Run>): readonly string[] => fitToLimits(sampleRun(changes)).problems;
  const point = (key: string, value: number, step = 0) => ({ key, value, step, timestamp: START });

  test("and nothing of an ordinary run", () => {
    const run = sampleRun();
    assert.deepEqual(fitToLimits(run), { run, problems: [] });
  });

  test("a parameter that is too long is cut off", () => {
    const { run, problems } = fitToLimits(sampleRun({ params: { long: "x".repeat(7000) } }));
    assert.equal(run.params.long.length, 6000);
    assert.deepEqual(problems, ["param long: expected at most 6000 characters, got 7000: the rest is cut off"]);
  });

  test("numbers that are none are left out", () => {
    const { run, problems } = fitToLimits(
      sampleRun({ metrics: [point("a", Number.NaN), point("a", 1, 1), point("b", Infinity)] }),
    );
    assert.deepEqual(run.metrics, [point("a", 1, 1)]);
    assert.equal(problems.length, 2);
    assert.match(problems[0], /^metric a: expected finite numbers/);
  });

  for (const key of ["../up", "a//b", "/a", "a/", "a\nb", "", "a?b", "x".repeat(251)]) {
    test(`a name like ${JSON.stringify(key.slice(0, 8))}`, () => {
      const { run, problems } = fitToLimits(sampleRun({ params: { [key]: "1" }, tags: {}, metrics: [] }));
      assert.deepEqual([run.params, problems.length], [{}, 1]);
      assert.match(problems[0], /^a param is left out: expected a name of letters/);
    });
  }

  test("a name below another", () => {
    assert.deepEqual(problemsOf({ metrics: [point("a", 1), point("a/b", 1)] }), [
      "metric a/b is left out: there is a metric a",
    ]);
  });

  test("the same point twice counts once", () => {
    assert.deepEqual(fitToLimits(sampleRun({ metrics: [point("a", 1), point("a", 1)] })).run.metrics, [point("a", 1)]);
  });

  test("an artifact outside, or with a name that no address can have", () => {
    for (const path of ["../a", "/a", "a#b", "a%20b", "a\\b", "a//b"]) {
      assert.equal(problemsOf({ artifacts: [{ path, content: "" }] }).length, 1, path);
    }
  });
});

describe("MLFLOW_TRACKING_URI", () => {
  for (const [uri, expected] of [
    [undefined, { folder: "./mlruns" }],
    ["", { folder: "./mlruns" }],
    ["file:./runs", { folder: "./runs" }],
    ["/data/runs", { folder: "/data/runs" }],
    ["file:///data/my%20runs", { folder: "/data/my runs" }],
    ["http://localhost:5000", { folder: "mlruns/waiting", server: "http://localhost:5000" }],
    ["https://u:p@host/mlflow/", { folder: "mlruns/waiting", server: "https://u:p@host/mlflow/" }],
  ] as const) {
    test(`${uri}`, () => {
      assert.deepEqual(trackingTarget({ MLFLOW_TRACKING_URI: uri }), { experiment: "churn", ...expected });
    });
  }

  for (const uri of ["sqlite:///mlflow.db", "databricks", "postgresql://h/db", "s3://bucket"]) {
    test(`${uri} becomes the folder, and a warning; nothing is read in its place`, () => {
      const { folder: path, warning } = trackingTarget({ MLFLOW_TRACKING_URI: uri, MLFLOW_EXPERIMENT_NAME: "é/x" });
      assert.equal(path, "mlruns");
      assert.match(warning ?? "", /^MLFLOW_TRACKING_URI: expected http:\/\/…/);
      assert.throws(() => readingTarget({ MLFLOW_TRACKING_URI: uri }), {
        code: "CHURN_ERR_OPTION_INVALID",
        message: warning,
      });
    });
  }

  for (const uri of ["http://", "http://a b", "file://host/a", "https://:80"]) {
    test(`${uri} is an error`, () => {
      assert.throws(() => trackingTarget({ MLFLOW_TRACKING_URI: uri }), {
        code: "CHURN_ERR_OPTION_INVALID",
        message: /^MLFLOW_TRACKING_URI: expected/,
      });
    });
  }

  for (const [scheme, place] of [
    ["postgresql", "h/db"],
    ["http", ""],
  ]) {
    const uri = `${scheme}://ada:hidden@${place}`;
    test(`${uri} is named without its password`, () => {
      try {
        assert.doesNotMatch(trackingTarget({ MLFLOW_TRACKING_URI: uri }).warning ?? "", /ada|hidden/);
      } catch (error) {
        assert.match((error as Error).message, /^MLFLOW_TRACKING_URI: expected .*, got "http:\/\/…@"$/);
      }
    });
  }
});
