/** How the probability moves with one column: a line over numbers, a list of levels. */
import type { PartialDependence } from "../evaluation/partial-dependence.ts";
import type { Chart, ReportContent } from "./content.ts";
import { valueList } from "./interval-charts.ts";
import { digits, line, MODEL, plot } from "./plot.ts";
import type { Plot } from "./vega.ts";
import { percent, short } from "./words.ts";

/** One per column, all with the same scale of probability. */
export function dependenceCharts({ explanation, manifest }: ReportContent): Chart[] {
  const dependences = explanation.partialDependences.filter(({ grid }) => grid.length > 0); // not of what is all missing
  const most = Math.max(...dependences.flatMap(({ mean }) => mean));
  const highest = Math.min(1, Math.ceil(most * 10.5) / 10); // the next tenth, with some air
  return dependences.map((dependence, i) => {
    const { unit, description = "" } = manifest.dataset.columns[dependence.column];
    return {
      id: `dependence-${i + 1}`,
      title: dependence.column,
      caption: `${inWords(dependence, unit)} ${description}`.trimEnd(),
      plot: dependencePlot(dependence, unit, highest),
    };
  });
}

function inWords(dependence: PartialDependence, unit: string | undefined): string {
  const { mean, kind } = dependence;
  const names = namesOf(dependence);
  const at = (value: number): string => {
    const name = names[mean.indexOf(value)];
    return `${percent(value)} at ${kind === "number" && unit !== undefined ? `${name} ${unit}` : name}`;
  };
  return `The mean probability is lowest, ${at(Math.min(...mean))}, and highest, ${at(Math.max(...mean))}.`;
}

/** The values of the grid as people read them. */
function namesOf({ kind, grid }: PartialDependence): string[] {
  if (kind === "boolean") return grid.map((value) => (value === 1 ? "true" : "false"));
  return grid.map((value) => (typeof value === "number" ? short(value) : value));
}

const TITLE = "mean P(churn)";

function dependencePlot(dependence: PartialDependence, unit: string | undefined, highest: number): Plot {
  const { column, kind, grid, mean } = dependence;
  if (kind === "number") {
    const curve = { x: Float64Array.from(grid, Number), y: Float64Array.from(mean) };
    const x = { title: unit === undefined ? column : `${column}, ${unit}`, format: "~s", isFree: true };
    return plot(x, { title: TITLE, most: highest }, [line(curve, MODEL)]);
  }
  const rows = namesOf(dependence).map((name, i) => ({ name, value: digits(mean[i]) }));
  return valueList(rows, TITLE, highest);
}
