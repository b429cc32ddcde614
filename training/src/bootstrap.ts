/**
 * Bootstrap resamples: how often each row is drawn, when rows are drawn with replacement.
 *
 * Counts are Poisson: they need one pass and no list of draws, and differ from a draw of a fixed number of
 * rows only in that this number varies a little.
 *
 * @source Chamandy et al. 2012, "Estimating uncertainty for massive data streams"
 */
import type { Random } from "./random.ts";

/** At rate 1, P(count > 15) is 2e-14: below what 32 bits can draw. */
export const MAX_COUNT = 15;

/**
 * Draws one resample, by inversion; the common counts cost no branch.
 *
 * @param rate Expected count of a row, in (0, 1]: the size of the resample as a share of the rows.
 * @param counts Receives one count per row, in [0, `MAX_COUNT`].
 */
export function drawBootstrap(random: Random, rate: number, counts: Uint8Array): void {
  const thresholds = cumulativeProbabilities(rate);
  const [t0, t1, t2, t3, t4] = thresholds;
  for (let row = 0; row < counts.length; row++) {
    const bits = random.uint32();
    let count = 5;
    if (bits < t4) count = +(bits >= t0) + +(bits >= t1) + +(bits >= t2) + +(bits >= t3);
    else while (count < MAX_COUNT && bits >= thresholds[count]) count++;
    counts[row] = count;
  }
}

/** P(count ≤ k) for k = 0 to 14, in units of 2^-32: 32 random bits below the k-th are a count of at most k. */
export function cumulativeProbabilities(rate: number): Float64Array {
  let probability = Math.exp(-rate);
  let cumulative = 0;
  return Float64Array.from({ length: MAX_COUNT }, (_, k) => {
    if (k > 0) probability *= rate / k;
    cumulative += probability;
    return cumulative * 2 ** 32;
  });
}
