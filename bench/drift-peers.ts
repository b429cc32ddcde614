/**
 * A drift check beside what others do on the same tables: how long it takes, and what each says of customers that have not changed.
 *
 *     npm run bench:drift-peers [-- --windows 200]
 *
 * The peers get the reference's rows; the check has a model's reference, which was made once in training. Files have been read
 * before the clock starts, by all. With other than 200 windows nothing is written.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  featureColumnNames,
  Model,
  parseDataset,
  REFERENCE_FILE,
  readModelDirectory,
  type Table,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { type DriftCheck, judgeWindow, measureWindow } from "../training/src/drift/check.ts";
import { DRIFT_TESTS } from "../training/src/drift/drift-tests.ts";
import { DEFAULT_FLOORS } from "../training/src/drift/harm.ts";
import { decodeReference } from "../training/src/drift/reference.ts";
import { counterOf, type DriftWindow, WindowCounter } from "../training/src/drift/window.ts";
import { Random } from "../training/src/random.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { churn, readCount } from "./command.ts";
import { draw, PoolDrawer, readPool } from "./drift-pool.ts";
import { PythonScript } from "./python.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, median, writeSection } from "./results.ts";

const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const ROWS = 200_000;
const COLUMNS = 10;
const RUNS = 7;
/** Runs before these, until code is compiled and memory warm. */
const WARM_UP = 3;
/** What takes less than a second is done so often in each turn. */
const IN_A_ROW = 5;
/** Times the same rows. */
const MANY = 50;
const LEVEL = 0.05;
const WINDOWS = 200;
const WINDOW_ROWS = 1_000;
const WINDOW_REFERENCE_ROWS = 20_000;
const POOL_ROWS = 400_000;
const SEED = 100_000;

const windows = readCount("windows", WINDOWS);

interface PeerAnswer {
  readonly seconds: number;
  readonly drifted: readonly string[];
  readonly isDrift?: boolean;
}

interface Part {
  readonly text: readonly string[];
  readonly checks: readonly Check[];
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
const peers = new PythonScript(new URL("drift_peers.py", import.meta.url), "evidently");
try {
  const dataset = join(folder, "dataset.json");
  writeFileSync(dataset, JSON.stringify(ofTenColumns()));
  const [reference, current, pool] = [
    generate("reference", 1, ROWS),
    generate("current", 2, ROWS),
    generate("pool", 3, POOL_ROWS),
  ];
  const model = join(folder, "model");
  const report = join(folder, "report.html");
  churn(folder, "train", "--dataset", dataset, "--data", reference, "--out", model, "--report", report);
  const parts = [await compareSpeed(model, reference, current), await compareVerdicts(model, pool)];
  const checks = parts.flatMap((part) => part.checks);
  const body = [
    "`npm run bench:drift-peers`",
    describeMachine(versions()),
    ...parts.flatMap(({ text }) => text),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (windows === WINDOWS) {
    writeSection("Drift: peers", body);
    if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  }
} finally {
  peers.close();
  rmSync(folder, { recursive: true, force: true });
}

/** The first columns of `customers`, without features that are computed of others. */
function ofTenColumns(): object {
  const specification = JSON.parse(readFileSync(DATASET, "utf8"));
  const names = featureColumnNames(parseDataset(specification, DATASET));
  const left = new Set(names.slice(COLUMNS));
  const columns = Object.entries(specification.columns).filter(([name]) => !left.has(name));
  return { ...specification, columns: Object.fromEntries(columns), features: {}, slices: [] };
}

function generate(name: string, seed: number, rows: number): string {
  const out = join(folder, `${name}.parquet`);
  churn(folder, "generate", "--seed", String(seed), "--rows", String(rows), "--out", out);
  return out;
}

function versions(): Record<string, string> {
  const text = readFileSync(new URL("requirements-evidently.txt", import.meta.url), "utf8");
  const versionOf = (name: string): string => new RegExp(`^${name}==(.*)$`, "m").exec(text)?.[1] as string;
  return { Evidently: versionOf("evidently"), scipy: versionOf("scipy") };
}

function kindsOf(model: Model): Record<string, string> {
  const { dataset, encodings } = model.manifest;
  const kind = (name: string): string => (encodings[name] === undefined ? "number" : "category");
  return Object.fromEntries(featureColumnNames(dataset).map((name) => [name, kind(name)]));
}

async function compareSpeed(directory: string, referencePath: string, currentPath: string): Promise<Part> {
  const files = readModelDirectory(directory);
  const model = new Model(files);
  const reference = decodeReference(files.reference as Uint8Array, files.manifest, join(directory, REFERENCE_FILE));
  const reader = await openCustomers(findData(currentPath), files.manifest.dataset, { labelled: false });
  const tables: { readonly table: Table; readonly scores: Float64Array }[] = [];
  for await (const table of reader.tables()) tables.push({ table, scores: model.predictTable(table) });
  reader.close();
  const check = (times: number, hasScores: boolean): DriftCheck => {
    const counter = new WindowCounter(model, reference, 1);
    for (let time = 0; time < times; time++) {
      for (const { table, scores } of tables) counter.add(table, hasScores ? scores : undefined);
    }
    return judge(model, reference, counter.finish(), 1);
  };

  /** What scipy's loop does: a test of each column's distribution. */
  const testColumns = (): number => {
    let found = 0;
    for (const [name, column] of reference.columns) {
      const counter = counterOf(column);
      for (const { table } of tables) counter.add(table.columns.get(name) as never);
      const distribution = DRIFT_TESTS.filter(({ isFor }) => isFor(column, false));
      const current = { counts: counter.counts, missing: counter.missing };
      found += distribution.filter(({ run }) => (run(column, current)?.pValue ?? 1) < LEVEL).length;
    }
    return found;
  };

  await peers.ask({ tables: [referencePath, currentPath], columns: kindsOf(model) });
  const [columns, ours, scoring, many, scipy, evidently]: number[][] = [[], [], [], [], [], []];
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const one = [
      await inARow(() => secondsOf(testColumns)),
      await inARow(() => secondsOf(() => check(1, true))),
      await inARow(() => secondsOf(() => check(1, false))),
      secondsOf(() => check(MANY, true)),
      await inARow(async () => (await peers.ask<PeerAnswer>({ scipy: true })).seconds),
      (await peers.ask<PeerAnswer>({ evidently: true })).seconds,
    ];
    if (run < WARM_UP) continue;
    for (const [i, times] of [columns, ours, scoring, many, scipy, evidently].entries()) times.push(one[i]);
  }
  const middle = median(ours);
  const row = (name: string, times: number[]): string[] => [
    name,
    `${(1000 * median(times)).toFixed(0)} ms`,
    `${(1000 * Math.min(...times)).toFixed(0)} – ${(1000 * Math.max(...times)).toFixed(0)}`,
    (median(times) / middle).toFixed(1),
  ];
  return {
    text: [
      `${ROWS} customers of ${COLUMNS} columns in memory, against as many; median of ${RUNS} runs, in turns; what takes less than a second is run ${IN_A_ROW} times in each turn, of which the median counts.`,
      markdownTable([
        ["", "median", "from – to", "ratio"],
        row("a test of each column, against the stored reference", columns),
        row("the check, of customers with their probabilities (as the store has them)", ours),
        row("the check, which asks the model for 20,000 of them (as of a file)", scoring),
        row(`the check, of ${(MANY * ROWS) / 1e6} million rows`, many),
        row("scipy: `ks_2samp` or `chi2_contingency` of each column", scipy),
        row("Evidently: `DataDriftPreset()`", evidently),
      ]),
    ],
    checks: [
      atMost("200k rows: ms", 1000 * middle, 100, 0),
      atMost("10M rows: s", median(many), 3, 2),
      atLeast("a test of each column: times as fast as scipy's loop", median(scipy) / median(columns), 5, 1),
      atLeast("the check: times as fast as Evidently", median(evidently) / middle, 50, 1),
    ],
  };
}

/** The median of a few: the first after seconds of others' work finds the processor's caches theirs. */
async function inARow(time: () => number | Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < IN_A_ROW; i++) times.push(await time());
  return median(times);
}

