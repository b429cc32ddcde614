/**
 * Whether probabilities can be taken at their word: customers in bins of equal number by score, and in each the
 * mean score beside the share that churned.
 *
 * Bins as in scikit-learn's `calibration_curve(strategy="quantile")`; intervals by Wilson's score.
 */
import { quantile, type Scored } from "./metrics.ts";

export interface CalibrationBin {
  readonly rows: number;
  /** Mean score, in [0, 1]. */
  readonly predicted: number;
  /** Share of churners, with its 95 % interval, in [0, 1]. */
  readonly observed: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 %. */
const Z = 1.959963984540054;

/** Bins of about equal number; a score on an edge belongs below it. Many equal scores make fewer bins. */
export function calibrationBins({ scores, labels }: Scored, nBins = 10): CalibrationBin[] {
  const sorted = scores.slice().sort();
  const edges = Array.from({ length: nBins - 1 }, (_, i) => quantile(sorted, (i + 1) / nBins));
  const bins = Array.from({ length: nBins }, () => ({ rows: 0, sum: 0, churners: 0 }));
  for (let row = 0; row < scores.length; row++) {
    const above = edges.findIndex((edge) => scores[row] <= edge);
    const bin = bins[above === -1 ? nBins - 1 : above];
    bin.rows++;
    bin.sum += scores[row];
    bin.churners += labels[row];
  }
  return bins
    .filter(({ rows }) => rows > 0)
    .map(({ rows, sum, churners }) => ({ rows, predicted: sum / rows, ...wilsonInterval(churners, rows) }));
}

/**
 * A share with its 95 % interval, which also for shares of 0 and 1 stays within [0, 1] and has a width.
 *
 * @source Wilson 1927, "Probable inference, the law of succession, and statistical inference"
 */
export function wilsonInterval(count: number, rows: number): Pick<CalibrationBin, "observed" | "low" | "high"> {
  const observed = count / rows;
  const centre = (observed + Z ** 2 / (2 * rows)) / (1 + Z ** 2 / rows);
  const half = (Z / (1 + Z ** 2 / rows)) * Math.sqrt((observed * (1 - observed)) / rows + Z ** 2 / (4 * rows ** 2));
  return { observed, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
