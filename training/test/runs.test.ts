/** `churn runs` and the job behind it: what is listed, what is compared, and what damage does to either. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { compareRuns, findRuns, listRuns } from "../src/runs.ts";
import { FileStore } from "../src/tracking/file-store.ts";
import { newRunId, type Run } from "../src/tracking/run.ts";
import type { TrackingTarget } from "../src/tracking/target.ts";
import { asWaiting } from "../src/tracking/waiting.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const START = new Date(2026, 0, 31, 9, 5).getTime(); // in local time, as it is shown

const home = mkdtempSync(join(tmpdir(), "churn-runs-"));
after(() => rmSync(home, { recursive: true, force: true }));

function sampleRun(change: Partial<Run> = {}): Run {
  const { startTime = START } = change;
  const facts = { runId: newRunId(), name: "run", status: "FINISHED", startTime, endTime: startTime + 5250 } as const;
  return { ...facts, params: {}, metrics: [], tags: {}, inputs: [], artifacts: [], ...change };
}

let made = 0;
/** Runs of the experiment "churn", each a minute after the one before. */
function tracked(...changes: readonly Partial<Run>[]) {
  const folder = join(home, String(made++));
  const store = new FileStore(folder);
  const runs = changes.map((change, i) => sampleRun({ name: `run ${i}`, startTime: START + 60_000 * i, ...change }));
  const folders = runs.map((run) => store.writeRun("churn", run));
  const target: TrackingTarget = { folder, experiment: "churn" };
  return { store, target, folders, ids: runs.map(({ runId }) => runId) };
}

const { tags: WAITING } = asWaiting(sampleRun(), "http://mlflow");
const points = (values: Readonly<Record<string, number>>): Run["metrics"] =>
  Object.entries(values).map(([key, value]) => ({ key, value, step: 0, timestamp: START }));
const names = (runs: readonly { readonly name: string }[]): string[] => runs.map(({ name }) => name);

