/**
 * What a model's probabilities are worth when nobody knows how many accept the offer: the profit per customer, averaged over
 * the acceptance rate γ ~ Beta, with the decision that is best for each γ. A proper score in the currency of the economics:
 * no model does better than the true probability.
 *
 * At a known γ only customers near one threshold count, and a difference of two models takes three to four times the customers
 * to be seen.
 *
 * @source Verbraken, Verbeke & Baesens 2013, for the law of γ; Schervish 1989, for why it is proper
 */
import type { Economics } from "@churn/contract";
import { lowerBeta } from "../statistics/beta.ts";

/** Customers that the belief about γ is worth: with a mean of 0.3, 95 % lie between 0.13 and 0.51. */
const BELIEF = 20;
/** Probabilities at which it is computed; a straight line between. */
const STEPS = 4096;

export class AcceptanceProfit {
  readonly #churner: Float64Array;
  readonly #stayer: Float64Array;

  constructor({ customerValue, offerCost, contactCost, offerAcceptance }: Economics) {
    const [a, b] = [BELIEF * offerAcceptance, BELIEF * (1 - offerAcceptance)];
    const gain = customerValue - offerCost;
    const churner = new Float64Array(STEPS + 2);
    const stayer = new Float64Array(STEPS + 2);
    for (let step = 0; step <= STEPS + 1; step++) {
      const probability = Math.min(1, step / STEPS);
      // the lowest γ at which this customer is worth contacting
      const least = ((offerCost + contactCost) / probability - offerCost) / gain;
      const contacted = 1 - lowerBeta(least, a, b);
      churner[step] = gain * offerAcceptance * (1 - lowerBeta(least, a + 1, b)) - contactCost * contacted;
      stayer[step] = -(offerCost + contactCost) * contacted;
    }
    this.#churner = churner;
    this.#stayer = stayer;
  }

  /** Of a customer with this probability of churn. @param label 1: he would have left */
  of(probability: number, label: number): number {
    const table = label === 1 ? this.#churner : this.#stayer;
    const place = probability * STEPS;
    const step = Math.floor(place);
    return table[step] + (place - step) * (table[step + 1] - table[step]);
  }
}
