/**
 * The plots of a report, in the order in which a page may show them. What the data do not define (groups without
 * slices, profit without economics) has no plot.
 */

import type { Chart, ReportContent } from "./content.ts";
import { gainsChart, liftChart, pointsOf, precisionRecallChart, rocChart } from "./curve-charts.ts";
import { dependenceCharts } from "./dependence-charts.ts";
import { contributionChart, importanceChart, slicesChart } from "./interval-charts.ts";
import { calibrationChart, scoresChart, thresholdChart } from "./score-charts.ts";
import { renderSvg } from "./vega.ts";

export type DrawnChart = Omit<Chart, "plot"> & { readonly svg: string };

/** Takes about a second. */
export async function drawCharts(content: ReportContent): Promise<DrawnChart[]> {
  const points = pointsOf(content);
  const charts = [
    rocChart(content, points),
    precisionRecallChart(content, points),
    gainsChart(content, points),
    liftChart(content, points),
    scoresChart(content),
    calibrationChart(content),
    thresholdChart(content, points),
    importanceChart(content),
    contributionChart(content),
    ...dependenceCharts(content),
    slicesChart(content),
  ].filter((chart) => chart !== undefined);
  return Promise.all(charts.map(async ({ plot, ...chart }) => ({ ...chart, svg: await renderSvg(plot) })));
}
