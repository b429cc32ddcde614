/**
 * How often a drift check finds something in customers that have not changed, against what it declares.
 *
 *     npm run bench:false-alarms [-- --share 1]
 *
 * Windows and references are drawn from one pool of generated customers; every 250 checks a new reference. With a share
 * below 1 so many of the checks are made, and nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Model } from "../contract/src/index.ts";
import { generate } from "../training/src/generate.ts";
import { createLogger } from "../training/src/logger.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { clopperPearson } from "../training/src/statistics/binomial.ts";
import { WorkerPool } from "../training/src/worker-pool.ts";
import { readPool } from "./drift-pool.ts";
import type { Batch, BatchCounts, BatchInput } from "./false-alarms-worker.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const POOL_ROWS = 1_500_000;
const POOL_SEED = 7;
const REFERENCE_ROWS = 200_000;
const CHECKS_PER_REFERENCE = 250;
const LEVELS = [0.05, 1 / 52];
const THREADS = 2;

/** Rows of a window, checks, and at which of the levels the budget is judged. */
const CASES = [
  { rows: 1_000, checks: 20_000, levels: [0, 1] },
  { rows: 10_000, checks: 10_000, levels: [0, 1] },
  { rows: 200_000, checks: 2_000, levels: [0] },
];

const { values: options } = parseArgs({ options: { share: { type: "string", default: "1" } } });
const SHARE = Number(options.share);
if (!(SHARE > 0 && SHARE <= 1)) throw new Error(`--share: expected a number in (0, 1], got ${options.share}`);

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const customers = join(folder, "pool.parquet");
  await generate(
    { out: customers, rows: POOL_ROWS, seed: POOL_SEED, month: 0, scenario: "stable", from: 0, withTruth: false },
    createLogger({ LOG_LEVEL: "silent" }),
    () => {},
  );
  const input: BatchInput = { pool: await readPool(Model.load(MODEL), customers), model: MODEL, levels: LEVELS };
  const script = new URL("./false-alarms-worker.ts", import.meta.url);
  const pool = new WorkerPool<Batch, BatchCounts>("false-alarm", script, input, THREADS);
  const rows: string[][] = [];
  const checks: Check[] = [];
  for (const [i, { rows: windowRows, checks: planned, levels }] of CASES.entries()) {
    const start = performance.now();
    const batches = Math.max(1, Math.round((SHARE * planned) / CHECKS_PER_REFERENCE));
    const found = await Promise.all(
      Array.from({ length: batches }, (_, batch) =>
        pool.run({
          seed: 1000 * (i + 1) + batch,
          checks: CHECKS_PER_REFERENCE,
          rows: windowRows,
          referenceRows: REFERENCE_ROWS,
        }),
      ),
    );
    const n = found.reduce((sum, one) => sum + one.checks, 0);
    const total = (count: (one: BatchCounts) => number): number => found.reduce((sum, one) => sum + count(one), 0);
    for (const level of levels) {
      const [shifted, alarms] = [total((one) => one.shifted[level]), total((one) => one.alarms[level])];
      const declared = LEVELS[level];
      const { low, high } = clopperPearson(shifted, n, 0.025);
      const perReference = found.map((one) => one.shifted[level] / one.checks);
      const name = `${windowRows} rows at ${declared.toFixed(4)}`;
      rows.push([
        String(windowRows),
        declared.toFixed(4),
        String(n),
        (shifted / n).toFixed(4),
        `${low.toFixed(4)} – ${high.toFixed(4)}`,
        `${Math.min(...perReference).toFixed(3)} – ${Math.max(...perReference).toFixed(3)}`,
        (alarms / n).toFixed(5),
        (total((one) => one.faults) / n).toFixed(5),
        (total((one) => one.naive) / n).toFixed(3),
      ]);
      checks.push(
        atMost(`${name}: shifted, measured/declared, upper bound`, high / declared, 1.25, 3),
        atLeast(`${name}: shifted, measured/declared`, shifted / n / declared, 0.5, 3),
        atMost(`${name}: alarms`, alarms / n, declared, 4),
      );
    }
    process.stderr.write(`${windowRows} rows: ${n} checks in ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
  }
  await pool.close();
  const header = [
    "rows",
    "declared",
    "checks",
    "shifted",
    "95 % interval",
    "by reference",
    "alarms",
    "data faults",
    "any column's p < 0.05",
  ];
  const body = [
    "`npm run bench:false-alarms`",
    describeMachine({}),
    [
      `Windows of generated customers against references of ${REFERENCE_ROWS}, both drawn from the same ${POOL_ROWS} (month 0); a new`,
      `reference every ${CHECKS_PER_REFERENCE} checks. Shares of checks that found something where nothing had changed.`,
    ].join("\n"),
    markdownTable([header, ...rows]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (SHARE === 1) {
    writeSection("Drift: false alarms", body);
    if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
