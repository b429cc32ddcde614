/**
 * How soon outcomes tell that people react otherwise, which no input shows; and how often they tell it when nothing has changed.
 *
 *     npm run bench:outcomes [-- --seeds 20]
 *
 * A service scores 2,000 customers a day. From a day on a competitor courts them (scenario `competitor-offer`): what is recorded
 * stays as it was. Each day `churn drift --every 1d` is made of what is known that day. Customers leave at any day of the horizon.
 * With other than 20 seeds nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Model } from "../contract/src/index.ts";
import { quantile } from "../training/src/evaluation/metrics.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { clopperPearson } from "../training/src/statistics/binomial.ts";
import { WorkerPool } from "../training/src/worker-pool.ts";
import { churn, readCount } from "./command.ts";
import { type Pool, readPool } from "./drift-pool.ts";
import type { Detection, ServiceInput, ServiceTask } from "./outcomes-worker.ts";
import { atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const THREADS = 2;
const SEEDS = 20;
const POOL_ROWS = 300_000;
const PER_DAY = 2_000;
const DAYS_BEFORE = 63;
/** Beyond the horizon, until mature outcomes must have told. */
const DAYS_AFTER = 14;
const QUIET_DAYS = 90;

const seeds = readCount("seeds", SEEDS);
const model = Model.load(MODEL);
const horizonDays = model.manifest.dataset.target.horizonDays as number;

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const read = (scenario: string, month: number, seed: number): Promise<Pool> => {
    const out = join(folder, "customers.parquet");
    const [m, s, r] = [month, seed, POOL_ROWS].map(String);
    churn(folder, "generate", "--scenario", scenario, "--month", m, "--seed", s, "--rows", r, "--out", out);
    return readPool(model, out);
  };
  const input: ServiceInput = {
    model: MODEL,
    perDay: PER_DAY,
    daysBefore: DAYS_BEFORE,
    before: await read("stable", 0, 501),
    offer: await read("competitor-offer", 1, 502),
    stable: await read("stable", 0, 503),
  };
  const script = new URL("./outcomes-worker.ts", import.meta.url);
  const threads = new WorkerPool<ServiceTask, Detection>("outcomes", script, input, THREADS);
  const run = (then: ServiceTask["then"], days: number, firstSeed: number): Promise<Detection[]> =>
    Promise.all(
      Array.from({ length: seeds }, async (_, i) => {
        const found = await threads.run({ seed: firstSeed + i, then, days });
        process.stderr.write(`${then}, seed ${firstSeed + i}: ${JSON.stringify(found)}\n`);
        return found;
      }),
    );
  const offered = await run("offer", horizonDays + DAYS_AFTER, 1);
  const quiet = await run("stable", QUIET_DAYS, 1001);
  await threads.close();
  const days = (pick: (one: Detection) => number): Float64Array => Float64Array.from(offered, pick).sort();
  const row = (name: string, values: Float64Array): string[] => [
    name,
    String(quantile(values, 0.5)),
    `${values[0]} – ${values[values.length - 1]}`,
  ];
  const [early, mature] = [days((one) => one.early), days((one) => one.mature)];
  const checkDays = seeds * QUIET_DAYS;
  const sum = (pick: (one: Detection) => number): number => quiet.reduce((total, one) => total + pick(one), 0);
  const [alarms, episodes] = [sum((one) => one.alarms), sum((one) => one.episodes)];
  const perYear = (count: number): string => ((365 * count) / checkDays).toFixed(2);
  const checks: Check[] = [
    atMost("customers who have left so far: median days", quantile(early, 0.5), horizonDays / 2, 1),
    atMost("mature outcomes: median days", quantile(mature, 0.5), horizonDays + 7, 1),
    atMost("nothing changed: alarms a year, lower bound", 365 * clopperPearson(alarms, checkDays, 0.025).low, 0.5, 2),
  ];
  const body = [
    "`npm run bench:outcomes`",
    describeMachine({}),
    [
      `${seeds} services that score ${PER_DAY} customers a day, horizon ${horizonDays} days, a check each day; one false alarm a year declared, half of`,
      "it for outcomes. Days from the first day of `competitor-offer` to the first alarm; then as many services in which nothing changes.",
    ].join("\n"),
    markdownTable([
      ["found by", "median day", "from – to"],
      row("customers who have left so far", early),
      row("mature outcomes", mature),
    ]),
    [
      `Nothing changed: ${alarms} windows with an alarm in ${checkDays} daily checks, ${perYear(alarms)} a year; windows overlap, so they come`,
      `together: ${episodes} times, ${perYear(episodes)} a year.`,
    ].join("\n"),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (seeds === SEEDS) {
    writeSection("Drift: outcomes", body);
    if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
