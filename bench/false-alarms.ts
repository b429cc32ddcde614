/**
 * How often a drift check finds something in customers that have not changed, against what it declares.
 *
 *     npm run bench:false-alarms [-- --large] [-- --share 1]
 *
 * Windows and references are drawn from one pool of generated customers, and from real ones. Beside it the rule that most begin
 * with, on the same windows, and how small a change is found. With `--large` windows as large as the reference. With a share below 1 so many of the checks are made, and
 * nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Model } from "../contract/src/index.ts";
import { checkLevel } from "../training/src/drift/budget.ts";
import { quantile } from "../training/src/evaluation/metrics.ts";
import { generate } from "../training/src/generate.ts";
import { createLogger } from "../training/src/logger.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { clopperPearson } from "../training/src/statistics/binomial.ts";
import { WorkerPool } from "../training/src/worker-pool.ts";
import { churn } from "./command.ts";
import { CHANGES } from "./drift-changes.ts";
import { readPool } from "./drift-pool.ts";
import type { Batch, BatchCounts, BatchInput } from "./false-alarms-worker.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, type Findings, writeSection } from "./results.ts";
import { DATA, DATASET } from "./telco-folds.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const POOL_ROWS = 1_500_000;
const POOL_SEED = 7;
const LEVELS = [0.05, 1 / 52];
const THREADS = 2;
const SEED_COLUMNS = [
  "age",
  "gender",
  "monthly_charges",
  "tenure_months",
  "support_tickets",
  "payment_delay_days",
  "avg_usage_hours",
];

/** Rows of a window, checks, and at which of the levels the budget is judged. */
interface Case {
  readonly rows: number;
  readonly checks: number;
  readonly levels: readonly number[];
}

interface Source {
  readonly name: string;
  readonly referenceRows: number;
  readonly checksPerReference: number;
  readonly cases: readonly Case[];
  /** Of the seeds. */
  readonly firstSeed: number;
}

const CUSTOMERS: Source = {
  name: "customers",
  referenceRows: 200_000,
  checksPerReference: 250,
  cases: [
    { rows: 1_000, checks: 20_000, levels: [0, 1] },
    { rows: 10_000, checks: 10_000, levels: [0, 1] },
  ],
  firstSeed: 100_000,
};

/** Two checks against one reference of the window's size are alike by a half: more references say more than more checks. */
const LARGE: Source = {
  ...CUSTOMERS,
  checksPerReference: 20,
  cases: [{ rows: 200_000, checks: 2_000, levels: [0] }],
  firstSeed: 300_000,
};

/** There are 7,043 of them: a random split each few checks. */
const TELCO: Source = {
  name: "telco",
  referenceRows: 5_000,
  checksPerReference: 10,
  cases: [
    { rows: 1_000, checks: 5_000, levels: [0, 1] },
    { rows: 2_000, checks: 5_000, levels: [0, 1] },
  ],
  firstSeed: 100_000,
};

/** How small a change is found: windows of so many rows, so many of them per kind of change. */
const SEARCHES = [
  { rows: 1_000, windows: 100 },
  { rows: 10_000, windows: 100 },
  { rows: 200_000, windows: 40 },
];
const POWER = 0.8;
const MONTHLY = checkLevel(1, 28);

const { values: options } = parseArgs({
  options: { share: { type: "string", default: "1" }, large: { type: "boolean", default: false } },
});
const SHARE = Number(options.share);
if (!(SHARE > 0 && SHARE <= 1)) throw new Error(`--share: expected a number in (0, 1], got ${options.share}`);

type Threads = WorkerPool<Batch, BatchCounts>;

async function startThreads(model: string, customers: string): Promise<Threads> {
  const pool = await readPool(Model.load(model), customers);
  const seedColumns = SEED_COLUMNS.filter((name) => pool.columns.has(name));
  const input: BatchInput = { pool, model, levels: LEVELS, seedColumns };
  return new WorkerPool("false-alarm", new URL("./false-alarms-worker.ts", import.meta.url), input, THREADS);
}

