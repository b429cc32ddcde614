/**
 * What a model can do at every threshold: one pass over the scores, from the highest down, gives one operating
 * point per distinct score, and ROC, precision-recall, gains, lift, F1 and profit all follow from these.
 *
 * Names and definitions as in scikit-learn (`roc_curve`, `precision_recall_curve`), but in one order: thresholds
 * fall, so more and more customers are predicted to churn.
 */
import type { Economics } from "@churn/contract";
import { descendingOrder } from "../radix-sort.ts";
import { contactValues } from "./economics.ts";
import type { Scored } from "./metrics.ts";
import { f1 } from "./threshold.ts";

/** One entry per threshold, falling; the first is above every score and predicts nobody to churn. */
export interface OperatingPoints {
  /** `Infinity`, then the distinct scores. */
  readonly thresholds: Float64Array;
  /** Churners, and stayers, with a score at or above the threshold. */
  readonly truePositives: Float64Array;
  readonly falsePositives: Float64Array;
  /** How many there are at all. */
  readonly positives: number;
  readonly negatives: number;
}

/** A line through points. */
export interface Curve {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** @param scored Scores without NaN. Rows of equal score become one point. */
export function operatingPoints({ scores, labels }: Scored): OperatingPoints {
  const order = descendingOrder(scores);
  const thresholds = new Float64Array(order.length + 1).fill(Number.POSITIVE_INFINITY, 0, 1);
  const truePositives = new Float64Array(order.length + 1);
  const falsePositives = new Float64Array(order.length + 1);
  let churners = 0;
  let points = 1;
  for (let i = 0; i < order.length; i++) {
    churners += labels[order[i]];
    if (i + 1 < order.length && scores[order[i + 1]] === scores[order[i]]) continue;
    thresholds[points] = scores[order[i]];
    truePositives[points] = churners;
    falsePositives[points] = i + 1 - churners;
    points++;
  }
  return {
    thresholds: thresholds.subarray(0, points),
    truePositives: truePositives.subarray(0, points),
    falsePositives: falsePositives.subarray(0, points),
    positives: churners,
    negatives: order.length - churners,
  };
}

/** True-positive rate over false-positive rate, from (0, 0) to (1, 1). */
export function rocCurve({ truePositives, falsePositives, positives, negatives }: OperatingPoints): Curve {
  return { x: falsePositives.map((count) => count / negatives), y: truePositives.map((count) => count / positives) };
}

/** Precision over recall; where nobody is predicted to churn, precision counts as 1. */
export function precisionRecallCurve({ truePositives, falsePositives, positives }: OperatingPoints): Curve {
  return {
    x: truePositives.map((count) => count / positives),
    y: truePositives.map((count, i) => (i === 0 ? 1 : count / (count + falsePositives[i]))),
  };
}

/** Share of all churners reached over the share of customers contacted, highest scores first; both in [0, 1]. */
export function gainsCurve(points: OperatingPoints): Curve {
  return { x: contactedShare(points), y: points.truePositives.map((count) => count / points.positives) };
}

/** How many times as many churners as among all are found among those contacted, over the share contacted. */
export function liftCurve(points: OperatingPoints): Curve {
  const { x, y } = gainsCurve(points);
  return { x: x.subarray(1), y: y.subarray(1).map((reached, i) => reached / x[i + 1]) };
}

/** Profit per customer, contacted or not, in the currency of `economics`, over the threshold. */
export function profitCurve(points: OperatingPoints, economics: Economics): Curve {
  const { churner, stayer } = contactValues(economics);
  const { thresholds, truePositives, falsePositives, positives, negatives } = points;
  const total = positives + negatives;
  return byThreshold(
    thresholds,
    truePositives.map((count, i) => (count * churner + falsePositives[i] * stayer) / total),
  );
}

/** F1 over the threshold. */
export function f1Curve({ thresholds, truePositives, falsePositives, positives }: OperatingPoints): Curve {
  return byThreshold(
    thresholds,
    truePositives.map((count, i) => f1(count, falsePositives[i], positives)),
  );
}

function contactedShare({ truePositives, falsePositives, positives, negatives }: OperatingPoints): Float64Array {
  return truePositives.map((count, i) => (count + falsePositives[i]) / (positives + negatives));
}

/** Over thresholds that rise from 0, where everybody is predicted to churn, to 1; above every score stands `values[0]`. */
function byThreshold(thresholds: Float64Array, values: Float64Array): Curve {
  const n = thresholds.length - 1;
  const hasRoomAbove = thresholds[1] < 1;
  const x = new Float64Array(n + (hasRoomAbove ? 3 : 1));
  const y = new Float64Array(x.length);
  x.set(thresholds.subarray(1).toReversed(), 1);
  y.set(values.subarray(1).toReversed(), 1);
  y[0] = y[1];
  if (hasRoomAbove) {
    x.set([x[n], 1], n + 1);
    y.fill(values[0], n + 1);
  }
  return { x, y };
}

/**
 * A curve for plotting, with as few of its points as `tolerance` allows; the first and the last stay.
 *
 * @param tolerance How far a point that is left out may lie from the line that is drawn, as a share of the plot's
 *   sides. The default is a third of a pixel of a plot of 330.
 * @source Ramer 1972, Douglas & Peucker 1973
 */
export function thin({ x, y }: Curve, tolerance = 0.001): Curve {
  const [width, height] = [extent(x), extent(y)];
  const keep = new Uint8Array(x.length);
  keep[0] = keep[x.length - 1] = 1;
  const spans: [number, number][] = [[0, x.length - 1]];
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [first, last] = span;
    const [dx, dy] = [(x[last] - x[first]) / width, (y[last] - y[first]) / height];
    const length = dx ** 2 + dy ** 2;
    let farthest = { at: first, distance: tolerance ** 2 };
    for (let i = first + 1; i < last; i++) {
      const [px, py] = [(x[i] - x[first]) / width, (y[i] - y[first]) / height];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = (px - along * dx) ** 2 + (py - along * dy) ** 2;
      if (distance > farthest.distance) farthest = { at: i, distance };
    }
    if (farthest.at === first) continue;
    keep[farthest.at] = 1;
    spans.push([first, farthest.at], [farthest.at, last]);
  }
  const kept = (_: number, i: number): boolean => keep[i] === 1;
  return { x: x.filter(kept), y: y.filter(kept) };
}

/** From the least to the greatest value; 1 where they are the same. */
function extent(values: Float64Array): number {
  let [least, greatest] = [values[0], values[0]];
  for (const value of values) [least, greatest] = [Math.min(least, value), Math.max(greatest, value)];
  return greatest - least || 1;
}
