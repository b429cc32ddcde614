/** A thread of the outcomes bench: a service's days, and a check on each of them. */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { REFERENCE_FILE, readModelDirectory } from "../contract/src/index.ts";
import { decodeReference } from "../training/src/drift/reference.ts";
import { DAY_MS } from "../training/src/drift/windows.ts";
import { checkPerformance } from "../training/src/performance/check.ts";
import { Random } from "../training/src/random.ts";
import type { JudgedPrediction, JudgedQuery, JudgedReader } from "../training/src/store/prediction-reader.ts";
import type { Pool } from "./drift-pool.ts";

export interface ServiceInput {
  readonly model: string;
  readonly perDay: number;
  /** Days of the service before the change: a horizon and some weeks, whose outcomes say how soon people leave. */
  readonly daysBefore: number;
  readonly before: Pool;
  readonly offer: Pool;
  readonly stable: Pool;
}

export interface ServiceTask {
  readonly seed: number;
  /** Who comes from the day of the change on. */
  readonly then: "offer" | "stable";
  /** Days from the change on, with a check on each. */
  readonly days: number;
}

export interface Detection {
  /** Days from the change to the first alarm; Infinity without one. */
  readonly early: number;
  readonly mature: number;
  /** Windows with an alarm, each counted once. */
  readonly alarms: number;
  /** Days with an alarm after one without. */
  readonly episodes: number;
}

const GRACE_DAYS = 1;
const { model, perDay, daysBefore, ...pools }: ServiceInput = workerData;
const files = readModelDirectory(model);
const { slices: _, ...dataset } = files.manifest.dataset; // predictions here have no customers to group
const manifest = { ...files.manifest, dataset };
const reference = decodeReference(files.reference as Uint8Array, manifest, join(model, REFERENCE_FILE));
const horizonDays = dataset.target.horizonDays as number;

let last: Promise<unknown> = Promise.resolve();
parentPort?.on("message", (task: ServiceTask) => {
  last = last.then(async () => parentPort?.postMessage(await detect(task)));
});

/** A service's predictions in memory, with what is known of them on a day. */
class SimulatedReader implements JudgedReader {
  readonly #predictions: readonly JudgedPrediction[]; // by time
  readonly #churns: readonly (number | null)[]; // when each customer leaves, if he does within the horizon
  now = 0;

  constructor(after: Pool, start: number, days: number, seed: number) {
    const random = new Random(seed);
    const predictions: JudgedPrediction[] = [];
    const churns: (number | null)[] = [];
    for (let day = 0; day < daysBefore + days; day++) {
      const pool = day < daysBefore ? pools.before : after;
      for (let i = 0; i < perDay; i++) {
        const row = random.integer(pool.rows);
        const since = start + (day + i / perDay) * DAY_MS;
        const score = pool.scores[row];
        predictions.push({
          period: 0,
          customer_key: null,
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

async function detect({ seed, then, days }: ServiceTask): Promise<Detection> {
  const start = Date.UTC(2026, 0, 1 + (seed % 28)); // the change falls on another day of the calendar's windows
  const reader = new SimulatedReader(pools[then], start, days, seed);
  let [early, mature] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const windows = new Set<string>();
  let [episodes, wasLoud] = [0, false];
  for (let day = 1; day <= days; day++) {
    const now = new Date(start + (daysBefore + day) * DAY_MS);
    reader.now = now.getTime();
    const settings = { falseAlarmsPerYear: 1, everyDays: 1, graceDays: GRACE_DAYS, now };
    const result = await checkPerformance(reader, manifest, reference, settings);
    const loudEarly = result.early.filter(({ finding }) => finding?.tier === "alarm");
    const loudMature = result.mature.filter(({ findings }) => findings.some(({ tier }) => tier === "alarm"));
    if (loudEarly.length > 0) early = Math.min(early, day);
    if (loudMature.length > 0) mature = Math.min(mature, day);
    for (const { days: length, from } of loudEarly) windows.add(`early ${length} ${from}`);
    for (const { days: length, from } of loudMature) windows.add(`mature ${length} ${from}`);
    const isLoud = loudEarly.length + loudMature.length > 0;
    episodes += +(isLoud && !wasLoud);
    wasLoud = isLoud;
  }
  return { early, mature, alarms: windows.size, episodes };
}
