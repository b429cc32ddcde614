/**
 * Use: what a trained model costs. One customer and many, against scikit-learn's forest of the very same trees; the
 * size of the model, and how soon it is there.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FOREST_FILE,
  MISSING_CODE,
  Model,
  type ModelFiles,
  type Row,
  readModelDirectory,
  type Table,
} from "../../contract/src/index.ts";
import { markdownTable } from "../../training/src/report/text.ts";
import { startService } from "../../training/src/running-service.ts";
import { startScoring } from "../../training/src/scoring-pool.ts";
import { PythonScript } from "../python.ts";
import { atLeast, atMost, type Findings, median } from "../results.ts";
import { FIT_SEED, firstRows, generate, JUDGE_SEED, readTables, train, writeBytes } from "./customers.ts";

const [ROWS, QUICK_ROWS] = [200_000, 10_000];
/** Customers that are scored one by one, in turns of so many calls of ours and of scikit-learn's. */
const SINGLES = 2000;
const TURNS = 20;
const THEIR_CALLS = 10;
const BATCH_PASSES = 5;
const THREADS = 2;
const STARTS = 7;

export async function measureUse(folder: string, quick: boolean): Promise<Findings> {
  const rows = quick ? QUICK_ROWS : ROWS;
  const directory = train(folder, generate(folder, rows, FIT_SEED));
  const model = readModelDirectory(directory);
  const tables = await readTables(generate(folder, rows, JUDGE_SEED));

  const python = new PythonScript(new URL("exported.py", import.meta.url), "peers");
  const singles = await compareSingles(folder, python, directory, tables[0]);
  const versions = await python.ask<Record<string, string>>({ command: "versions" });
  python.close();
  const batch = await timeBatch(model, tables);
  const loads = Array.from({ length: STARTS }, () => timeLoad(directory));
  const start = await timeStarts(directory);
  const forestMegabytes = statSync(join(directory, FOREST_FILE)).size / 1e6;
  const directoryMegabytes = directorySize(directory) / 1e6;

  const times = (microseconds: number): string => `${(microseconds / singles.ours).toFixed(0)} ×`;
  const text = [
    `A model with default parameters, trained on ${rows} generated customers. One customer, in microseconds, median of single calls, in turns:`,
    markdownTable([
      ["", "µs", "to ours"],
      ["this forest, from a row of raw columns to a probability", singles.ours.toFixed(1), times(singles.ours)],
      ["scikit-learn's `predict_proba`, `n_jobs=1`", singles.one.toFixed(0), times(singles.one)],
      ["scikit-learn's `predict_proba`, `n_jobs=-1`", singles.all.toFixed(0), times(singles.all)],
    ]),
    [
      "scikit-learn's forest holds the same trees (bench/exported_forest.py) and gets features that are ready. Many customers:",
      `${THREADS} threads score ${rows} in memory, from columns to probabilities; bench:size measures files. Loading is`,
      "`readModelDirectory` in a new process, from call to return, with everything verified, the files in the system's cache.",
    ].join("\n"),
  ];
  const checks = [
    atMost("difference of the scores to scikit-learn's, ×10⁻¹²", singles.difference * 1e12, 1, 4),
    atLeast("one customer: times as fast as scikit-learn", Math.min(singles.one, singles.all) / singles.ours, 700, 0),
    atMost("one customer, µs", singles.ours, 25, 1),
    atLeast(`${THREADS} threads, customers a second`, batch, 180_000, 0),
    atMost("loading and verifying, ms", median(loads), 40, 1),
    atMost("forest file, MB", forestMegabytes, 3, 2),
    atMost("model directory, MB", directoryMegabytes, 3, 2),
    atMost("service start to first answer, ms", start, 600, 0),
  ];
  return { versions, text, checks };
}

/** Medians in microseconds of single predictions, and how far the scores are apart. */
async function compareSingles(folder: string, python: PythonScript, directory: string, table: Table) {
  const model = Model.load(directory);
  const few = firstRows(table, SINGLES);
  const customers = Array.from({ length: few.rows }, (_, i) => rowOf(few, i));
  const features = writeBytes(join(folder, "singles.f32"), model.encoder.encodeTable(few));
  await python.ask({ command: "load", model: directory, features });
  const theirs = await python.ask<{ scores: number[] }>({ command: "predict" });
  const difference = model.scoreTable(few).reduce((most, s, i) => Math.max(most, Math.abs(s - theirs.scores[i])), 0);

  const ours: number[] = [];
  const one: number[] = [];
  const all: number[] = [];
  timeRows(model, customers); // compiles
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [times, n_jobs] of [
      [one, 1],
      [all, -1],
    ] as const) {
      ours.push(...timeRows(model, customers));
      const request = { command: "time_rows", start: turn * THEIR_CALLS, calls: THEIR_CALLS, n_jobs };
      times.push(...(await python.ask<{ microseconds: number[] }>(request)).microseconds);
    }
  }
  return { ours: median(ours), one: median(one), all: median(all), difference };
}

/** Microseconds of each `predictRow`. */
function timeRows(model: Model, customers: readonly Row[]): number[] {
  return customers.map((customer) => {
    const start = performance.now();
    model.predictRow(customer);
    return (performance.now() - start) * 1000;
  });
}

function rowOf({ columns }: Table, i: number): Row {
  const cells = [...columns].map(([name, column]) => {
    if (column instanceof Float64Array) return [name, column[i]];
    return [name, column.codes[i] === MISSING_CODE ? null : column.levels[column.codes[i]]];
  });
  return Object.fromEntries(cells);
}

/** Customers a second with all threads at work: the median of passes after a first one, in which they start. */
async function timeBatch(model: ModelFiles, tables: readonly Table[]): Promise<number> {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const levels = new Map(
    [...tables[0].columns].flatMap(([name, column]) => (column instanceof Float64Array ? [] : [[name, column.levels]])),
  );
  const scorer = startScoring(model, { rows, levels }, THREADS);
  const rates: number[] = [];
  for (let pass = 0; pass <= BATCH_PASSES; pass++) {
    const copies = structuredClone(tables); // scoring hands the arrays over
    const start = performance.now();
    await Promise.all(copies.map((table) => scorer.score(table)));
    if (pass > 0) rates.push(rows / ((performance.now() - start) / 1000));
  }
  await scorer.close();
  return median(rates);
}

/** Milliseconds of the first `readModelDirectory` of a process. */
function timeLoad(directory: string): number {
  const contract = new URL("../../contract/src/index.ts", import.meta.url).href;
  const code = `
    import { readModelDirectory } from ${JSON.stringify(contract)};
    const start = performance.now();
    readModelDirectory(${JSON.stringify(directory)});
    console.log(performance.now() - start);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" }));
}

/** Milliseconds from the start of the process to the answer of `GET /`: the median. */
async function timeStarts(directory: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const service = await startService(directory, mkdtempSync(join(tmpdir(), "churn-live-")));
    times.push(service.startMs);
    const { status } = await fetch(service.url); // the same question again, to see what was answered
    await service.stop();
    if (status !== 200) throw new Error(`GET ${service.url}: expected 200, got ${status}`);
  }
  return median(times);
}

function directorySize(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
