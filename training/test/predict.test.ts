/** Batch prediction, as a function and, where it is interrupted, as a process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type DatasetSpecification, Model } from "@churn/contract";
import { DuckDBInstance } from "@duckdb/node-api";
import { pino } from "pino";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { type PredictOptions, predict } from "../src/predict.ts";
import { train } from "../src/train.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
/** Enough for several threads, and for ties: there are fewer kinds of members. */
const ROWS = 70_400;

const GYM: DatasetSpecification = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0, maximum: 22 },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
};
const ECONOMICS = { customerValue: 500, contactCost: 5, offerCost: 60, offerAcceptance: 0.5 };
/** By hand: half of the churners stay, at the price of the offer; a stayer takes the offer for nothing. */
const [CHURNER, STAYER] = [0.5 * (500 - 60) - 5, -60 - 5];

function csv(rows: number): string {
  const line = (i: number): string => {
    const visits = (i * 7) % 23;
    const plan = ["day", "full", "student", ""][(i >> 3) % 4];
    return `M${i},${visits},${plan},${(i * 13) % 23 > visits ? "yes" : "no"}\n`;
  };
  return `id,visits,plan,left\n${Array.from({ length: rows }, (_, i) => line(i)).join("")}`;
}

let folder: string;
const at = (name: string): string => join(folder, name);

async function trainGym(name: string, dataset: DatasetSpecification): Promise<void> {
  writeFileSync(at(`${name}.json`), JSON.stringify(dataset));
  await train({
    dataset: at(`${name}.json`),
    data: at("gym.csv"),
    out: at(name),
    parameters: { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 11 },
    seed: 3,
    tracking: { folder: at("mlruns"), experiment: "churn" },
    now: () => new Date("2026-11-25T12:00:00Z"),
    log: pino({ level: "silent" }),
  });
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "churn-predict-"));
  writeFileSync(at("gym.csv"), csv(2000));
  writeFileSync(at("many.csv"), csv(ROWS));
  await trainGym("plain", GYM);
  await trainGym("economic", { ...GYM, economics: ECONOMICS });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const run = (options: Partial<PredictOptions> = {}) =>
  predict({ model: at("economic"), data: at("gym.csv"), out: at("scores.csv"), ...options });

/** The cells of a file of scores, without its header. */
function cells(name = "scores.csv"): string[][] {
  const lines = readFileSync(at(name), "utf8").trimEnd().split("\n").slice(1);
  return lines.map((line) => line.split(","));
}

describe("scores", () => {
  test("have the expected profit of a contact beside them when the data set has economics", async () => {
    const model = Model.load(at("economic"));

    await run();

    assert.equal(
      readFileSync(at("scores.csv"), "utf8").split("\n")[0],
      "id,churn_probability,churn_prediction,expected_profit",
    );
    for (const [, ...score] of cells()) {
      const [probability, prediction, profit] = score.map(Number);
      assert.equal(prediction, model.decide(probability));
      assert.equal(profit, probability * CHURNER + (1 - probability) * STAYER);
    }
  });

  test("have no profit without economics, and no key where the data have none", async () => {
    writeFileSync(at("keyless.csv"), "visits\n1\n");

    await run({ model: at("plain"), data: at("keyless.csv") });

    assert.match(readFileSync(at("scores.csv"), "utf8"), /^churn_probability,churn_prediction\n[\d.]+,[01]\n$/);
  });

  for (const out of ["csv", "parquet"]) {
    test(`are the same bytes of ${out} with any number of threads, in the order of the rows`, async () => {
      const files: Buffer[] = [];
      for (const nJobs of [1, 2, 3]) {
        const result = await run({ data: at("many.csv"), out: at(`${nJobs}.${out}`), nJobs });

        assert.deepEqual([result.rows, result.written], [ROWS, ROWS]);
        files.push(readFileSync(at(`${nJobs}.${out}`)));
      }

      assert(files.every((bytes) => bytes.equals(files[0])));
      if (out === "csv") assert(cells("1.csv").every(([id], i) => id === `M${i}`));
    });
  }

  test("are the same in Parquet as in CSV", async () => {
    await run({ out: at("scores.parquet") });
    await run();

    const connection = await (await DuckDBInstance.create()).connect();
    const rows = (await connection.runAndReadAll(`FROM '${at("scores.parquet")}'`)).getRows();
    connection.closeSync();
    assert.deepEqual(
      rows,
      cells().map(([id, ...score]) => [id, ...score.map(Number)]),
    );
  });
});

