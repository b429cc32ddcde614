/** Gauss–Legendre quadrature. */

export interface Quadrature {
  /** Ascending, in (0, 1). */
  readonly nodes: Float64Array;
  /** They sum to 1. */
  readonly weights: Float64Array;
}

/**
 * Nodes and weights on (0, 1), exact for polynomials of a degree below 2n: the roots of the Legendre polynomial, by Newton's
 * method.
 *
 * @param n At least 1.
 * @source Press et al., Numerical Recipes, §4.6
 */
export function gaussLegendre(n: number): Quadrature {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (n + 0.5)); // close to the i-th root on (−1, 1)
    let slope = 0;
    for (let step = Number.POSITIVE_INFINITY; Math.abs(step) > 1e-15; x -= step) {
      let [before, value] = [0, 1];
      for (let k = 1; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (n * (x * value - before)) / (x * x - 1);
      step = value / slope;
    }
    nodes[i] = (1 + x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}
