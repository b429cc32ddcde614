/** A straight line through points, by least squares, with the interval of its slope. */

export interface Trend {
  readonly slope: number;
  /** Of 95 %. */
  readonly low: number;
  readonly high: number;
}

/** @param x At least four, not all equal. */
export function linearTrend(x: readonly number[], y: readonly number[]): Trend {
  const n = x.length;
  if (n < 4) throw new Error(`a trend needs 4 points, got ${n}`);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / n;
  const [meanX, meanY] = [mean(x), mean(y)];
  const sxx = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
  const slope = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i] - meanY), 0) / sxx;
  const residual = y.reduce((sum, value, i) => sum + (value - meanY - slope * (x[i] - meanX)) ** 2, 0);
  const margin = studentT975(n - 2) * Math.sqrt(residual / (n - 2) / sxx);
  return { slope, low: slope - margin, high: slope + margin };
}

/**
 * The 0.975 quantile of Student's t, to 0.8 % from two degrees of freedom on.
 *
 * @source Abramowitz & Stegun 1964, 26.7.5
 */
export function studentT975(freedom: number): number {
  const z = 1.959964;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return terms.reduce((sum, term, i) => sum + term / freedom ** (i + 1), z);
}
