/**
 * The parts that plots are made of: lines, labels, a key, axes. A series is told by its dashes and its name in the
 * plot as much as by its colour.
 */
import type { Curve } from "../evaluation/curves.ts";
import { PLOT_WIDTH, type Plot } from "./vega.ts";

export type Layer = Extract<Plot, { readonly layer: unknown }>["layer"][number];

/** How one series looks in every plot. Colours are the page's: Okabe & Ito's, lighter in the dark. */
export interface Style {
  readonly color: string;
  readonly dash: readonly number[];
  readonly width: number;
}

export const MODEL: Style = { color: "var(--blue)", dash: [], width: 2.5 };
export const TRUTH: Style = { color: "var(--orange)", dash: [6, 4], width: 2 };
export const BEFORE: Style = { color: "var(--muted)", dash: [], width: 1.5 };
export const CHANCE: Style = { color: "var(--muted)", dash: [1.5, 4], width: 1.5 };
export const STAYED: Style = MODEL;
export const CHURNED: Style = { color: "var(--red)", dash: [6, 3], width: 2 };
export const THRESHOLD: Style = { color: "var(--ink)", dash: [3, 3], width: 1.25 };

const FULL_HEIGHT = 300;
/** Room for axes. Fixed, as nothing here can measure text; so plots side by side also line up. */
const MARGIN = { left: 58, right: 18, top: 10, bottom: 46 };
/** Height of the area within the axes, in pixels. */
export const PLOT_HEIGHT = FULL_HEIGHT - MARGIN.top - MARGIN.bottom;
/** Height of a line of a key, in pixels. */
export const KEY_LINE = 20;

/** Corners of a plot where a key finds room, in pixels. */
export const BOTTOM_RIGHT = { left: 104, top: 186 };
export const TOP_RIGHT = { left: 104, top: 12 };

export const DIAGONAL: Curve = { x: Float64Array.of(0, 1), y: Float64Array.of(0, 1) };

export interface Axis {
  readonly title: string;
  /** d3-format; percents by default. */
  readonly format?: string;
  /** From 0 to 1. */
  readonly isShare?: boolean;
  /** The greatest value of an axis from 0 that several plots share. */
  readonly most?: number;
  /** Whether 0 need not be on it. */
  readonly isFree?: boolean;
}

/** Layers over two quantitative axes. */
export function plot(x: Axis, y: Axis, layers: readonly Layer[]): Plot {
  return {
    width: PLOT_WIDTH - MARGIN.left - MARGIN.right,
    height: PLOT_HEIGHT,
    autosize: "none",
    padding: MARGIN,
    encoding: {
      x: { field: "x", type: "quantitative", ...scaled(x) },
      y: { field: "y", type: "quantitative", ...besideMargin(scaled(y)) },
    },
    layer: [...layers],
  };
}

function scaled({ title, format = ".0%", isShare = false, most, isFree = false }: Axis) {
  if (most !== undefined) return { title, axis: { format }, scale: { domain: [0, most], nice: false } };
  if (isFree) return { title, axis: { format }, scale: { zero: false } };
  if (!isShare) return { title, axis: { format } };
  return { title, axis: { format, values: [0, 0.25, 0.5, 0.75, 1] }, scale: { domain: [0, 1], nice: false } };
}

/** Its title stands at the edge, wherever the labels are thought to end. */
function besideMargin({ axis, ...rest }: ReturnType<typeof scaled>) {
  return { ...rest, axis: { ...axis, titleX: 10 - MARGIN.left, titleBaseline: "middle" as const } };
}

export function line({ x, y }: Curve, style: Style): Layer {
  return {
    data: { values: Array.from(x, (value, i) => ({ x: digits(value), y: digits(y[i]), i })) },
    mark: { type: "line", ...stroke(style) },
    encoding: { order: { field: "i", type: "quantitative" } },
  };
}

/** A line straight across, from edge to edge. */
export function horizontal(y: number, style: Style): Layer {
  return {
    data: { values: [{ y }] },
    mark: { type: "rule", ...stroke(style) },
    encoding: { x: { value: 0 }, x2: { value: "width" } },
  };
}

export function vertical(x: number, style: Style): Layer {
  return {
    data: { values: [{ x }] },
    mark: { type: "rule", ...stroke(style) },
    encoding: { y: { value: 0 }, y2: { value: "height" } },
  };
}

/** Text beside a point. */
export function label(x: number, y: number, text: string, { left = false, dy = 0 } = {}): Layer {
  return {
    data: { values: [{ x, y, text }] },
    mark: { type: "text", align: left ? "right" : "left", dx: left ? -6 : 6, dy },
    encoding: { text: { field: "text" } },
  };
}

export interface KeyEntry {
  readonly style: Style;
  readonly text: string;
  /** A dot, or a circle around nothing; a line without it. */
  readonly mark?: "dot" | "circle";
}

/** Which line is which, within the plot; `left` and `top` are pixels from its left and upper edge. */
export function key(
  entries: readonly KeyEntry[],
  { left, top }: { readonly left: number; readonly top: number },
): Layer[] {
  return entries.flatMap(({ style, text, mark }, i): Layer[] => {
    const y = { value: top + KEY_LINE * i };
    const data = { values: [{ text }] };
    const sample: Layer =
      mark === undefined
        ? {
            data,
            mark: { type: "rule", ...stroke(style) },
            encoding: { x: { value: left }, x2: { value: left + 26 }, y, y2: y },
          }
        : { data, mark: dot(style, mark), encoding: { x: { value: left + 13 }, y } };
    return [
      sample,
      {
        data,
        mark: { type: "text", align: "left", baseline: "middle" },
        encoding: { x: { value: left + 33 }, y, text: { field: "text" } },
      },
    ];
  });
}

export function dot({ color }: Style, kind: "dot" | "circle") {
  return { type: "point" as const, filled: kind === "dot", color, size: 60, opacity: 1 };
}

export function stroke({ color, dash, width }: Style) {
  return { color, strokeDash: [...dash], strokeWidth: width };
}

/** Enough for a plot, and the same text everywhere. */
export const digits = (value: number): number => Number(value.toPrecision(5));
