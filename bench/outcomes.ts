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
import { Model, REFERENCE_FILE, readModelDirectory } from "../contract/src/index.ts";
import { decodeReference } from "../training/src/drift/reference.ts";
import { DAY_MS } from "../training/src/drift/windows.ts";
import { quantile } from "../training/src/evaluation/metrics.ts";
import { checkPerformance } from "../training/src/performance/check.ts";
import { Random } from "../training/src/random.ts";
import { markdownTable } from "../training/src/report/text.ts";
import type { JudgedPrediction, JudgedQuery, JudgedReader } from "../training/src/store/prediction-reader.ts";
import { churn, readCount } from "./command.ts";
import { type Pool, readPool } from "./drift-pool.ts";
import { atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const SEEDS = 20;
const POOL_ROWS = 300_000;
const PER_DAY = 2_000;
/** Days of the service before the offer: a horizon and some weeks, whose outcomes say how soon people leave. */
const DAYS_BEFORE = 63;
const GRACE_DAYS = 1;

const seeds = readCount("seeds", SEEDS);

const files = readModelDirectory(MODEL);
const { slices: _, ...dataset } = files.manifest.dataset; // predictions here have no customers to group
const manifest = { ...files.manifest, dataset };
const model = new Model(files);
const reference = decodeReference(files.reference as Uint8Array, manifest, join(MODEL, REFERENCE_FILE));
const horizonDays = dataset.target.horizonDays as number;
const LAST_DAY = horizonDays + 21;

interface Detection {
  /** Days from the change to the first alarm; Infinity without one. */
  readonly early: number;
  readonly mature: number;
  /** Windows with an alarm, each counted once. */
  readonly alarms: number;
}

/** A service's predictions in memory, with what is known of them on a day. */
class SimulatedReader implements JudgedReader {
  readonly #predictions: readonly JudgedPrediction[]; // by time
  readonly #churns: readonly (number | null)[]; // when each customer leaves, if he does within the horizon
  now = 0;

  constructor(pools: readonly [before: Pool, after: Pool], start: number, seed: number) {
    const random = new Random(seed);
    const predictions: JudgedPrediction[] = [];
    const churns: (number | null)[] = [];
    for (let day = 0; day < DAYS_BEFORE + LAST_DAY; day++) {
      const pool = pools[+(day >= DAYS_BEFORE)];
      for (let i = 0; i < PER_DAY; i++) {
        const row = random.integer(pool.rows);
        const since = start + (day + i / PER_DAY) * DAY_MS;
        const score = pool.scores[row];
        predictions.push({
          period: 0,
          since,
          features: null,
          score,
          decision: score >= manifest.threshold.value ? 1 : 0,
          model_sha256: manifest.contentSha256,
          churned_at: null,
          stayed: null,
          contacted: null,
        });
        churns.push(pool.labels[row] === 1 ? since + random.uniform() * horizonDays * DAY_MS : null);
      }
    }
    this.#predictions = predictions;
    this.#churns = churns;
  }

  async *judged({ from, to, periodMs }: JudgedQuery): AsyncGenerator<readonly JudgedPrediction[]> {
    const batch: JudgedPrediction[] = [];
    const until = Math.min(to, this.now);
    for (let i = firstFrom(this.#predictions, from); i < this.#predictions.length; i++) {
      const one = this.#predictions[i];
      if (one.since >= until) break;
      const churnedAt = this.#churns[i];
      const isSeen = churnedAt !== null && churnedAt <= this.now;
      const isOver = one.since + horizonDays * DAY_MS <= this.now;
      batch.push({
        ...one,
        period: Math.floor((one.since - from) / periodMs),
        churned_at: isSeen ? churnedAt : null,
        stayed: churnedAt === null && isOver ? 0 : null,
      });
    }
    yield batch;
  }
}

/** The place of the first at a time or later. @param predictions By time */
function firstFrom(predictions: readonly JudgedPrediction[], time: number): number {
  let [low, high] = [0, predictions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (predictions[middle].since < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function detect(pools: readonly [Pool, Pool], seed: number): Promise<Detection> {
  const start = Date.UTC(2026, 0, 1 + (seed % 28)); // the change falls on another day of the calendar's windows
  const reader = new SimulatedReader(pools, start, seed);
  let [early, mature] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const windows = new Set<string>();
  for (let day = 1; day <= LAST_DAY; day++) {
    const now = new Date(start + (DAYS_BEFORE + day) * DAY_MS);
    reader.now = now.getTime();
    const settings = { falseAlarmsPerYear: 1, everyDays: 1, graceDays: GRACE_DAYS, now };
    const result = await checkPerformance(reader, manifest, reference, settings);
    const loudEarly = result.early.filter(({ finding }) => finding?.tier === "alarm");
    const loudMature = result.mature.filter(({ findings }) => findings.some(({ tier }) => tier === "alarm"));
    if (loudEarly.length > 0) early = Math.min(early, day);
    if (loudMature.length > 0) mature = Math.min(mature, day);
    for (const { days, from } of loudEarly) windows.add(`early ${days} ${from}`);
    for (const { days, from } of loudMature) windows.add(`mature ${days} ${from}`);
  }
  return { early, mature, alarms: windows.size };
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const read = (scenario: string, month: number, seed: number): Promise<Pool> => {
    const out = join(folder, "customers.parquet");
    const [m, s, r] = [month, seed, POOL_ROWS].map(String);
    churn(folder, "generate", "--scenario", scenario, "--month", m, "--seed", s, "--rows", r, "--out", out);
    return readPool(model, out);
  };
  const before = await read("stable", 0, 501);
  const offer = await read("competitor-offer", 1, 502);
  const stable = await read("stable", 0, 503);
  const [offered, quiet]: [Detection[], Detection[]] = [[], []];
  for (let seed = 1; seed <= seeds; seed++) {
    offered.push(await detect([before, offer], seed));
    quiet.push(await detect([before, stable], 1000 + seed));
    const { early, mature } = offered[offered.length - 1];
    process.stderr.write(
      `seed ${seed}: ${early}, ${mature}; nothing changed: ${quiet[quiet.length - 1].alarms} alarms\n`,
    );
  }
  const days = (pick: (one: Detection) => number): Float64Array => Float64Array.from(offered, pick).sort();
  const row = (name: string, values: Float64Array): string[] => [
    name,
    String(quantile(values, 0.5)),
    `${values[0]} – ${values[values.length - 1]}`,
  ];
  const [early, mature] = [days((one) => one.early), days((one) => one.mature)];
  const years = (seeds * LAST_DAY) / 365;
  const alarms = quiet.reduce((sum, one) => sum + one.alarms, 0);
  const checks: Check[] = [
    atMost("customers who have left so far: median days", quantile(early, 0.5), horizonDays / 2, 1),
    atMost("mature outcomes: median days", quantile(mature, 0.5), horizonDays + 7, 1),
    atMost("nothing changed: alarms a year", alarms / years, 0.5, 2),
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
    `Nothing changed: ${alarms} windows with an alarm in ${years.toFixed(1)} years of daily checks.`,
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
