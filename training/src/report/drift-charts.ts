/** Plots of a drift check: each column, and the scores, as they were and as they are. */
import { BinCounter } from "../drift/bin-counter.ts";
import type { ColumnReference, NumberReference } from "../drift/column-reference.ts";
import { total } from "../drift/column-reference.ts";
import type { WindowColumn } from "../drift/window.ts";
import type { CheckedWindow } from "../drift-result.ts";
import type { Curve } from "../evaluation/curves.ts";
import type { DrawnChart } from "./charts.ts";
import type { Chart } from "./content.ts";
import { performanceCharts } from "./performance-charts.ts";
import { BEFORE, BOTTOM_RIGHT, digits, key, line, MODEL, plot, type Style } from "./plot.ts";
import { PLOT_WIDTH, type Plot, renderSvg } from "./vega.ts";

/** A page of more takes long to draw, and nobody looks at all of them. */
const MOST_CHARTS = 12;
/** Of columns without a finding, so many are shown: those that would matter most. */
const QUIET_CHARTS = 3;
/** Points of a line. */
const POINTS = 120;

const ENTRIES = [
  { style: BEFORE, text: "training" },
  { style: MODEL, text: "now" },
];

export async function drawDriftCharts(content: CheckedWindow): Promise<DrawnChart[]> {
  const { performance } = content.result;
  const charts = [
    scoresChart(content),
    ...columnCharts(content),
    ...(performance === null ? [] : performanceCharts(performance, content.metrics)),
  ];
  return Promise.all(charts.map(async ({ plot: spec, ...chart }) => ({ ...chart, svg: await renderSvg(spec) })));
}

function scoresChart({ result, reference, window }: CheckedWindow): Chart {
  const { bins } = reference.scores;
  const counter = new BinCounter(bins.cuts);
  counter.add(window.scores);
  const [before, now] = [result.scores.reference.mean, result.scores.current.mean].map((mean) => mean.toFixed(3));
  return {
    id: "scores",
    title: "Probabilities",
    caption: `The share of customers at or below a probability of churn: of those held out in training (mean ${before}), and of these (mean ${now}).`,
    plot: cumulativePlot(bins, counter.counts, "probability of churn", true),
  };
}

/** What has a fault or a finding, then the most harmful of the rest. */
function columnCharts({ result, reference, window }: CheckedWindow): Chart[] {
  const faulty = result.faults.map(({ column }) => column).filter((name) => reference.columns.has(name));
  const [loud, quiet] = [true, false].map((isLoud) =>
    result.columns.filter(({ tier }) => (tier !== "stable" && tier !== "untested") === isLoud),
  );
  const names = [...new Set([...faulty, ...[...loud, ...quiet.slice(0, QUIET_CHARTS)].map(({ column }) => column)])];
  return names.slice(0, MOST_CHARTS).map((name) => {
    return columnChart(name, reference.columns.get(name) as ColumnReference, window.columns.get(name) as WindowColumn);
  });
}

function columnChart(name: string, reference: ColumnReference, current: WindowColumn): Chart {
  const missing = (rows: { readonly counts: Uint32Array; readonly missing: number }): string =>
    `${((100 * rows.missing) / Math.max(1, total(rows.counts) + rows.missing)).toFixed(1)} %`;
  const rest = `Without a value: ${missing(reference)} in training, ${missing(current)} now.`;
  return reference.kind === "number"
    ? {
        id: `column-${name}`,
        title: name,
        caption: `The share of customers at or below a value; where the lines part most is the Kolmogorov–Smirnov distance. ${rest}`,
        plot: cumulativePlot(reference, current.counts, name, false),
      }
    : {
        id: `column-${name}`,
        title: name,
        caption: `The share of each level, in training above, now below. ${rest}`,
        plot: levelsPlot(reference.levels, reference.counts, current.counts),
      };
}

function cumulativePlot(reference: NumberReference, current: Uint32Array, title: string, isShare: boolean): Plot {
  const lines = [cumulative(reference, reference.counts), cumulative(reference, current)];
  const x = isShare ? { title, isShare } : { title, format: ",.4~r", isFree: true };
  return plot(x, { title: "share of customers", isShare: true }, [
    line(lines[0], BEFORE),
    line(lines[1], MODEL),
    ...key(ENTRIES, BOTTOM_RIGHT),
  ]);
}

/** As steps, or through points where there are many cut points. */
function cumulative({ cuts }: NumberReference, counts: Uint32Array): Curve {
  const n = Math.max(1, total(counts));
  const [x, y]: [number[], number[]] = [[], []];
  const every = Math.max(1, Math.ceil(cuts.length / POINTS));
  const isStepped = cuts.length <= POINTS / 2;
  let below = 0;
  for (const [bin, cut] of cuts.entries()) {
    if (isStepped) {
      x.push(cut);
      y.push(below / n);
    }
    below += counts[bin];
    if (bin % every !== 0 && bin !== cuts.length - 1) continue;
    x.push(cut);
    y.push(below / n);
  }
  return { x: Float64Array.from(x), y: Float64Array.from(y) };
}

const ROW_HEIGHT = 34;
const MARGIN = { left: 136, right: 18, top: 6, bottom: 46 };
const MOST_LEVELS = 12;
const LONGEST_LEVEL = 18;

function levelsPlot(levels: readonly string[], before: Uint32Array, now: Uint32Array): Plot {
  const [n, m] = [Math.max(1, total(before)), Math.max(1, total(now))];
  const names = [...levels, "(unseen in training)"];
  const order = [...names.keys()]
    .filter((level) => before[level] + now[level] > 0)
    .sort((a, b) => before[b] / n + now[b] / m - before[a] / n - now[a] / m)
    .slice(0, MOST_LEVELS);
  const values = order.flatMap((level, row) => {
    const name = names[level].length > LONGEST_LEVEL ? `${names[level].slice(0, LONGEST_LEVEL - 1)}…` : names[level];
    return [
      { row, name, place: 0, share: digits(before[level] / n) },
      { row, name, place: 1, share: digits(now[level] / m) },
    ];
  });
  const y = { field: "row", type: "nominal" as const, sort: null, axis: null };
  const x = {
    field: "share",
    type: "quantitative" as const,
    title: "share of customers",
    axis: { format: ".0%", tickCount: 4 },
  };
  const bars = ({ color }: Style, place: number, yOffset: number) => ({
    transform: [{ filter: `datum.place === ${place}` }],
    mark: { type: "bar" as const, color, height: 10, yOffset },
    encoding: { x, y },
  });
  return {
    width: PLOT_WIDTH - MARGIN.left - MARGIN.right,
    height: order.length * ROW_HEIGHT,
    autosize: "none",
    padding: MARGIN,
    data: { values },
    layer: [
      bars(BEFORE, 0, -6),
      bars(MODEL, 1, 6),
      {
        transform: [{ filter: "datum.place === 0" }],
        mark: { type: "text", align: "right", baseline: "middle" },
        encoding: { x: { value: -8 }, y, text: { field: "name" } },
      },
    ],
  };
}
