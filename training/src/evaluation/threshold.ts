/**
 * Where to draw the line: the threshold that makes the most money, or, without economics, the best F1.
 *
 * It is chosen on scores that no tree of the model has fitted (out-of-bag), so the holdout stays unspent.
 */
import type { Economics, Threshold } from "@churn/contract";
import { rowsWhere } from "../sample.ts";
import { contactValues } from "./economics.ts";
import type { Scored } from "./metrics.ts";

/** No probability reaches it. */
const OUT_OF_REACH = 1.01;

/**
 * @param scored Scores of rows that the model has not fitted; rows with a NaN score are left out.
 */
export function chooseThreshold(scored: Scored, economics: Economics | undefined): Threshold {
  if (economics === undefined) {
    const value = bestCut(scored, f1);
    return {
      value,
      method: "f1",
      reason: "highest F1 on out-of-bag scores, as the dataset specification has no economics",
    };
  }
  const { churner, stayer } = contactValues(economics);
  const value = bestCut(scored, (churners, stayers) => churners * churner + stayers * stayer);
  const worth = `a contacted churner is worth ${round(churner)}, a contacted stayer ${round(stayer)}`;
  if (value === OUT_OF_REACH) {
    return { value, method: "expected_profit", reason: `no contact pays on out-of-bag scores: ${worth}` };
  }
  const breakEven = stayer / (stayer - churner);
  const reason = `highest expected profit on out-of-bag scores: ${worth}; break-even at P(churn) = ${breakEven.toFixed(3)}`;
  return { value, method: "expected_profit", reason };
}

const round = (amount: number): number => Math.round(amount * 100) / 100;

/** F1 of predicting so many churners and so many stayers to churn. */
export function f1(churners: number, stayers: number, allChurners: number): number {
  return (2 * churners) / (allChurners + churners + stayers);
}

type Worth = (churners: number, stayers: number, allChurners: number) => number;

/** The score at which contacting everyone from there up is worth the most; above 1 when no contact pays. */
function bestCut({ scores, labels }: Scored, worth: Worth): number {
  const rows = rowsWhere(scores.length, (row) => !Number.isNaN(scores[row]));
  const order = rows.sort((a, b) => scores[b] - scores[a]);
  const allChurners = order.reduce((sum, row) => sum + labels[row], 0);
  let churners = 0;
  let best = { worth: 0, value: OUT_OF_REACH };
  for (let i = 0; i < order.length; i++) {
    churners += labels[order[i]];
    if (i + 1 < order.length && scores[order[i + 1]] === scores[order[i]]) continue;
    const here = worth(churners, i + 1 - churners, allChurners);
    // Halfway to the next score, so that a score of that size falls on its own side.
    if (here > best.worth) best = { worth: here, value: (scores[order[i]] + (scores[order[i + 1]] ?? 0)) / 2 };
  }
  return best.value;
}
