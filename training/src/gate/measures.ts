/** What two models make of the same customers: the gain of one over the other, per customer. */
import type { Economics } from "@churn/contract";
import { contactValues } from "../evaluation/economics.ts";
import { logLossOf } from "../evaluation/metrics.ts";
import { AcceptanceProfit } from "./acceptance-profit.ts";
import { pairedDifference } from "./paired-difference.ts";
import type { GateMeasures } from "./rule.ts";

/** A model's probabilities of the customers, and where it decides. */
export interface Contestant {
  readonly scores: Float64Array;
  readonly threshold: number;
}

export interface GateCustomers {
  /** 1 is churn. */
  readonly labels: Uint8Array;
  /** Per row the customer, as a number from 0; without it each row is one. A customer's rows count together. */
  readonly customers?: Uint32Array | undefined;
}

export function compareModels(
  champion: Contestant,
  challenger: Contestant,
  { labels, customers }: GateCustomers,
  economics: Economics | undefined,
  level: number,
): GateMeasures & { readonly championProfit: number } {
  const count = customers === undefined ? labels.length : 1 + customers.reduce((a, b) => Math.max(a, b), 0);
  const paired = (gainOf: (one: Contestant, row: number) => number) => {
    const gains = new Float64Array(count);
    for (let row = 0; row < labels.length; row++) {
      gains[customers?.[row] ?? row] += gainOf(challenger, row) - gainOf(champion, row);
    }
    return pairedDifference(gains, level);
  };
  const logLossGain = paired(({ scores }, row) => -logLossOf(scores[row], labels[row]));
  if (economics === undefined) {
    return { acceptanceProfit: undefined, profit: undefined, logLossGain, championProfit: 0 };
  }
  const [worth, uncertain] = [contactValues(economics), new AcceptanceProfit(economics)];
  const profitOf = ({ scores, threshold }: Contestant, row: number): number =>
    scores[row] < threshold ? 0 : labels[row] === 1 ? worth.churner : worth.stayer;
  let championProfit = 0;
  for (let row = 0; row < labels.length; row++) championProfit += profitOf(champion, row) / count;
  return {
    acceptanceProfit: paired(({ scores }, row) => uncertain.of(scores[row], labels[row])),
    profit: paired(profitOf),
    logLossGain,
    championProfit,
  };
}
