/** Half a year of a store by week: what was predicted, and how it came out. */
import { type Economics, horizonMs } from "@churn/contract";
import { DAY_MS, lastWindow } from "../drift/windows.ts";
import type { JudgedPrediction, JudgedReader } from "../store/prediction-reader.ts";
import { controlWeights, type JudgedWindow, judgedWindow } from "./judged-window.ts";
import { labelledScores, metricsOf } from "./mature.ts";
import type { HistoryPoint } from "./result.ts";

const DAYS = 182;
const PERIOD_DAYS = 7;
const PERIOD_MS = PERIOD_DAYS * DAY_MS;

/** Epoch ms of a week's start → its predictions, of all models; the oldest first. @param horizonDays Weeks that have not matured come on top. */
export async function readWeeks(
  reader: JudgedReader,
  now: number,
  horizonDays: number | null,
): Promise<Map<number, JudgedWindow>> {
  const { to } = lastWindow(PERIOD_DAYS, now);
  const from = to - Math.ceil((DAYS + (horizonDays ?? 0)) / PERIOD_DAYS) * PERIOD_MS;
  const weeks = new Map<number, JudgedPrediction[]>();
  for await (const batch of reader.judged({
    from,
    to,
    horizonMs: horizonMs(horizonDays ?? undefined),
    periodMs: PERIOD_MS,
    withFeatures: false,
  })) {
    for (const one of batch) {
      const week = weeks.get(one.period) ?? [];
      weeks.set(one.period, week);
      week.push(one);
    }
  }
  return new Map(
    [...weeks]
      .sort(([a], [b]) => a - b)
      .map(([week, predictions]) => [from + week * PERIOD_MS, judgedWindow(predictions, now)]),
  );
}

export function historyPoint(
  start: number,
  window: JudgedWindow,
  isMature: (elapsed: number) => boolean,
  economics: Economics | undefined,
): HistoryPoint {
  const weights = controlWeights(window).weights;
  const labelled = labelledScores(window, weights, (row) => isMature(window.ages[row]));
  const mean = (values: Float64Array | Uint8Array): number =>
    (values as Float64Array).reduce((sum, value) => sum + value, 0) / window.rows;
  return {
    from: new Date(start).toISOString().slice(0, 10),
    rows: window.rows,
    labelled: labelled.labels.length,
    meanScore: mean(window.scores),
    decisions: mean(window.decisions),
    metrics: metricsOf(labelled, economics),
  };
}
