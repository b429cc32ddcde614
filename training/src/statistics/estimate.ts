/** A figure of a sample, with how far it may be off. */

export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** Of a normal distribution within so many standard deviations are 95 %. */
export const Z95 = 1.959963984540054;

/** Of 95 %. */
export function withInterval({ value, standardError }: Estimate): {
  readonly value: number;
  readonly low: number;
  readonly high: number;
} {
  return { value, low: value - Z95 * standardError, high: value + Z95 * standardError };
}

/** The weighted mean of values and its standard error. */
export function weightedMean(values: Float64Array, weights: Float64Array): Estimate {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += weights[i] * values[i];
    total += weights[i];
  }
  const value = sum / total;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (weights[i] * (values[i] - value)) ** 2;
  return { value, standardError: Math.sqrt(squares) / total };
}
