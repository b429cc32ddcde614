/**
 * Plots as SVG text, by Vega-Lite: the one file that knows it. It is loaded when the first plot is drawn.
 *
 * Colours in a specification are CSS variables of the page (`var(--ink)`), so a plot follows the page into the dark.
 */
import type { Config, TopLevelSpec } from "vega-lite";

export type Plot = TopLevelSpec;

/** Pixels; a plot of that width on a page has its text in this size. */
export const PLOT_WIDTH = 360;
const FONT_SIZE = 13;

const TEXT = { labelColor: "var(--muted)", titleColor: "var(--muted)" };

const CONFIG: Config = {
  background: "transparent",
  aria: false, // the figure around it says what it shows
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    ...TEXT,
    labelFlush: false,
    labelLimit: 0,
    labelOverlap: false,
    labelFontSize: FONT_SIZE,
    titleFontSize: FONT_SIZE,
    titleFontWeight: "normal",
    domainColor: "var(--line)",
    tickColor: "var(--line)",
    gridColor: "var(--grid)",
    tickSize: 4,
    labelPadding: 4,
    titlePadding: 8,
    tickCount: 5,
  },
  text: { fontSize: FONT_SIZE, color: "var(--ink)" },
  line: { strokeWidth: 2, strokeCap: "round", strokeJoin: "round" },
};

/** An `<svg>` element that scales with its box. What it shows of data is escaped. */
export async function renderSvg(plot: Plot): Promise<string> {
  const [{ parse, View, Warn }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const { spec } = compile(plot, { config: CONFIG });
  const view = new View(parse(spec), { renderer: "none", logLevel: Warn });
  try {
    return scalable(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** The size goes to the page; an `<svg>` within HTML needs no namespaces, and nothing here is to be clicked. */
function scalable(svg: string): string {
  return svg
    .replace(/^<svg [^>]*?width="[^"]*" height="[^"]*" (viewBox="[^"]*")>/, '<svg $1 aria-hidden="true">')
    .replaceAll(' pointer-events="none"', "")
    .replaceAll(' font-family="system-ui, sans-serif"', "");
}