function churn(folder: string, ...args: readonly string[]) {
  const env = { ...process.env, MLFLOW_TRACKING_URI: folder, MLFLOW_EXPERIMENT_NAME: "" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "runs", ...args], { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("a list of runs", () => {
  test("has the newest first, so many, of the experiment", async () => {
    const { store, target } = tracked({}, {}, { name: "größe/ok 日本" });
    store.writeRun("other", sampleRun({ name: "of another experiment" }));
    assert.deepEqual(names((await listRuns(target, 2)).runs), ["größe/ok 日本", "run 1"]);
    assert.deepEqual(names((await listRuns({ ...target, experiment: "other" }, 9)).runs), ["of another experiment"]);
  });

  test("has the last point of a curve: by step, then time", async () => {
    const curve = [
      { value: 1, step: 10, timestamp: 5 },
      { value: 2, step: 10, timestamp: 7 },
      { value: 3, step: 9, timestamp: 9 },
    ].map((point) => ({ key: "a/b", ...point }));
    const [run] = (await listRuns(tracked({ metrics: curve }).target, 1)).runs;
    assert.deepEqual(run.metrics, { "a/b": 2 });
  });

  test("shows in a table children below their parent, and who waits", () => {
    const { store, target, ids } = tracked(
      { metrics: points({ roc_auc: 0.84375 }), tags: { model_version: "v1" } },
      { name: "late", tags: WAITING, endTime: null },
    );
    const child = sampleRun({
      name: "trial 1",
      startTime: START + 1000,
      metrics: points({ out_of_bag_log_loss: 0.5 }),
      tags: { "mlflow.parentRunId": ids[0] },
    });
    store.writeRun("churn", child);
    const { stdout, status } = churn(target.folder);
    const cells = stdout
      .trimEnd()
      .split("\n")
      .map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    assert.deepEqual(cells.toSpliced(1, 1), [
      ["id", "name", "started", "took", "status", "ROC AUC", "out_of_bag_log_loss", "model"],
      [ids[1].slice(0, 8), "late", "2026-01-31 09:06", "–", "waiting", "–", "–", "–"],
      [ids[0].slice(0, 8), "run 0", "2026-01-31 09:05", "5.3 s", "finished", "0.8438", "–", "v1"],
      [child.runId.slice(0, 8), "└ trial 1", "2026-01-31 09:05", "5.3 s", "finished", "–", "0.5000", "–"],
    ]);
    assert.equal(status, 0);
  });

  test("shows runs that are their own parents, and the figures of other programs", () => {
    const runId = newRunId();
    const { target } = tracked({ runId, tags: { "mlflow.parentRunId": runId }, metrics: points({ rmse: 2 }) });
    assert.match(churn(target.folder).stdout, /\| rmse .*\n.*\n.*\| run 0 .*\| 2 /);
  });

  test("of none is a sentence", () => {
    for (const folder of [join(home, "nowhere"), home]) {
      const { stdout, status } = churn(folder);
      assert.deepEqual([stdout, status], [`No runs of experiment "churn" in ${folder}: churn train makes one\n`, 0]);
    }
  });

  test("is one JSON document", () => {
    const { target, ids } = tracked({ params: { seed: "42" }, metrics: points({ roc_auc: 0.5, none: NaN }) });
    const { runs } = JSON.parse(churn(target.folder, "--json").stdout);
    assert.deepEqual(runs, [
      {
        runId: ids[0],
        name: "run 0",
        status: "FINISHED",
        startTime: START,
        endTime: START + 5250,
        params: { seed: "42" },
        metrics: { none: null, roc_auc: 0.5 },
        tags: { "mlflow.runName": "run 0" },
        datasets: {},
        isWaiting: false,
      },
    ]);
  });
});

describe("damage", () => {
  const DAMAGES: Readonly<Record<string, (folder: string) => void>> = {
    "no meta.yaml": (folder) => rmSync(join(folder, "meta.yaml")),
    "an empty meta.yaml": (folder) => writeFileSync(join(folder, "meta.yaml"), ""),
    "a meta.yaml of garbage": (folder) => writeFileSync(join(folder, "meta.yaml"), Buffer.from([0, 255, 58, 10, 123])),
    "a meta.yaml of something else": (folder) => writeFileSync(join(folder, "meta.yaml"), "a: 1\n"),
    "an empty folder": (folder) => {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
    },
    "another run's meta.yaml": (folder) => {
      const meta = join(folder, "meta.yaml");
      writeFileSync(meta, readFileSync(meta, "utf8").replaceAll(basename(folder), newRunId()));
    },
    "a metric of nonsense": (folder) => writeFileSync(join(folder, "metrics", "roc_auc"), "once upon a time\n"),
    "a metric without a value": (folder) => writeFileSync(join(folder, "metrics", "roc_auc"), "1790000000000\n"),
  };
  for (const [name, damage] of Object.entries(DAMAGES)) {
    test(`is a note, and no run less: ${name}`, async () => {
      const { target, folders } = tracked({}, {}, {});
      damage(folders[2]);
      const { runs, damaged } = await listRuns(target, 2);
      assert.deepEqual([names(runs), damaged], [["run 1", "run 0"], [folders[2]]]);
    });
  }

  test("of several runs is one line", () => {
    const { target, folders } = tracked({}, {}, {});
    for (const folder of folders.slice(1)) writeFileSync(join(folder, "meta.yaml"), "");
    const { stdout, status } = churn(target.folder);
    const notes = stdout.split("\n").filter((line) => line.startsWith("Note"));
    assert.equal(notes.length, 1);
    assert.match(notes[0], /: 2: /);
    assert.ok(folders.some((folder) => notes[0].endsWith(folder)));
    assert.equal(status, 0);
  });

  test("of a run that is asked for is a message", () => {
    const { target, folders, ids } = tracked({});
    DAMAGES["a metric of nonsense"](folders[0]);
    const { stderr, status } = churn(target.folder, ids[0]);
    const message = `churn: ${folders[0]}: expected a whole run: metric roc_auc: expected lines of timestamp, value and step\n`;
    assert.deepEqual([stderr, status], [message, 2]);
  });

  test("of a logged model, whoever made it, hides no run", async () => {
    const { target, folders } = tracked({});
    mkdirSync(join(folders[0], "outputs", "m-gone"), { recursive: true });
    assert.equal((await listRuns(target, 1)).runs.length, 1);
  });
});

describe("a run is found", () => {
  const { target } = tracked(
    { runId: "ab12", name: "twice" },
    { runId: "ab34", name: "twice" },
    { runId: "cd56", name: "ab" },
    { runId: "ab", name: "größe/ok" },
    ...Array.from({ length: 6 }, (_, i) => ({ runId: `ff${i}`, name: "one of six" })),
    { runId: "ffff", name: "plain" },
    { runId: "0000", name: "f" },
  );
  for (const [reference, id] of [
    ["ab12", "ab12"],
    ["ab1", "ab12"],
    ["größe/ok", "ab"],
    ["plain", "ffff"],
    ["f", "0000"],
  ]) {
    test(`by "${reference}"`, async () => {
      assert.equal((await findRuns(target, [reference]))[0].runId, id);
    });
  }

  for (const [reference, said] of [
    ["twice", /got several in experiment "churn": ab34 \(twice\), ab12 \(twice\)$/],
    ["ab", /got several in experiment "churn": ab \(größe\/ok\), cd56 \(ab\)$/],
    ["ff", /got several .*: ffff \(plain\), ff5 \(one of six\), ff4 .*, ff3 .*, ff2 \(one of six\)$/],
    ["Plain", /got none in experiment "churn": the newest are 0000 \(f\), /],
    ["", /got several/],
    ["meta.yaml", /got none/],
    ["../ab12", /got none/],
  ] as const) {
    test(`not by "${reference}", which is a message`, async () => {
      await assert.rejects(findRuns(target, ["ab12", reference]), {
        code: "CHURN_ERR_OPTION_INVALID",
        message: said,
      });
    });
  }

  test("and where it is not, the command ends with 2", () => {
    const { stdout, stderr, status } = churn(join(home, "nowhere"), "a", "b");
    const message = `churn: "a": expected the id of one run, its beginning or its name, got none in experiment "churn"\n`;
    assert.deepEqual([stdout, stderr, status], ["", message, 2]);
  });
});

describe("side by side", () => {
  const inputs = (digest: string): Run["inputs"] => [
    { name: "gym", digest, sourceType: "local", source: "{}", schema: "{}", profile: "{}", context: "training" },
  ];
  const { target } = tracked(
    {
      runId: "a1",
      params: { depth: "12", seed: "42", only: "here" },
      metrics: points({ roc_auc: 0.8, n: 3, gone: 1 }),
      tags: { model_version: "v1", other: "1" },
      inputs: inputs("111"),
    },
    {
      runId: "b2",
      params: { depth: "6", seed: "42" },
      metrics: points({ roc_auc: 0.75, n: 3, "a/new": 7 }),
      tags: { model_version: "v1", other: "2" },
      inputs: inputs("222"),
    },
  );

  test("what differs, what is equal, and by how much", async () => {
    const { params, metrics } = compareRuns(await findRuns(target, ["a1", "b2", "a1"]));
    assert.deepEqual(params, {
      differing: { depth: ["12", "6", "12"], only: ["here", null, "here"] },
      equal: { seed: "42" },
    });
    assert.deepEqual(metrics, {
      "a/new": { values: [null, 7, null], deltas: [null, null, null] },
      gone: { values: [1, null, 1], deltas: [0, null, 0] },
      n: { values: [3, 3, 3], deltas: [0, 0, 0] },
      roc_auc: { values: [0.8, 0.75, 0.8], deltas: [0, 0.75 - 0.8, 0] },
    });
  });

  test("as tables", () => {
    const { stdout, status } = churn(target.folder, "b2", "a1");
    assert.equal(status, 0);
    for (const line of [
      /^\| run +\| b2 +\| a1 +\|$/m,
      /^\| data: gym +\| 222 +\| 111 +\|$/m,
      /^\| depth +\| 6 +\| 12 +\|$/m,
      /^Parameters that are equal: 1$/m,
      /^\| roc_auc +\| 0\.7500 +\| 0\.8000 +\| \+0\.0500 +\|$/m,
    ]) {
      assert.match(stdout, line);
    }
    assert.doesNotMatch(stdout, /model|other|content/); // tags that are equal, or no matter
  });

  test("as JSON", () => {
    const { runs, params, metrics } = JSON.parse(churn(target.folder, "a1", "b2", "--json").stdout);
    assert.deepEqual([runs.length, params.equal, metrics.n], [2, { seed: "42" }, { values: [3, 3], deltas: [0, 0] }]);
  });

  test("one alone is all of it", () => {
    const { stdout } = churn(target.folder, "a1");
    for (const cell of ["a1", "gym 111", "here", "0.8000", "v1", "other"]) {
      assert.match(stdout, new RegExp(`\\| ${cell} `));
    }
  });
});

test("a server's runs stand beside those that wait for it", async () => {
  const asked: { experiment_ids: string[]; filter: string; max_results: number }[] = [];
  const beginning = "5e5e5e5e"; // the id of the run that waits is random: it begins otherwise
  const info = { run_id: `${beginning}01`, run_name: "sent", status: "FINISHED", start_time: START + 1 };
  const server = createServer(async (request, response) => {
    const body = await new Response(request as unknown as ReadableStream).text();
    if (request.url?.includes("get-by-name")) {
      response.end(JSON.stringify({ experiment: { experiment_id: "7", lifecycle_stage: "active" } }));
      return;
    }
    asked.push(JSON.parse(body));
    const isFound = !body.includes("run_name");
    response.end(
      JSON.stringify({
        runs: isFound ? [{ info: { ...info, lifecycle_stage: "active", artifact_uri: "" }, data: {} }] : [],
      }),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { target } = tracked({ name: "late", tags: WAITING });
    const withServer = { ...target, server: address };
    assert.deepEqual(
      (await listRuns(withServer, 9)).runs.map(({ name, isWaiting }) => [name, isWaiting]),
      [
        ["sent", false],
        ["late", true],
      ],
    );
    assert.deepEqual(names(await findRuns(withServer, [beginning])), ["sent"]);
    assert.deepEqual(
      asked.map((body) => [body.experiment_ids[0], body.filter, body.max_results]),
      [
        ["7", "", 9],
        ["7", `attributes.run_name = '${beginning}'`, 5],
        ["7", `attributes.run_id LIKE '${beginning}%'`, 5],
      ],
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
