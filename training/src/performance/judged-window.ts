/** Predictions of one window of time with what became of them, in columns, as of a moment. */
import { DAY_MS } from "../drift/windows.ts";
import type { JudgedPrediction } from "../store/prediction-reader.ts";

export interface JudgedWindow {
  readonly rows: number;
  /** P(churn) as it was answered. */
  readonly scores: Float64Array;
  readonly decisions: Uint8Array;
  /** 1: left within the horizon; 0: known to have stayed; 2: nobody knows. */
  readonly labels: Uint8Array;
  /** Days from the prediction until the moment. */
  readonly ages: Float64Array;
  /** Days from the prediction until the customer left; Infinity where nobody has seen it by the moment. */
  readonly departures: Float64Array;
  /** 1: somebody acted on the prediction; 0: nobody did; 2: unknown. */
  readonly contacted: Uint8Array;
}

export const UNKNOWN = 2;

/** @param asOf Epoch ms; what was seen later is not known yet. */
export function judgedWindow(predictions: readonly JudgedPrediction[], asOf: number): JudgedWindow {
  const churnedBy = ({ churned_at }: JudgedPrediction): boolean => churned_at !== null && churned_at <= asOf;
  return {
    rows: predictions.length,
    scores: Float64Array.from(predictions, ({ score }) => score),
    decisions: Uint8Array.from(predictions, ({ decision }) => decision),
    labels: Uint8Array.from(predictions, (one) => (churnedBy(one) ? 1 : (one.stayed ?? UNKNOWN))),
    ages: Float64Array.from(predictions, ({ since }) => Math.max(0, asOf - since) / DAY_MS),
    departures: Float64Array.from(predictions, (one) =>
      churnedBy(one) ? Math.max(0, (one.churned_at as number) - one.since) / DAY_MS : Number.POSITIVE_INFINITY,
    ),
    contacted: Uint8Array.from(predictions, ({ contacted }) => contacted ?? UNKNOWN),
  };
}

/** How the customers stand for all: who was acted on would perhaps have left. */
export interface ControlWeights {
  readonly weights: Float64Array;
  /**
   * `untouched`: nobody says of any customer that he was contacted. `control`: those who were not stand for all of the same decision.
   * `tooFew`: too few were left alone for that, so all count as they are.
   */
  readonly basis: "untouched" | "control" | "tooFew";
  /** Customers above the threshold who were left alone. */
  readonly controls: number;
}

/** With fewer customers left alone above the threshold, they say too little of the others. */
const LEAST_CONTROLS = 50;

/**
 * The inverse of the probability of having been left alone, by decision. Right where chance decided whom of a decision it was.
 *
 * @source Horvitz & Thompson 1952
 */
export function controlWeights({ rows, decisions, contacted }: JudgedWindow): ControlWeights {
  const isAlone = (row: number): boolean =>
    contacted[row] === 0 || (contacted[row] === UNKNOWN && decisions[row] === 0);
  const [alone, all] = [
    [0, 0],
    [0, 0],
  ];
  for (let row = 0; row < rows; row++) {
    all[decisions[row]]++;
    if (isAlone(row)) alone[decisions[row]]++;
  }
  const everybody = new Float64Array(rows).fill(1);
  if (!contacted.includes(1)) return { weights: everybody, basis: "untouched", controls: all[1] };
  if (alone[1] < LEAST_CONTROLS || alone[0] === 0) return { weights: everybody, basis: "tooFew", controls: alone[1] };
  const weights = everybody.map((_, row) => (isAlone(row) ? all[decisions[row]] / alone[decisions[row]] : 0));
  return { weights, basis: "control", controls: alone[1] };
}
