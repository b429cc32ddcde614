/**
 * Where a value lies among the ascending cut points of its feature: how training makes a byte of it, and how the
 * kernel compares it with all thresholds of the feature at once.
 */

/** Per feature, so that a bin is one byte. */
export const MAX_CUT_POINTS = 255;

/** Cut points as `binOf` takes them: filled up with what no value exceeds. */
export function padCutPoints(cutPoints: ArrayLike<number>): Float32Array {
  const padded = new Float32Array(MAX_CUT_POINTS).fill(Number.POSITIVE_INFINITY);
  padded.set(cutPoints);
  return padded;
}

/**
 * The number of cut points below x, in [0, 255]: so `x > cut k` is the same as `bin > k`. A binary search in eight
 * steps, written out so that none is a branch to mispredict.
 *
 * @param x Not NaN.
 */
export function binOf(x: number, padded: Float32Array): number {
  let bin = +(x > padded[127]) << 7;
  bin += +(x > padded[bin + 63]) << 6;
  bin += +(x > padded[bin + 31]) << 5;
  bin += +(x > padded[bin + 15]) << 4;
  bin += +(x > padded[bin + 7]) << 3;
  bin += +(x > padded[bin + 3]) << 2;
  bin += +(x > padded[bin + 1]) << 1;
  return bin + +(x > padded[bin]);
}
