/**
 * How far a column has moved, in the terms that people know from other tools. They decide nothing here: a limit on any of
 * them is passed by chance in small windows and by trifles in none.
 */
import {
  type Binned,
  jensenShannonDistance,
  kolmogorovSmirnovDistance,
  populationStabilityIndex,
  totalVariationDistance,
  wassersteinDistance,
} from "../statistics/divergence.ts";
import { type ColumnReference, groupsOfEqualMass, total } from "./column-reference.ts";
import type { ColumnCounts } from "./drift-tests.ts";

/** By scipy's and the field's names; those of numbers only have no place in a category's. */
export interface EffectSizes {
  /** Largest difference of the shares at or below a value; numbers. */
  readonly kolmogorov_smirnov?: number;
  /** Share of rows that would have to change level; categories. */
  readonly total_variation?: number;
  /** How far a row moved on average, in the column's unit; numbers. What is above the greatest reference value counts as that. */
  readonly wasserstein?: number;
  /** In ten bins of equal reference mass; a category in its levels. */
  readonly population_stability_index: number;
  readonly jensen_shannon: number;
}

/** In more bins chance alone makes it large. */
const PSI_BINS = 10;

/** undefined when one side has no rows. */
export function effectSizes(reference: ColumnReference, { counts }: ColumnCounts): EffectSizes | undefined {
  if (total(reference.counts) === 0 || total(counts) === 0) return undefined;
  const fine: Binned = { reference: reference.counts, current: counts };
  if (reference.kind === "category") {
    return {
      total_variation: totalVariationDistance(fine),
      population_stability_index: populationStabilityIndex(fine),
      jensen_shannon: jensenShannonDistance(fine),
    };
  }
  const coarse = coarsen(fine, PSI_BINS);
  const { cuts } = reference;
  return {
    kolmogorov_smirnov: kolmogorovSmirnovDistance(fine),
    wasserstein: wassersteinDistance(fine, [...cuts, cuts[cuts.length - 1]]),
    population_stability_index: populationStabilityIndex(coarse),
    jensen_shannon: jensenShannonDistance(coarse),
  };
}

/** Neighbouring bins as one, so that so many are left. */
function coarsen({ reference, current }: Binned, bins: number): Binned {
  const wide = { reference: new Float64Array(bins), current: new Float64Array(bins) };
  for (const [bin, group] of groupsOfEqualMass(reference, bins).entries()) {
    wide.reference[group] += reference[bin];
    wide.current[group] += current[bin];
  }
  return wide;
}
