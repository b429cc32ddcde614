/** Plots of lists: a value with its 95 % interval in each row. */
import type { Metric } from "@churn/contract";
import type { Chart, ReportContent } from "./content.ts";
import { CHANCE, digits, type Layer, MODEL, vertical } from "./plot.ts";
import { PLOT_WIDTH, type Plot } from "./vega.ts";
import { INTERVAL } from "./words.ts";

/** Height of one row of a list, in pixels. */
const ROW_HEIGHT = 22;
/** Longer names end in an ellipsis; the tables have them whole. */
const LONGEST_NAME = 24;
/** Names stand on the left, the axis below. */
const MARGIN = { left: 176, right: 18, top: 6, bottom: 46 };
const MOST_ROWS = 24;

interface Interval extends Metric {
  readonly name: string;
}

type Kind = "bar" | "dot";

/** Values with intervals, one row each, in order; `behind` is drawn first. */
function intervals(
  rows: readonly Interval[],
  title: string,
  format: string,
  kind: Kind,
  behind: Layer[] = [],
  most?: number,
): Plot {
  const values = rows.map(({ name, value, low, high }, row) => ({
    row,
    name: name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name,
    value: digits(value),
    low: digits(low),
    high: digits(high),
  }));
  // The width of labels is only guessed here: a generous distance keeps them apart.
  const axis = { format, tickCount: 4, labelOverlap: "greedy" as const, labelSeparation: 12 };
  const x = {
    type: "quantitative" as const,
    title,
    axis,
    scale: { zero: kind === "bar", ...(most && { domain: [0, most], nice: false }) },
  };
  const y = { field: "row", type: "nominal" as const, sort: null, axis: null };
  const dot = { type: "point" as const, filled: true, color: MODEL.color, size: 60, opacity: 1 };
  const bar = { type: "bar" as const, color: MODEL.color, height: 10, opacity: 0.85 };
  const estimate: Layer = { mark: kind === "bar" ? bar : dot, encoding: { x: { field: "value", ...x }, y } };
  const interval: Layer = {
    mark: { type: "rule", color: kind === "bar" ? "var(--ink)" : MODEL.color, strokeWidth: 1.5 },
    encoding: { x: { field: "low", ...x }, x2: { field: "high" }, y },
  };
  const alongX = (layer: Layer): Layer => {
    return { ...layer, encoding: { ...layer.encoding, x: { field: "x", ...x } } } as Layer;
  };
  const names: Layer = {
    mark: { type: "text", align: "right", baseline: "middle" },
    encoding: { x: { value: -8 }, y, text: { field: "name" } },
  };
  return {
    width: PLOT_WIDTH - MARGIN.left - MARGIN.right,
    height: rows.length * ROW_HEIGHT,
    autosize: "none",
    padding: MARGIN,
    data: { values },
    layer: [...behind.map(alongX), estimate, interval, names],
  };
}

/** Values without intervals, one row each, over one scale from 0. */
export function valueList(
  rows: readonly { readonly name: string; readonly value: number }[],
  title: string,
  most: number,
): Plot {
  const shown = rows.slice(0, MOST_ROWS).map((row) => ({ ...row, low: row.value, high: row.value }));
  return intervals(shown, title, ".0%", "bar", [], most);
}

/** Values with bounds, one row each, beside dotted lines. */
export function intervalList(rows: readonly Interval[], title: string, format: string, lines: readonly number[]): Plot {
  return intervals(
    rows,
    title,
    format,
    "dot",
    lines.map((line) => vertical(digits(line), CHANCE)),
  );
}

export function importanceChart({ explanation: { importances } }: ReportContent): Chart {
  const rows = importances.slice(0, MOST_ROWS).map(({ column, ...metric }) => ({ name: column, ...metric }));
  const rest =
    importances.length > MOST_ROWS ? ` The ${MOST_ROWS} most important of ${importances.length} columns.` : "";
  return {
    id: "importances",
    title: "What the model looks at",
    caption: `How much worse the predictions get (Brier score) when a column is shuffled among the customers, with a ${INTERVAL}: the longer the bar, the more the model relies on the column. Columns that say the same share what they are worth.${rest}`,
    plot: intervals(rows, "increase of the Brier score", "~g", "bar"),
  };
}

export function contributionChart({ explanation: { contributions } }: ReportContent): Chart {
  const rows = contributions.slice(0, MOST_ROWS).map(({ feature, ...metric }) => ({ name: feature, ...metric }));
  const rest = contributions.length > MOST_ROWS ? ` The ${MOST_ROWS} largest of ${contributions.length} features.` : "";
  return {
    id: "contributions",
    title: "What moves the scores",
    caption: `By how much a feature moves a customer's score up or down on average (mean size of its SHAP values, before calibration), with a ${INTERVAL}. Derived features stand beside the columns that they are made of; the table of columns says how.${rest}`,
    plot: intervals(rows, "mean |contribution| to the score", "~g", "bar"),
  };
}

/** Undefined when no group of a slice has both classes. */
export function slicesChart({ evaluation }: ReportContent): Chart | undefined {
  const rows = evaluation.slices
    .filter(({ metrics }) => metrics.roc_auc !== undefined)
    .map(({ column, level, metrics }) => ({ name: `${column}: ${level}`, ...metrics.roc_auc }));
  if (rows.length === 0) return undefined;
  const rest = rows.length > MOST_ROWS ? ` The first ${MOST_ROWS} of ${rows.length} groups; the table has all.` : "";
  return {
    id: "slices",
    title: "Groups of customers",
    caption: `ROC AUC within each group, with a ${INTERVAL}; the dotted line is that of all customers. Whose interval lies to the left of it, for them the model works less well.${rest}`,
    plot: intervals(rows.slice(0, MOST_ROWS), "ROC AUC", ".2f", "dot", [
      vertical(digits(evaluation.metrics.roc_auc.value), CHANCE),
    ]),
  };
}
