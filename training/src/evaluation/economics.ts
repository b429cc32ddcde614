/**
 * What contacting a customer is worth.
 *
 * A churner who is contacted accepts the offer with some probability and stays; a stayer takes the offer
 * too, for nothing.
 *
 * @source Verbeke et al. 2012, "New insights into churn prediction in the telecommunication sector"
 */
import type { Economics } from "@churn/contract";

/** Gain of contacting one customer, by what he would have done, in the currency of `economics`. */
export function contactValues({ customerValue, offerCost, contactCost, offerAcceptance }: Economics): {
  readonly churner: number;
  readonly stayer: number;
} {
  return {
    churner: offerAcceptance * (customerValue - offerCost) - contactCost,
    stayer: -offerCost - contactCost,
  };
}
