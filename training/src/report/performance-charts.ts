/** Plots of what outcomes have shown, week by week. */
import type { Metric, Metrics } from "@churn/contract";
import { DAY_MS } from "../drift/windows.ts";
import type { HistoryPoint, PerformanceResult } from "../performance/result.ts";
import type { Chart } from "./content.ts";
import { labelOf } from "./performance.ts";
import { CHANCE, digits, horizontal, type Layer, MODEL, plot } from "./plot.ts";
import { INTERVAL } from "./words.ts";

const SHOWN = ["roc_auc", "log_loss", "profit_per_customer"] as const;
/** Fewer are no course. */
const LEAST_WEEKS = 2;

/** @param reference Figures of the customers that the training held out. */
export function performanceCharts({ history }: PerformanceResult, reference: Metrics): Chart[] {
  return SHOWN.flatMap((metric) => {
    const weeks = history.filter(({ metrics }) => metrics[metric] !== undefined);
    return weeks.length < LEAST_WEEKS ? [] : [metricChart(metric, weeks, reference[metric])];
  });
}

/** Weeks count backwards: 0 is the last that has matured. */
function metricChart(metric: string, weeks: readonly HistoryPoint[], reference: Metric | undefined): Chart {
  const last = weeks[weeks.length - 1].from;
  const values = weeks.map(({ from, metrics }) => {
    const { value, low, high } = metrics[metric];
    const week = Math.round((Date.parse(from) - Date.parse(last)) / (7 * DAY_MS));
    return { x: week, y: digits(value), low: digits(low), high: digits(high) };
  });
  const data = { values };
  const layers: Layer[] = [
    ...(reference === undefined ? [] : [horizontal(digits(reference.value), CHANCE)]),
    {
      data,
      mark: { type: "rule", color: MODEL.color, strokeWidth: 1.5 },
      encoding: { y: { field: "low" }, y2: { field: "high" } },
    },
    { data, mark: { type: "point", filled: true, color: MODEL.color, size: 40, opacity: 1 } },
  ];
  const title = labelOf(metric);
  return {
    id: `performance-${metric}`,
    title,
    caption: `Of each week's predictions, with a ${INTERVAL}; the last week is that of ${last}, younger ones wait for their outcomes. The dotted line is that of the customers who were held out in training.`,
    plot: plot(
      { title: "weeks before the last", format: "d", isFree: true },
      { title, format: ".3~f", isFree: true },
      layers,
    ),
  };
}
