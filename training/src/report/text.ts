/**
 * Metrics as text: the table that the command line, the demo and the model card show.
 */
import type { CalibrationError, ConfusionMatrix, Metric, ModelCalibration, ModelManifest } from "@churn/contract";

export const METRIC_LABELS = {
  roc_auc: "ROC AUC",
  average_precision: "Average precision",
  log_loss: "Log-loss",
  brier_score_loss: "Brier score",
  rms_calibration_error: "Calibration error",
  f1_score: "F1",
  precision_score: "Precision",
  recall_score: "Recall",
  profit_per_customer: "Profit per customer",
} as const;

/** Whose metrics stand beside the model's, in this order. */
export const PREDICTOR_LABELS = {
  base_rate: "base rate",
  contact_everyone: "contact all",
  contact_no_one: "contact no one",
  truth: "best possible",
} as const;

/** A Markdown table, padded so that it also reads as plain text. */
export function metricsTable({ metrics, baselines }: Pick<ModelManifest, "metrics" | "baselines">): string {
  // Contacting no one is 0 throughout: a terminal has no room for that.
  const others = Object.entries(PREDICTOR_LABELS).filter(
    ([name]) => name !== "contact_no_one" && baselines[name] !== undefined,
  );
  const header = ["metric", "this model", "95 % interval", ...others.map(([, label]) => label)];
  const rows = Object.entries(METRIC_LABELS)
    .filter(([name]) => metrics[name] !== undefined)
    .map(([name, label]) => [
      label,
      number(metrics[name]),
      `${metrics[name].low.toFixed(4)} – ${metrics[name].high.toFixed(4)}`,
      ...others.map(([other]) => number(baselines[other][name])),
    ]);
  return markdownTable([header, ...rows]);
}

/** One note a line: what was found, in which columns and how often; none when nothing was. */
export function countNotes(what: string, counts: Readonly<Record<string, number>>): string[] {
  const columns = Object.entries(counts).map(([column, count]) => `${column} ${count}`);
  return columns.length === 0 ? [] : [`Note: ${what}: ${columns.join(", ")}`];
}

export function extraColumnsNote(columns: readonly string[]): string[] {
  return columns.length === 0 ? [] : [`Note: columns that the specification does not name, ignored: ${columns.length}`];
}

/** The confusion matrix in words. */
export function confusionSentence(matrix: ConfusionMatrix): string {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = matrix;
  return (
    `Of these customers, ${truePositives + falsePositives} are predicted to churn, of whom ${truePositives} did, ` +
    `and ${falseNegatives + trueNegatives} to stay, of whom ${falseNegatives} churned.`
  );
}

/** Whether the probabilities can be taken at their word, in words. */
export function calibrationSentence({ method, reason }: ModelCalibration, { ece, noise }: CalibrationError): string {
  const verdict = ece <= noise.high ? "no more than chance makes" : "more than chance makes";
  return (
    `Calibration: ${method} (${reason}). Expected calibration error ${ece.toFixed(4)}, ${verdict}: a model that is right ` +
    `shows ${noise.mean.toFixed(4)} on average here, and up to ${noise.high.toFixed(4)} in 95 of 100 cases.`
  );
}

function number(metric: Metric | undefined): string {
  return metric === undefined ? "–" : metric.value.toFixed(4);
}

/** A Markdown table whose columns also line up in a terminal; the first row is its header. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [header, ...body] = rows.map((row) => row.map((cell) => cell.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")));
  const widths = header.map((_, column) => Math.max(...[header, ...body].map((row) => row[column].length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(header), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(line)].join("\n");
}