function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function judge(model: Model, reference: Parameters<typeof measureWindow>[0], window: DriftWindow, seed: number) {
  const { dataset, threshold } = model.manifest;
  const isNullable = (name: string): boolean => dataset.columns[name].nullable === true;
  const measurement = measureWindow(reference, window, { threshold: threshold.value, isNullable, seed });
  return judgeWindow(measurement, { level: LEVEL, floors: DEFAULT_FLOORS });
}

/** Windows and reference of one distribution: whatever is found is a false alarm. */
async function compareVerdicts(directory: string, poolPath: string): Promise<Part> {
  const model = Model.load(directory);
  const pool = await readPool(model, poolPath);
  const drawer = new PoolDrawer(pool, directory);
  await peers.ask({ tables: [poolPath], columns: kindsOf(model) });
  const random = new Random(SEED);
  const taken = new Uint8Array(pool.rows);
  const referenceRows = draw(random, WINDOW_REFERENCE_ROWS, taken);
  const reference = drawer.reference(referenceRows);
  const found = { shifted: 0, alarms: 0, scipy: 0, columns: 0, isDrift: 0 };
  for (let window = 0; window < windows; window++) {
    const rows = draw(random, WINDOW_ROWS, taken.slice());
    const ours = judge(model, reference, drawer.window(reference, rows), window);
    const tiers = [...ours.columns, ours.scores, ours.domain].map(({ tier }) => tier);
    found.shifted += +tiers.some((tier) => tier === "shifted" || tier === "alarm");
    found.alarms += +(ours.verdict === "drift");
    await peers.ask({ take: [[...referenceRows], [...rows]] });
    found.scipy += +((await peers.ask<PeerAnswer>({ scipy: true })).drifted.length > 0);
    const evidently = await peers.ask<PeerAnswer>({ evidently: true });
    found.columns += +(evidently.drifted.length > 0);
    found.isDrift += +(evidently.isDrift === true);
    process.stderr.write(`window ${window + 1} of ${windows}\r`);
  }
  const share = (count: number): string => `${count} of ${windows}`;
  return {
    text: [
      `Windows of ${WINDOW_ROWS} customers and a reference of ${WINDOW_REFERENCE_ROWS}, of one distribution: how many have drift in the eyes of each.`,
      markdownTable([
        ["", "windows"],
        [`the check at level ${LEVEL}: shifted`, share(found.shifted)],
        [`the check at level ${LEVEL}: alarm`, share(found.alarms)],
        [`scipy's loop, any column with p < ${LEVEL}`, share(found.scipy)],
        ["Evidently's default: any column", share(found.columns)],
        ["Evidently's default: the data set", share(found.isDrift)],
      ]),
      [
        "With a reference of more than 1,000 rows Evidently compares distances (Wasserstein, Jensen–Shannon) with 0.1: no test, so the",
        "window's size does not count: a small one may be as far by chance, and what is nearer is not seen, however sure.",
      ].join("\n"),
    ],
    checks: [atMost("alarms of the check", found.alarms / windows, LEVEL, 3)],
  };
}
