/**
 * How far two distributions are apart, from how many rows of each lie in the same bins. Effect sizes, no tests: without
 * drift they fall with the number of rows, so a fixed limit on them means something else for each of it.
 */

/** Counts, or shares, by bin; the same bins in both. */
export interface Binned {
  readonly reference: ArrayLike<number>;
  readonly current: ArrayLike<number>;
}

/**
 * The Kolmogorov–Smirnov distance: the largest difference of the two shares that lie in a bin or in one before it. Of
 * bins that end at every distinct value it is that of the samples; of wider ones it is smaller, never larger.
 */
export function kolmogorovSmirnovDistance({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let [below, belowCurrent, largest] = [0, 0, 0];
  for (let bin = 0; bin < reference.length; bin++) {
    below += reference[bin];
    belowCurrent += current[bin];
    largest = Math.max(largest, Math.abs(below / n - belowCurrent / m));
  }
  return largest;
}

/**
 * The population stability index, Σ (q − p) ln(q / p). A bin that is empty on one side counts as half a row there, as
 * the logarithm would be infinite.
 *
 * @source Lewis 1994; it is Jeffreys' divergence
 */
export function populationStabilityIndex({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let index = 0;
  for (let bin = 0; bin < reference.length; bin++) {
    if (reference[bin] === 0 && current[bin] === 0) continue;
    const p = Math.max(reference[bin], 0.5) / n;
    const q = Math.max(current[bin], 0.5) / m;
    index += (q - p) * Math.log(q / p);
  }
  return index;
}

/** The Jensen–Shannon distance, in [0, 1]: the root of the divergence, in bits. @source Endres & Schindelin 2003 */
export function jensenShannonDistance({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let divergence = 0;
  for (let bin = 0; bin < reference.length; bin++) {
    const [p, q] = [reference[bin] / n, current[bin] / m];
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p * Math.log2(p / middle)) / 2;
    if (q > 0) divergence += (q * Math.log2(q / middle)) / 2;
  }
  return Math.sqrt(Math.max(0, divergence));
}

/** The total variation distance, in [0, 1]: the share of rows that would have to be in another bin. */
export function totalVariationDistance({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let total = 0;
  for (let bin = 0; bin < reference.length; bin++) total += Math.abs(reference[bin] / n - current[bin] / m);
  return total / 2;
}

/**
 * The Wasserstein distance of order 1, in the unit of the values: how far a row would have to move, on average.
 *
 * @param values What a row of each bin counts as, ascending.
 */
export function wassersteinDistance({ reference, current }: Binned, values: ArrayLike<number>): number {
  const [n, m] = [sum(reference), sum(current)];
  let [below, belowCurrent, distance] = [0, 0, 0];
  for (let bin = 0; bin + 1 < reference.length; bin++) {
    below += reference[bin];
    belowCurrent += current[bin];
    distance += Math.abs(below / n - belowCurrent / m) * (values[bin + 1] - values[bin]);
  }
  return distance;
}

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let bin = 0; bin < counts.length; bin++) total += counts[bin];
  return total;
}
