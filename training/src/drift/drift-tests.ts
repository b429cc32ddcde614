/**
 * The tests of a drift check, as a table. Each looks at one column; none at what another is for: distributions are
 * compared among the values that are there, missing ones have a test of their own.
 *
 * How many tests a check has follows from the reference alone, never from the rows that came: else Holm's correction would
 * not hold. A test that cannot be made (too few rows, too few common levels) counts as one that found nothing.
 */
import { binomialUpperTail } from "../statistics/binomial.ts";
import { kolmogorovSmirnovDistance } from "../statistics/divergence.ts";
import { testHomogeneity } from "../statistics/homogeneity.ts";
import { hypergeometricTwoSided } from "../statistics/hypergeometric.ts";
import { kolmogorovTwoSample } from "../statistics/kolmogorov.ts";
import { type CategoryReference, type ColumnReference, total } from "./column-reference.ts";

/** A column's rows in a window, counted as its reference is. */
export interface ColumnCounts {
  readonly counts: Uint32Array;
  readonly missing: number;
}

export interface TestOutcome {
  readonly statistic: number;
  readonly pValue: number;
}

export type DriftTestName = "kolmogorov_smirnov" | "chi_square" | "missing_rate" | "unseen_levels";

export interface DriftTest {
  readonly name: DriftTestName;
  /** What its statistic is, for people. */
  readonly statistic: string;
  readonly source: string;
  /** Whether it is one of a column's tests. */
  readonly isFor: (reference: ColumnReference, isNullable: boolean) => boolean;
  /** Its part of the level, beside 1 of others; from the reference alone. */
  readonly weight: (reference: ColumnReference) => number;
  /** undefined when the rows do not allow it. */
  readonly run: (reference: ColumnReference, current: ColumnCounts) => TestOutcome | undefined;
}

/** Numbers of at most so many values are compared value by value: ties blunt the Kolmogorov–Smirnov test. */
const FEW_VALUES = 10;
/** A sample of fewer rows says nothing worth an alarm: no test is made, and a window has no verdict. */
export const LEAST_ROWS = 200;

/**
 * Of tests that without a change find nothing at all, such as that of missing values where there have never been any: a
 * whole part of the level would be wasted on them. What they are for they find all the same, as it is next to impossible.
 */
const SMALL_WEIGHT = 0.05;

const isContinuous = (reference: ColumnReference): boolean =>
  reference.kind === "number" && reference.cuts.length > FEW_VALUES;

export const DRIFT_TESTS: readonly DriftTest[] = [
  {
    name: "kolmogorov_smirnov",
    statistic: "the largest difference of the shares at or below a value",
    source: "two-sided two-sample test, exact or asymptotic as in scipy.stats.ks_2samp",
    isFor: isContinuous,
    weight: () => 1,
    run: ({ counts: reference }, { counts: current }) => {
      const [n, m] = [total(reference), total(current)];
      if (Math.min(n, m) < LEAST_ROWS) return undefined;
      const statistic = kolmogorovSmirnovDistance({ reference, current });
      return { statistic, pValue: kolmogorovTwoSample(statistic, n, m) };
    },
  },
  {
    name: "chi_square",
    statistic: "chi-square of the counts by level, rare levels as one",
    source: "Pearson's test of homogeneity; levels of which fewer than 10 rows are expected are pooled",
    isFor: (reference) => !isContinuous(reference),
    weight: () => 1,
    run: ({ counts: reference }, { counts: current }) =>
      Math.min(total(reference), total(current)) < LEAST_ROWS ? undefined : testHomogeneity(reference, current),
  },
  {
    name: "missing_rate",
    statistic: "the share of rows without a value",
    source: "exact conditional (hypergeometric) test, twice the smaller tail",
    isFor: (_reference, isNullable) => isNullable,
    weight: ({ missing }) => (missing === 0 ? SMALL_WEIGHT : 1),
    run: (reference, current) => {
      const [n, m] = [total(reference.counts) + reference.missing, total(current.counts) + current.missing];
      if (m < LEAST_ROWS) return undefined;
      const missing = reference.missing + current.missing;
      const urn = { marked: missing, plain: n + m - missing, drawn: m };
      return { statistic: current.missing / m, pValue: hypergeometricTwoSided(current.missing, urn) };
    },
  },
  {
    name: "unseen_levels",
    statistic: "the share of values that the training data did not have",
    source: "binomial test against Good and Turing's upper bound on the mass of what was not seen",
    isFor: ({ kind }) => kind === "category",
    weight: () => SMALL_WEIGHT,
    run: (reference, { counts }) => {
      const m = total(counts);
      if (m < LEAST_ROWS) return undefined;
      const unseen = counts[counts.length - 1];
      return {
        statistic: unseen / m,
        pValue: binomialUpperTail(unseen, m, unseenBound(reference as CategoryReference)),
      };
    },
  },
];

/** Without it, columns that never end to bring new levels (postal codes) would alarm for ever. @source Good 1953 */
function unseenBound({ counts }: CategoryReference): number {
  const once = counts.filter((count) => count === 1).length;
  return Math.min(1, (once + 2 * Math.sqrt(once + 1) + 1) / total(counts));
}