async function countFalseAlarms(
  threads: Threads,
  { name, referenceRows, checksPerReference, cases, firstSeed }: Source,
): Promise<{ readonly rows: string[][]; readonly checks: Check[] }> {
  const [rows, checks]: [string[][], Check[]] = [[], []];
  for (const [i, { rows: windowRows, checks: planned, levels }] of cases.entries()) {
    const batches = Math.max(1, Math.round((SHARE * planned) / checksPerReference));
    const found = await Promise.all(
      Array.from({ length: batches }, (_, batch) => {
        const seed = firstSeed + 100_000 * i + batch;
        return threads.run({ seed, checks: checksPerReference, rows: windowRows, referenceRows });
      }),
    );
    const n = batches * checksPerReference;
    const total = (count: (one: BatchCounts) => number): number => found.reduce((sum, one) => sum + count(one), 0);
    const share = (count: (one: BatchCounts) => number): string => (total(count) / n).toFixed(3);
    for (const level of levels) {
      const [shifted, alarms] = [total((one) => one.shifted[level]), total((one) => one.alarms[level])];
      const declared = LEVELS[level];
      const { low, high } = clopperPearson(shifted, n, 0.025);
      const perReference = found.map((one) => one.shifted[level] / one.checks);
      const what = `${name}, ${windowRows} rows at ${declared.toFixed(4)}`;
      rows.push([
        name,
        String(windowRows),
        declared.toFixed(4),
        String(n),
        (shifted / n).toFixed(4),
        `${low.toFixed(4)} – ${high.toFixed(4)}`,
        `${Math.min(...perReference).toFixed(3)} – ${Math.max(...perReference).toFixed(3)}`,
        (alarms / n).toFixed(5),
        (total((one) => one.faults) / n).toFixed(5),
        name === "customers" ? share((one) => one.seed) : "–",
        share((one) => one.seedOfAll),
      ]);
      checks.push(
        atMost(`${what}: shifted, measured/declared, upper bound`, high / declared, 1.25, 3),
        atLeast(`${what}: shifted, measured/declared`, shifted / n / declared, 0.5, 3),
        atMost(`${what}: alarms`, alarms / n, declared, 4),
      );
    }
    process.stderr.write(`${rows[rows.length - 1].join(" | ")}\n`);
  }
  return { rows, checks };
}

/** @returns a row per number of rows: the size of each change that four checks of five find */
async function searchPower(threads: Threads): Promise<string[][]> {
  const rows: string[][] = [];
  for (const { rows: windowRows, windows } of SEARCHES) {
    const checks = Math.max(2, Math.round((SHARE * windows) / THREADS));
    const row = [String(windowRows)];
    for (const change of Object.keys(CHANGES)) {
      const search = { change, level: MONTHLY };
      const { referenceRows } = CUSTOMERS;
      const found = await Promise.all(
        Array.from({ length: THREADS }, (_, i) =>
          threads.run({ seed: 900_000 + i, checks, rows: windowRows, referenceRows, search }),
        ),
      );
      const sizes = Float64Array.from(found.flatMap((one) => one.sizes)).sort();
      row.push(quantile(sizes, POWER).toPrecision(2));
    }
    rows.push(row);
    process.stderr.write(`${row.join(" | ")}\n`);
  }
  return rows;
}

async function findSmallAlarms(customers: string): Promise<Findings> {
  const telcoModel = join(folder, "telco");
  churn(folder, "train", "--dataset", DATASET, "--data", DATA, "--out", telcoModel);
  const telco = await startThreads(telcoModel, DATA);
  const real = await countFalseAlarms(telco, TELCO);
  await telco.close();
  const threads = await startThreads(MODEL, customers);
  const made = await countFalseAlarms(threads, CUSTOMERS);
  const power = await searchPower(threads);
  await threads.close();
  const kinds = Object.entries(CHANGES).map(([name, { column, unit }]) => `${name} of ${column}, ${unit}`);
  return {
    versions: {},
    text: [
      [
        `Windows of generated customers against references of ${CUSTOMERS.referenceRows}, both drawn from the same ${POOL_ROWS} (month 0), a`,
        `new reference every ${CUSTOMERS.checksPerReference} checks; and of Telco's 7,043 customers, split at random into references of`,
        `${TELCO.referenceRows} and windows. Shares of checks that found something where nothing had changed. The seed's rule: any`,
        "column's Kolmogorov–Smirnov p < 0.05.",
      ].join("\n"),
      markdownTable([HEADER, ...made.rows, ...real.rows]),
      `The smallest change that ${100 * POWER} % of checks find to have shifted, at the monthly level of one false alarm a year (${MONTHLY.toFixed(4)}):`,
      markdownTable([["rows", ...kinds], ...power]),
    ],
    checks: [...made.checks, ...real.checks],
  };
}

async function findLargeAlarms(customers: string): Promise<Findings> {
  const threads = await startThreads(MODEL, customers);
  const { rows, checks } = await countFalseAlarms(threads, LARGE);
  await threads.close();
  return {
    versions: {},
    text: [
      `As above, of windows as large as the reference; a new reference every ${LARGE.checksPerReference} checks.`,
      markdownTable([HEADER, ...rows]),
    ],
    checks,
  };
}

const HEADER = [
  "data set",
  "rows",
  "declared",
  "checks",
  "shifted",
  "95 % interval",
  "by reference",
  "alarms",
  "data faults",
  "seed's rule, its 7 columns",
  "seed's rule, all columns",
];

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const log = createLogger({ LOG_LEVEL: "silent" });
  const customers = join(folder, "pool.parquet");
  await generate(
    { out: customers, rows: POOL_ROWS, seed: POOL_SEED, month: 0, scenario: "stable", from: 0, withTruth: false },
    log,
    () => {},
  );
  const { text, checks } = await (options.large ? findLargeAlarms(customers) : findSmallAlarms(customers));
  const command = `\`npm run bench:false-alarms${options.large ? " -- --large" : ""}\``;
  const body = [command, describeMachine({}), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (SHARE === 1) {
    writeSection(`Drift: false alarms${options.large ? ", large windows" : ""}`, body);
    if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
