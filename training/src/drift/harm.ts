/**
 * What a shift means for the predictions. A column that the model does not look at does no harm, however far it moves; one that
 * it looks at does some, even where the scores of all customers together hide it.
 */
import { total } from "./column-reference.ts";
import type { ContributionCurve } from "./contribution-curves.ts";
import type { ColumnCounts } from "./drift-tests.ts";

export interface ColumnHarm {
  /** By how much the column's shift moves the mean P(churn), with its sign: over all columns about what the mean has moved. */
  readonly meanScore: number;
  /** By how much it moves a customer's P(churn), on average: what one gains and another loses does not cancel. */
  readonly size: number;
}

/** Above these a change that is no chance is an alarm. */
export interface HarmFloors {
  /** Change of the share of customers above the threshold. */
  readonly decisions: number;
  /** Change of the mean P(churn), and that which one column makes; in standard deviations of the reference's scores. */
  readonly meanScore: number;
  readonly column: number;
  /** Kolmogorov–Smirnov distance of the scores. */
  readonly distribution: number;
  /** How well a model tells current customers from those of the reference, as an AUC. */
  readonly domain: number;
}

/** 0.0645 standard deviations are a point of P(churn) where these are 0.155. */
export const DEFAULT_FLOORS: HarmFloors = {
  decisions: 0.02,
  meanScore: 0.0645,
  column: 0.0645,
  distribution: 0.05,
  domain: 0.6,
};

/** @param curve What the model makes of each bin, the last for missing values. */
export function columnHarm(reference: ColumnCounts, current: ColumnCounts, curve: ContributionCurve): ColumnHarm {
  const [before, now] = [reference, current].map(shares);
  let meanScore = 0;
  for (let bin = 0; bin < curve.length; bin++) meanScore += (now[bin] - before[bin]) * curve[bin];
  const order = Uint32Array.from(curve.keys()).sort((a, b) => curve[a] - curve[b]);
  let [gap, size] = [0, 0];
  for (let i = 0; i + 1 < order.length; i++) {
    gap += now[order[i]] - before[order[i]];
    size += Math.abs(gap) * (curve[order[i + 1]] - curve[order[i]]);
  }
  return { meanScore, size };
}

/** Of all rows, those without a value in the last place. */
function shares({ counts, missing }: ColumnCounts): Float64Array {
  const rows = Math.max(1, total(counts) + missing);
  return Float64Array.from({ length: counts.length + 1 }, (_, bin) => (counts[bin] ?? missing) / rows);
}
