/**
 * How far probabilities are from the shares that churned, in bins of equal number of customers by score.
 *
 * The customary expected calibration error (ECE) is never 0: chance alone parts shares from probabilities, the more so
 * the fewer customers there are. So it stands beside what a model that is right would show, and a metric from which
 * that noise is taken off.
 *
 * @source Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration"; Bröcker 2012; Roelofs et al. 2022
 */
import { setImmediate as turn } from "node:timers/promises";
import type { CalibrationError } from "@churn/contract";
import { take } from "../data/take.ts";
import { descendingOrder } from "../radix-sort.ts";
import { Random } from "../random.ts";

const BINS = 15;
const NOISE_DRAWS = 200;
const DRAWS_PER_TURN = 10;
/** A stream that no resample draws from. */
const NOISE_STREAM = -5;

/** Rows of one bin: their weight, and the weighted sums of scores and outcomes. */
interface Bin {
  weight: number;
  scores: number;
  churners: number;
}

/**
 * The root of the mean squared distance, freed of the noise of the shares: about 0 for a model that is right. Where chance
 * makes the mean square negative, so is the root.
 *
 * @param scores Sorted either way.
 * @param weights Per row.
 * @param noise How often the shares' variance is taken off: once, or, of a bootstrap resample, which adds as much again, twice.
 */
export function rmsCalibrationError(
  scores: Float64Array,
  labels: Uint8Array,
  weights: Uint8Array,
  noise: 1 | 2,
): number {
  let [square, total] = [0, 0];
  for (const { weight, scores: sum, churners } of fillBins(scores, labels, weights)) {
    if (weight === 0) continue;
    const predicted = sum / weight;
    const variance = (predicted * (1 - predicted)) / weight;
    square += weight * ((churners / weight - predicted) ** 2 - noise * variance);
    total += weight;
  }
  return Math.sign(square) * Math.sqrt(Math.abs(square) / total);
}

/** The mean distance, and what it would be if the outcomes came with just the probabilities that the scores say. */
export async function calibrationError(
  { scores, labels }: { readonly scores: Float64Array; readonly labels: Uint8Array },
  seed: number,
): Promise<CalibrationError> {
  const order = descendingOrder(scores);
  const sortedScores = take(scores, order);
  const ones = new Uint8Array(sortedScores.length).fill(1);
  const ece = (outcomes: Uint8Array): number => meanDistance(fillBins(sortedScores, outcomes, ones));
  const drawn = new Uint8Array(sortedScores.length);
  const noise = new Float64Array(NOISE_DRAWS);
  for (let draw = 0; draw < NOISE_DRAWS; draw++) {
    if (draw % DRAWS_PER_TURN === 0) await turn(); // so that progress can be shown, and a signal be seen
    const random = new Random(seed, NOISE_STREAM, draw);
    for (let row = 0; row < drawn.length; row++) drawn[row] = +(random.uniform() < sortedScores[row]);
    noise[draw] = ece(drawn);
  }
  noise.sort();
  return {
    ece: ece(take(labels, order)),
    noise: {
      mean: noise.reduce((sum, value) => sum + value, 0) / NOISE_DRAWS,
      high: noise[Math.ceil(0.95 * NOISE_DRAWS) - 1],
    },
  };
}

/** Bins of equal number of rows, whatever their weights. */
function fillBins(scores: Float64Array, labels: Uint8Array, weights: Uint8Array): Bin[] {
  const rows = scores.length;
  return Array.from({ length: BINS }, (_, k) => {
    const bin: Bin = { weight: 0, scores: 0, churners: 0 };
    const end = Math.round(((k + 1) * rows) / BINS);
    for (let row = Math.round((k * rows) / BINS); row < end; row++) {
      bin.weight += weights[row];
      bin.scores += weights[row] * scores[row];
      bin.churners += weights[row] * labels[row];
    }
    return bin;
  });
}

function meanDistance(bins: readonly Bin[]): number {
  const total = bins.reduce((sum, { weight }) => sum + weight, 0);
  return bins.reduce((sum, { scores, churners }) => sum + Math.abs(churners - scores), 0) / total;
}
