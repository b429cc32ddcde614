/** What outcomes show of a model, as rows of words: for the terminal, and for a report. */
import type { Metric } from "@churn/contract";
import type { PerformanceFinding } from "../performance/finding.ts";
import type { EarlyWindow, MatureWindow, PerformanceResult } from "../performance/result.ts";
import { METRIC_LABELS } from "./text.ts";
import { figure, INTERVAL } from "./words.ts";

export const FINDINGS_HEADER = ["predictions of", "outcomes", "figure", "now", INTERVAL, "expected", "finding"];

export const labelOf = (metric: string): string =>
  metric === "observed_expected" ? "Left, for each expected" : METRIC_LABELS[metric as keyof typeof METRIC_LABELS];

const interval = ({ low, high }: Metric): string => `${figure(low)} – ${figure(high)}`;

/** A row per figure that was tested. */
export function findingRows({ mature, early }: PerformanceResult): string[][] {
  const row = ({ from, to }: MatureWindow | EarlyWindow, outcomes: string, finding: PerformanceFinding): string[] => [
    `${from} to ${to}`,
    outcomes,
    labelOf(finding.metric),
    figure(finding.value),
    interval(finding),
    figure(finding.reference),
    finding.tier,
  ];
  return [
    ...mature.flatMap((window) => window.findings.map((finding) => row(window, "mature", finding))),
    ...early.flatMap((window) => (window.finding === null ? [] : [row(window, "so far", window.finding)])),
  ];
}

export const METRICS_HEADER = [
  "",
  "customers",
  "outcomes",
  ...["roc_auc", "log_loss", "profit_per_customer"].map(labelOf),
];

/** A row per week, or per group; what cannot be said is a dash. */
export function metricsRow(
  name: string,
  rows: number,
  labelled: number,
  metrics: Readonly<Record<string, Metric>>,
): string[] {
  const cell = (metric: Metric | undefined): string =>
    metric === undefined ? "–" : `${figure(metric.value)} (${interval(metric)})`;
  return [
    name,
    String(rows),
    String(labelled),
    ...["roc_auc", "log_loss", "profit_per_customer"].map((key) => cell(metrics[key])),
  ];
}
