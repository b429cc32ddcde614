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
export const CHANCE: Style = { color: "var(--muted)", dash: [1.5, 4], width: 1.5 };
export const STAYED: Style = MODEL;
export const CHURNED: Style = { color: "var(--red)", dash: [6, 3], width: 2 };
export const THRESHOLD: Style = { color: "var(--ink)", dash: [3, 3], width: 1.25 };

const PLOT_HEIGHT = 300;

export interface Axis {
  readonly title: string;
  /** d3-format; percents by default. */
  readonly format?: string;
  readonly domain?: readonly [number, number];
}

/** Layers over two quantitative axes. */
export function plot(x: Axis, y: Axis, layers: readonly Layer[]): Plot {
  return {
    width: PLOT_WIDTH,
    height: PLOT_HEIGHT,
    autosize: { type: "fit", contains: "padding" },
    padding: 4,
    encoding: {
      x: { field: "x", type: "quantitative", ...scaled(x) },
      y: { field: "y", type: "quantitative", ...scaled(y) },
    },
    layer: [...layers],
  };
}

function scaled({ title, format = ".0%", domain }: Axis) {
  return { title, axis: { format }, ...(domain && { scale: { domain: [...domain], nice: false } }) };
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
}

/** Which line is which, within the plot; `left` and `top` are pixels from its left and upper edge. */
export function key(
  entries: readonly KeyEntry[],
  { left, top }: { readonly left: number; readonly top: number },
): Layer[] {
  return entries.flatMap(({ style, text }, i): Layer[] => {
    const y = { value: top + 20 * i };
    const data = { values: [{ text }] };
    return [
      {
        data,
        mark: { type: "rule", ...stroke(style) },
        encoding: { x: { value: left }, x2: { value: left + 26 }, y, y2: y },
      },
      {
        data,
        mark: { type: "text", align: "left", baseline: "middle" },
        encoding: { x: { value: left + 33 }, y, text: { field: "text" } },
      },
    ];
  });
}

export function stroke({ color, dash, width }: Style) {
  return { color, strokeDash: [...dash], strokeWidth: width };
}

/** Enough for a plot, and the same text everywhere. */
export const digits = (value: number): number => Number(value.toPrecision(5));
