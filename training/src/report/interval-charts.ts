/** Plots of lists: a value with its 95 % interval in each row. */
import type { Metric } from "@churn/contract";
import type { Chart } from "./charts.ts";
import type { ReportContent } from "./page.ts";
import { CHANCE, digits, type Layer, MODEL, vertical } from "./plot.ts";
import { PLOT_WIDTH, type Plot } from "./vega.ts";

/** Height of one row of a list, in pixels. */
const ROW_HEIGHT = 22;
/** Longer names end in an ellipsis; the tables have them whole. */
const LABEL_LIMIT = 150;
const MOST_ROWS = 24;

interface Interval extends Metric {
  readonly name: string;
}

/** Values with intervals, one row each, in order. */
function intervals(rows: readonly Interval[], title: string, format: string, from: Layer[], isBar: boolean): Plot {
  const values = rows.map(({ name, value, low, high }) => ({
    name,
    value: digits(value),
    low: digits(low),
    high: digits(high),
  }));
  const x = { type: "quantitative" as const, title, axis: { format, tickCount: 4 }, scale: { zero: isBar } };
  const y = {
    field: "name",
    type: "nominal" as const,
    sort: null,
    title: null,
    axis: { labelLimit: LABEL_LIMIT, ticks: false, domain: false, labelColor: "var(--ink)" },
  };
  const mark: Layer = isBar
    ? {
        mark: { type: "bar", color: MODEL.color, height: 10, opacity: 0.85 },
        encoding: { x: { field: "value", ...x }, y },
      }
    : {
        mark: { type: "point", filled: true, color: MODEL.color, size: 60, opacity: 1 },
        encoding: { x: { field: "value", ...x }, y },
      };
  return {
    width: PLOT_WIDTH,
    height: rows.length * ROW_HEIGHT + 44,
    autosize: { type: "fit", contains: "padding" },
    padding: 4,
    data: { values },
    layer: [
      ...from,
      ...(isBar ? [mark] : []),
      {
        mark: { type: "rule", color: isBar ? "var(--ink)" : MODEL.color, strokeWidth: 1.5 },
        encoding: { x: { field: "low", ...x }, x2: { field: "high" }, y },
      },
      ...(isBar ? [] : [mark]),
    ],
  };
}

export function importanceChart({ importances }: ReportContent): Chart {
  const rows = importances.slice(0, MOST_ROWS).map(({ column, ...metric }) => ({ name: column, ...metric }));
  const rest =
    importances.length > MOST_ROWS ? ` The ${MOST_ROWS} most important of ${importances.length} columns.` : "";
  return {
    id: "importances",
    title: "What the model looks at",
    caption: `How much worse the predictions get (log-loss) when a column is shuffled among the customers, with a 95 % interval: the longer the bar, the more the model relies on the column.${rest}`,
    plot: intervals(rows, "increase of the log-loss", "~g", [], true),
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
    caption: `ROC AUC within each group, with a 95 % interval; the dotted line is that of all customers. Whose interval lies to the left of it, for them the model works less well.${rest}`,
    plot: intervals(
      rows.slice(0, MOST_ROWS),
      "ROC AUC",
      ".2f",
      [vertical(digits(evaluation.metrics.roc_auc.value), CHANCE)],
      false,
    ),
  };
}
