/** Customers who have left, for each that the probabilities promise. */
import { withInterval } from "../statistics/estimate.ts";
import { normalUpperTail } from "../statistics/gamma.ts";
import type { PerformanceTest } from "./finding.ts";

/** @param variance Of observed − expected. */
export function observedTest({
  observed,
  expected,
  variance,
  floor,
}: {
  readonly observed: number;
  readonly expected: number;
  readonly variance: number;
  readonly floor: number;
}): PerformanceTest {
  const error = Math.sqrt(variance);
  return {
    metric: "observed_expected",
    ...withInterval({ value: observed / expected, standardError: error / expected }),
    reference: 1,
    pValue: Math.min(1, 2 * normalUpperTail(Math.abs(observed - expected) / error)),
    isHarmful: Math.abs(observed / expected - 1) >= floor,
  };
}
