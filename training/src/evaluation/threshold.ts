/**
 * Where to draw the line: where contacting starts to pay, or, without economics, at the best F1.
 *
 * The latter is searched for on scores that no tree of the model has fitted (out-of-bag), so the holdout stays unspent.
 */
import type { Economics, Threshold } from "@churn/contract";
import { drawBootstrap } from "../bootstrap.ts";
import { take } from "../data/take.ts";
import { Random } from "../random.ts";
import { rowsWhere } from "../sample.ts";
import { contactValues } from "./economics.ts";
import { quantile, type Scored } from "./metrics.ts";

const RESAMPLES = 200;
/** A stream that no tree or other resample draws from. */
const THRESHOLD_STREAM = -6;

/** No probability reaches it. */
const OUT_OF_REACH = 1.01;

/**
 * @param scored Calibrated scores of rows that the model has not fitted; rows with a NaN score are left out.
 * @param seed Of the resamples that give a searched value its interval.
 */
export function chooseThreshold(scored: Scored, economics: Economics | undefined, seed: number): Threshold {
  return economics === undefined ? bestF1(scored, seed) : breakEven(economics);
}

/**
 * From where contacting a customer pays: p · churner + (1 − p) · stayer = 0. Nothing is searched for: the best cut of a
 * sample is off by its luck, and promises more than it keeps.
 *
 * @source Elkan 2001, "The foundations of cost-sensitive learning"
 */
function breakEven(economics: Economics): Threshold {
  const { churner, stayer } = contactValues(economics);
  const worth = `a contacted churner is worth ${round(churner)}, a contacted stayer ${round(stayer)}`;
  if (churner <= 0) return { value: OUT_OF_REACH, method: "expected_profit", reason: `no contact pays: ${worth}` };
  const value = stayer / (stayer - churner) || 0; // not -0
  return { value, method: "expected_profit", reason: `from here up a contact pays: ${worth}` };
}

const round = (amount: number): number => Math.round(amount * 100) / 100;

/** F1 of predicting so many churners and so many stayers to churn. */
export function f1(churners: number, stayers: number, allChurners: number): number {
  return (2 * churners) / (allChurners + churners + stayers);
}

/** The cut of the highest F1. */
function bestF1({ scores, labels }: Scored, seed: number): Threshold {
  const rows = rowsWhere(scores.length, (row) => !Number.isNaN(scores[row]));
  const order = rows.sort((a, b) => scores[b] - scores[a]);
  const sorted = { scores: take(scores, order), labels: take(labels, order) };
  const weights = new Uint8Array(order.length);
  const resampled = Float64Array.from({ length: RESAMPLES }, (_, resample) => {
    drawBootstrap(new Random(seed, THRESHOLD_STREAM, resample), 1, weights);
    return bestCut(sorted, weights);
  }).sort();
  const interval = [quantile(resampled, 0.025), quantile(resampled, 0.975)] as const;
  return {
    value: bestCut(sorted, weights.fill(1)),
    interval,
    method: "f1",
    reason: `highest F1 on out-of-bag scores (95 % interval ${interval.map((end) => end.toFixed(3)).join(" to ")}), as the dataset specification has no economics`,
  };
}

/** The score from which up contacting everyone gives the highest F1. @param scored Descending. */
function bestCut({ scores, labels }: Scored, weights: Uint8Array): number {
  const allChurners = labels.reduce((sum, label, row) => sum + label * weights[row], 0);
  let [churners, contacted] = [0, 0];
  let best = { f1: 0, value: OUT_OF_REACH };
  for (let i = 0; i < scores.length; i++) {
    churners += labels[i] * weights[i];
    contacted += weights[i];
    if (i + 1 < scores.length && scores[i + 1] === scores[i]) continue;
    const here = f1(churners, contacted - churners, allChurners);
    // Halfway to the next score, so that a score of that size falls on its own side.
    if (here > best.f1) best = { f1: here, value: (scores[i] + (scores[i + 1] ?? 0)) / 2 };
  }
  return best.value;
}
