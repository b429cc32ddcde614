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
  const rows = predictions.length;
  const window = {
    rows,
    scores: new Float64Array(rows),
    decisions: new Uint8Array(rows),
    labels: new Uint8Array(rows),
    ages: new Float64Array(rows),
    departures: new Float64Array(rows).fill(Number.POSITIVE_INFINITY),
    contacted: new Uint8Array(rows),
  };
  for (const [row, { since, score, decision, churned_at, stayed, contacted }] of predictions.entries()) {
    const hasLeft = churned_at !== null && churned_at <= asOf;
    window.scores[row] = score;
    window.decisions[row] = decision;
    window.labels[row] = hasLeft ? 1 : (stayed ?? UNKNOWN);
    window.ages[row] = Math.max(0, asOf - since) / DAY_MS;
    if (hasLeft) window.departures[row] = Math.max(0, churned_at - since) / DAY_MS;
    window.contacted[row] = contacted ?? UNKNOWN;
  }
  return window;
}

/** One window of several, in their order. */
export function joinWindows(windows: readonly JudgedWindow[]): JudgedWindow {
  const rows = windows.reduce((sum, window) => sum + window.rows, 0);
  const floats = (pick: (window: JudgedWindow) => Float64Array): Float64Array => {
    const all = new Float64Array(rows);
    fill(all, windows.map(pick));
    return all;
  };
  const bytes = (pick: (window: JudgedWindow) => Uint8Array): Uint8Array => {
    const all = new Uint8Array(rows);
    fill(all, windows.map(pick));
    return all;
  };
  return {
    rows,
    scores: floats(({ scores }) => scores),
    decisions: bytes(({ decisions }) => decisions),
    labels: bytes(({ labels }) => labels),
    ages: floats(({ ages }) => ages),
    departures: floats(({ departures }) => departures),
    contacted: bytes(({ contacted }) => contacted),
  };
}

function fill<T extends Float64Array | Uint8Array>(all: T, parts: readonly T[]): void {
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
}

/** How the customers stand for all: who was acted on would perhaps have left. */
export interface ControlWeights {
  readonly weights: Float64Array;
  /**
   * `untouched`: nobody says of any customer that he was contacted. `control`: those who were not stand for all of the same decision.
   * `tooFew`: too few were left alone for that; all count as they are, and nothing can be concluded.
   */
  readonly basis: "untouched" | "control" | "tooFew";
  /** Customers above the threshold who were left alone. */
  readonly controls: number;
}

/** With fewer customers left alone above the threshold, they say too little of the others. */
export const LEAST_CONTROLS = 50;

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
