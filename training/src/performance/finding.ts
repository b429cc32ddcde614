/** How a figure of the outcomes is judged: as drift is, in tiers. */
import type { Metric } from "@churn/contract";
import { type Tier, tierOf } from "../drift/tier.ts";
import { holmAdjust } from "../statistics/holm.ts";

export type PerformanceMetric =
  | "roc_auc"
  | "log_loss"
  | "brier_score_loss"
  | "profit_per_customer"
  /** Of customers who left: how many there are for each that the probabilities promise. */
  | "observed_expected";

export interface PerformanceFinding extends Metric {
  readonly metric: PerformanceMetric;
  /** The held-out customers' of the training; what is expected. */
  readonly reference: number;
  readonly tier: Tier;
  readonly pValue: number;
  /** Corrected for the number of tests of the window (Holm). */
  readonly adjustedPValue: number;
}

/** A change that is no chance is an alarm from here on. */
export interface PerformanceFloors {
  readonly rocAuc: number;
  readonly logLoss: number;
  /** Of the reference's profit. */
  readonly profit: number;
  /** Of what is expected. */
  readonly observedExpected: number;
}

export const DEFAULT_PERFORMANCE_FLOORS: PerformanceFloors = {
  rocAuc: 0.02,
  logLoss: 0.01,
  profit: 0.02,
  observedExpected: 0.1,
};

/** A figure before it is judged. */
export interface PerformanceTest extends Omit<PerformanceFinding, "tier" | "adjustedPValue"> {
  /** Whether the change is as large as a floor. */
  readonly isHarmful: boolean;
}

/** @param level Of all tests together. */
export function judgeTests(tests: readonly PerformanceTest[], level: number): PerformanceFinding[] {
  const adjusted = holmAdjust(tests.map(({ pValue }) => pValue));
  return tests.map(({ isHarmful, ...test }, i) => ({
    ...test,
    tier: tierOf([{ pValue: test.pValue, adjustedPValue: adjusted[i] }], isHarmful, level),
    adjustedPValue: adjusted[i],
  }));
}
