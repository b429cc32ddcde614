/** The area under the ROC curve of weighted rows, and its standard error by DeLong's method. */
import { descendingOrder } from "../radix-sort.ts";
import type { Estimate } from "./estimate.ts";

/**
 * @param labels 1 is churn. @param weights At least 0; how many rows each stands for.
 * @returns undefined with fewer than two churners or stayers: nothing could be said of its error
 * @source DeLong, DeLong & Clarke-Pearson 1988; Sun & Xu 2014, for the sorting. With weights as the squared sum of each row's
 *   influence
 */
export function weightedAuc(scores: Float64Array, labels: Uint8Array, weights: Float64Array): Estimate | undefined {
  const churners = classTotals(labels, weights, 1);
  const stayers = classTotals(labels, weights, 0);
  if (churners.rows < 2 || stayers.rows < 2) return undefined;
  const placements = placementsOf(scores, labels, weights, churners.weight, stayers.weight);
  let value = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === 1) value += weights[i] * placements[i];
  value /= churners.weight;
  const variance = [churners, stayers].map((one, side) => {
    let squares = 0;
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] === 1 - side) squares += (weights[i] * (placements[i] - value)) ** 2;
    }
    const effective = one.weight ** 2 / one.squares; // rows of equal weight that would say as much
    return (squares / one.weight ** 2) * (effective / (effective - 1));
  });
  return { value, standardError: Math.sqrt(variance[0] + variance[1]) };
}

interface ClassTotals {
  readonly rows: number;
  readonly weight: number;
  readonly squares: number;
}

function classTotals(labels: Uint8Array, weights: Float64Array, label: 0 | 1): ClassTotals {
  let [rows, weight, squares] = [0, 0, 0];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== label || weights[i] === 0) continue;
    rows++;
    weight += weights[i];
    squares += weights[i] ** 2;
  }
  return { rows, weight, squares };
}

/** Of a churner the share of stayers with a lower score, of a stayer that of churners with a higher one; ties are half. */
function placementsOf(
  scores: Float64Array,
  labels: Uint8Array,
  weights: Float64Array,
  churners: number,
  stayers: number,
): Float64Array {
  const order = descendingOrder(scores);
  const placements = new Float64Array(scores.length);
  let [above, stayersAbove] = [0, 0]; // weight of churners and of stayers with a higher score
  for (let start = 0, end = 0; start < order.length; start = end) {
    let [tied, stayersTied] = [0, 0];
    for (end = start; end < order.length && scores[order[end]] === scores[order[start]]; end++) {
      if (labels[order[end]] === 1) tied += weights[order[end]];
      else stayersTied += weights[order[end]];
    }
    for (let k = start; k < end; k++) {
      const row = order[k];
      placements[row] =
        labels[row] === 1 ? 1 - (stayersAbove + stayersTied / 2) / stayers : (above + tied / 2) / churners;
    }
    above += tied;
    stayersAbove += stayersTied;
  }
  return placements;
}
