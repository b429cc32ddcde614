/**
 * How far two distributions are apart, from how many rows of each lie in the same bins. Effect sizes, no tests: without
 * drift they fall with the number of rows, so a fixed limit on them means something else for each of it.
 *
 * Two shares r/n and c/m that are nearly alike differ by (r·m − c·n) / (n·m), in which nothing is lost: of counts the products
 * are whole.
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
    largest = Math.max(largest, Math.abs(below * m - belowCurrent * n));
  }
  return largest / (n * m);
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
    const before = Math.max(reference[bin], 0.5) * m;
    const now = Math.max(current[bin], 0.5) * n;
    index += (now - before) * Math.log1p((now - before) / before);
  }
  return index / (n * m);
}

/** The Jensen–Shannon distance, in [0, 1]: the root of the divergence, in bits. @source Endres & Schindelin 2003 */
export function jensenShannonDistance({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let divergence = 0;
  for (let bin = 0; bin < reference.length; bin++) {
    const [before, now] = [reference[bin] * m, current[bin] * n];
    if (before + now === 0) continue;
    // p ln(p / middle) + q ln(q / middle) of p = middle · (1 + t) and q = middle · (1 − t)
    const t = (now - before) / (now + before);
    const nats = Math.abs(t) === 1 ? 2 * Math.LN2 : 2 * t * Math.atanh(t) + Math.log1p(-t * t);
    divergence += ((before + now) / 2) * nats;
  }
  return Math.sqrt(divergence / (2 * Math.LN2 * n * m));
}

/** The total variation distance, in [0, 1]: the share of rows that would have to be in another bin. */
export function totalVariationDistance({ reference, current }: Binned): number {
  const [n, m] = [sum(reference), sum(current)];
  let total = 0;
  for (let bin = 0; bin < reference.length; bin++) total += Math.abs(reference[bin] * m - current[bin] * n);
  return total / (2 * n * m);
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
    distance += Math.abs(below * m - belowCurrent * n) * (values[bin + 1] - values[bin]);
  }
  return distance / (n * m);
}

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let bin = 0; bin < counts.length; bin++) total += counts[bin];
  return total;
}
