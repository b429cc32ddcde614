/**
 * Bootstrap counts: how often a row enters a resample.
 *
 * Poisson(1) counts stand for draws with replacement: they need one pass and no memory, and differ only in
 * that the size of the resample varies a little.
 *
 * @source Chamandy et al. 2012, "Estimating uncertainty for massive data streams"
 */

/** At rate 1, P(count > 15) is 5e-14: below what 32 bits can draw. */
export const MAX_COUNT = 15;

/** Draws a row's count from 32 uniform bits. */
export type BootstrapCount = (bits: number) => number;

/**
 * Counts from Poisson(rate), by inversion, at most `MAX_COUNT`; the common counts cost no branch.
 *
 * @param rate Expected count, in (0, 1]: the size of the resample as a share of the rows.
 */
export function bootstrapCounts(rate: number): BootstrapCount {
  const thresholds = cumulativeProbabilities(rate);
  const [t0, t1, t2, t3, t4] = thresholds;
  return (bits) => {
    if (bits < t4) return +(bits >= t0) + +(bits >= t1) + +(bits >= t2) + +(bits >= t3);
    let count = 5;
    while (count < MAX_COUNT && bits >= thresholds[count]) count++;
    return count;
  };
}

/** P(count ≤ k) as 32-bit numbers. */
function cumulativeProbabilities(rate: number): Float64Array {
  let probability = Math.exp(-rate);
  let cumulative = 0;
  return Float64Array.from({ length: MAX_COUNT }, (_, k) => {
    if (k > 0) probability *= rate / k;
    cumulative += probability;
    return cumulative * 2 ** 32;
  });
}