describe("--top", () => {
  for (const nJobs of [1, 2]) {
    test(`on ${nJobs} threads is the head of all scores by expected profit, ties in the order of the rows`, async () => {
      await run({ data: at("many.csv") });
      const sorted = cells().toSorted((a, b) => Number(b[3]) - Number(a[3]));
      assert.equal(sorted[99][3], sorted[100][3], "expected a tie at the border");

      const result = await run({ data: at("many.csv"), out: at("top.csv"), top: 100, nJobs });

      assert.deepEqual(cells("top.csv"), sorted.slice(0, 100));
      assert.deepEqual([result.rows, result.written], [ROWS, 100]);
    });
  }

  test("goes by probability without economics", async () => {
    await run({ model: at("plain") });
    const sorted = cells().toSorted((a, b) => Number(b[1]) - Number(a[1]));

    await run({ model: at("plain"), out: at("top.csv"), top: 7 });

    assert.deepEqual(cells("top.csv"), sorted.slice(0, 7));
  });

  test("of more customers than there are is all of them, and counts as without it", async () => {
    const all = await run();
    const sorted = cells().toSorted((a, b) => Number(b[3]) - Number(a[3]));

    const result = await run({ out: at("top.csv"), top: 10 ** 9 });

    assert.deepEqual(cells("top.csv"), sorted);
    assert.deepEqual(result, all);
  });
});

for (const nJobs of [1, 2]) {
  test(`what is odd is counted by kind and column, on ${nJobs} threads`, async () => {
    const odd = ["x,,day\n", "y,23,guest\n", "z,-1,guest\n", "w,1.5,\n"];
    writeFileSync(at("odd.csv"), `${csv(ROWS).replaceAll(/,\w*$/gm, "")}${odd.join("")}`);

    const { missing, unknownLevels, findings, rows } = await run({ data: at("odd.csv"), nJobs });

    assert.equal(rows, ROWS + 4);
    assert.deepEqual(missing, { visits: 1, plan: ROWS / 4 + 1 });
    assert.deepEqual(unknownLevels, { plan: 2 });
    assert.deepEqual(findings, { visits: 3 });
  });
}

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

async function finish(child: ChildProcess): Promise<Outcome> {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, stderr };
}

describe("a prediction in the middle of its work leaves nothing behind when", () => {
  /** The command, into a folder of its own that is there only while something is in it. */
  function start(out: string, { node = [], shell = "" }: { node?: string[]; shell?: string } = {}): ChildProcess {
    const args = ["predict", "--model", at("economic"), "--data", at("many.csv"), "--out", out, "--n-jobs", "2"];
    const env = { ...process.env, LOG_LEVEL: "silent" };
    const command = [process.execPath, ...node, MAIN, ...args];
    const stdio = ["ignore", "ignore", "pipe"] as const;
    if (shell === "") return spawn(command[0], command.slice(1), { env, stdio: [...stdio] });
    return spawn("bash", ["-c", `${shell}; exec "$@"`, "bash", ...command], { env, stdio: [...stdio] });
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} comes`, async () => {
      const base = mkdtempSync(at("signal-"));
      const child = start(join(base, "out", "scores.csv"));
      const outcome = finish(child);
      while (readdirSync(base).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

      child.kill(signal);

      const { code, signal: endedBy } = await outcome;
      assert.deepEqual([code, endedBy], [null, signal]);
      assert.deepEqual(readdirSync(base), []);
    });
  }

  test("its file may grow no further", async () => {
    const base = mkdtempSync(at("full-"));

    const { signal } = await finish(start(join(base, "out", "scores.csv"), { shell: "ulimit -f 200" }));

    assert.equal(signal, "SIGXFSZ");
    assert.deepEqual(readdirSync(base), []);
  });

  test("a scoring thread fails", async () => {
    const base = mkdtempSync(at("thread-"));
    const broken = `
      import { isMainThread, parentPort, workerData } from "node:worker_threads";
      if (!isMainThread && workerData.forest) {
        let batches = 0;
        parentPort.on("message", () => { if (++batches === 5) throw new Error("no more memory"); });
      }`;

    const node = ["--import", `data:text/javascript,${encodeURIComponent(broken)}`];
    const { code, stderr } = await finish(start(join(base, "out", "scores.csv"), { node }));

    assert.match(
      stderr,
      /^churn: unexpected failure, please report it: Error: a scoring thread failed: no more memory\n/,
    );
    assert.equal(stderr.match(/no more memory/g)?.length, 1);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(base), []);
  });
});
