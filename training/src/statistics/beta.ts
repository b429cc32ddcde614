/** The beta law. */
import { logGamma } from "./gamma.ts";

/** Terms of the continued fraction; √(a + b) times a few are needed. */
const MOST_TERMS = 10_000;

/**
 * I_x(a, b), the regularised incomplete beta function: P(X ≤ x) of X ~ Beta(a, b), by a continued fraction (Lentz' method),
 * on the side of the mean on which it converges.
 *
 * @param x In [0, 1]. @param a Above 0, as `b`.
 * @source Abramowitz & Stegun 26.5.8
 */
export function lowerBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - lowerBeta(1 - x, b, a);
  const scale = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let fraction = d;
  for (let m = 1; m < MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) <= 2 * Number.EPSILON) break;
  }
  return scale * fraction;
}
