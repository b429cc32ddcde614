/** The tables of a report: metrics beside those of other predictors, and groups of customers. */
import { type Html, html, type Metric, type Metrics, NOTHING } from "@churn/contract";
import type { ReportContent } from "./content.ts";
import { calibrationSentence, METRIC_LABELS, PREDICTOR_LABELS } from "./text.ts";
import { count, figure, INTERVAL } from "./words.ts";

/** What a metric says, for somebody who meets it for the first time. */
const MEANINGS: Readonly<Record<keyof typeof METRIC_LABELS, string>> = {
  roc_auc: "how often a churner has a higher score than a stayer",
  average_precision: "mean precision over all shares of churners found",
  log_loss: "how surprising the outcomes were to the probabilities; lower is better",
  brier_score_loss: "mean squared distance of probability and outcome; lower is better",
  rms_calibration_error: "root mean square distance of probability and share that churned, noise taken off; 0 is best",
  f1_score: "precision and recall in one, at the threshold",
  precision_score: "of those contacted, the share that would have left",
  recall_score: "of those who left, the share contacted",
  profit_per_customer: "in the currency of the specification, contacted or not",
};

/** A table in a box of its own, in which it scrolls where it is too wide. */
export function table(caption: string, header: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="table" role="group" aria-label="${caption}" tabindex="0">
<table>
<thead><tr>${header.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${rows}</tbody>
</table>
</div>
`;
}

/** A table of words, the first of each row its name. */
export const wordTable = (caption: string, header: readonly string[], rows: readonly (readonly string[])[]): Html =>
  table(
    caption,
    header,
    rows.map(
      ([first, ...rest]) =>
        html`<tr><th scope="row">${first}</th>${rest.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
    ),
  );

const numberCell = (metric: Metric | undefined): Html =>
  html`<td class="number">${metric === undefined ? "–" : figure(metric.value)}</td>`;

const intervalCell = (metric: Metric | undefined): Html =>
  html`<td class="number muted">${metric === undefined ? "–" : `${figure(metric.low)} – ${figure(metric.high)}`}</td>`;

export function metricsTable({ evaluation: { metrics, uncalibrated, baselines } }: ReportContent): Html {
  const others = [
    ...(uncalibrated ? [{ label: "before calibration", metrics: uncalibrated }] : []),
    ...Object.entries(PREDICTOR_LABELS)
      .filter(([name]) => baselines[name] !== undefined)
      .map(([name, label]) => ({ label, metrics: baselines[name] })),
  ];
  const names = Object.entries(METRIC_LABELS).filter(([name]) => metrics[name] !== undefined);
  const rows = names.map(
    ([name, label]) =>
      html`<tr><th scope="row">${label}<small>${MEANINGS[name as keyof typeof METRIC_LABELS]}</small></th>${boldCell(metrics[name])}${intervalCell(metrics[name])}${others.map((other) => numberCell(other.metrics[name]))}</tr>
`,
  );
  return table("Metrics", ["metric", "this model", INTERVAL, ...others.map(({ label }) => label)], rows);
}

export function calibrationNote({ manifest, evaluation }: ReportContent): Html {
  return html`<p>${calibrationSentence(manifest.calibration, evaluation.calibrationError)}</p>`;
}

const boldCell = (metric: Metric): Html => html`<td class="number"><b>${figure(metric.value)}</b></td>`;

/** Undefined figures, such as the AUC of a group in which nobody churned, are dashes. */
export function slicesTable({ evaluation: { slices } }: ReportContent): Html {
  if (slices.length === 0) return NOTHING;
  const names = ["roc_auc", "log_loss", "precision_score", "recall_score"] as const;
  const last = slices.some(({ metrics }) => metrics.profit_per_customer) ? "profit_per_customer" : "f1_score";
  const cells = (metrics: Metrics): Html[] => [
    numberCell(metrics.roc_auc),
    intervalCell(metrics.roc_auc),
    ...[...names.slice(1), last].map((name) => numberCell(metrics[name])),
  ];
  const rows = slices.map(
    ({ column, level, rows: size, metrics }) =>
      html`<tr><th scope="row">${column}: ${level}</th><td class="number">${count(size)}</td>${cells(metrics)}</tr>
`,
  );
  const labels = [...names.slice(1), last].map((name) => METRIC_LABELS[name as keyof typeof METRIC_LABELS]);
  return table("Groups of customers", ["group", "customers", METRIC_LABELS.roc_auc, INTERVAL, ...labels], rows);
}
