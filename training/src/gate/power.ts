/** What a comparison can show, before it is made: by the probabilities of both models, without a look at what happened. */
import type { Economics } from "@churn/contract";
import { contactValues } from "../evaluation/economics.ts";
import { logLossOf } from "../evaluation/metrics.ts";
import { AcceptanceProfit } from "./acceptance-profit.ts";
import type { GatePower } from "./evidence.ts";
import type { Contestant } from "./measures.ts";
import { customersFactor } from "./rule.ts";

/** A customer leaves with the mean of what both models say: the standard deviation of their difference follows. */
export function powerOfComparison(
  champion: Contestant,
  challenger: Contestant,
  economics: Economics | undefined,
  level: number,
): GatePower {
  const uncertain = economics && new AcceptanceProfit(economics);
  const gainOf = (score: number, label: number): number =>
    uncertain === undefined ? -logLossOf(score, label) : uncertain.of(score, label);
  const n = champion.scores.length;
  let [sum, squares, profit] = [0, 0, 0];
  const worth = economics && contactValues(economics);
  for (let row = 0; row < n; row++) {
    const [before, now] = [champion.scores[row], challenger.scores[row]];
    const leaves = (before + now) / 2;
    for (const [label, share] of [
      [0, 1 - leaves],
      [1, leaves],
    ]) {
      const difference = gainOf(now, label) - gainOf(before, label);
      sum += share * difference;
      squares += share * difference ** 2;
    }
    if (worth !== undefined && before >= champion.threshold) {
      profit += leaves * worth.churner + (1 - leaves) * worth.stayer;
    }
  }
  const variance = squares / n - (sum / n) ** 2;
  const factor = customersFactor(level);
  const detectable = Math.sqrt((factor * variance) / n);
  const onePercent = Math.abs(0.01 * (profit / n));
  const isKnown = worth !== undefined && onePercent > 0;
  return {
    detectable,
    detectableShare: isKnown ? detectable / (100 * onePercent) : null,
    customersForOnePercent: isKnown ? Math.ceil((factor * variance) / onePercent ** 2) : null,
  };
}
