/** What a comparison can show, before it is made: by the probabilities of both models, without a look at what happened. */
import type { Economics } from "@churn/contract";
import { contactValues } from "../evaluation/economics.ts";
import { logLossOf } from "../evaluation/metrics.ts";
import { AcceptanceProfit } from "./acceptance-profit.ts";
import type { GatePower } from "./evidence.ts";
import type { Contestant } from "./measures.ts";
import { customersFactor } from "./rule.ts";

export interface ComparedCustomers {
  readonly economics: Economics | undefined;
  /** As in `GateCustomers`. */
  readonly customers?: Uint32Array | undefined;
}

/** A customer leaves with the mean of what both models say: the standard deviation of their difference follows. */
export function powerOfComparison(
  champion: Contestant,
  challenger: Contestant,
  { economics, customers }: ComparedCustomers,
  level: number,
): GatePower {
  const uncertain = economics && new AcceptanceProfit(economics);
  const gainOf = (score: number, label: number): number =>
    uncertain === undefined ? -logLossOf(score, label) : uncertain.of(score, label);
  const rows = champion.scores.length;
  const n = customers === undefined ? rows : 1 + customers.reduce((a, b) => Math.max(a, b), -1);
  const means = new Float64Array(n);
  let [variance, profit] = [0, 0];
  const worth = economics && contactValues(economics);
  for (let row = 0; row < rows; row++) {
    const [before, now] = [champion.scores[row], challenger.scores[row]];
    const leaves = (before + now) / 2;
    const [stays, goes] = [gainOf(now, 0) - gainOf(before, 0), gainOf(now, 1) - gainOf(before, 1)];
    means[customers?.[row] ?? row] += leaves * goes + (1 - leaves) * stays;
    variance += (leaves * (1 - leaves) * (goes - stays) ** 2) / n; // what a coin of this probability makes of it
    if (worth !== undefined && before >= champion.threshold) {
      profit += leaves * worth.churner + (1 - leaves) * worth.stayer;
    }
  }
  const mean = means.reduce((sum, one) => sum + one, 0) / n;
  variance += means.reduce((sum, one) => sum + (one - mean) ** 2, 0) / n; // and what differs between customers
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
