/**
 * The binomial law, far into its tails: every probability is computed as itself, never as 1 minus its complement.
 *
 * @source Loader 2000, "Fast and Accurate Computation of Binomial Probabilities"
 */

/** ln n! less Stirling's approximation of it, for n = 0 … 15. */
const STIRLING_ERRORS = stirlingErrors(15);

function stirlingErrors(last: number): Float64Array {
  const errors = new Float64Array(last + 1); // for n = 0 it is never asked
  for (let n = 1, factorial = 1; n <= last; n++) {
    factorial *= n; // exact up to 18!
    errors[n] = Math.log(factorial / (Math.sqrt(2 * Math.PI * n) * (n / Math.E) ** n));
  }
  return errors;
}

/** ln n! − ln(√(2πn) (n/e)ⁿ), for whole n ≥ 1. */
function stirlingError(n: number): number {
  if (n < STIRLING_ERRORS.length) return STIRLING_ERRORS[n];
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
}

/** x ln(x / mean) + mean − x, without cancellation where the two are near each other. */
function deviance(x: number, mean: number): number {
  if (Math.abs(x - mean) >= 0.1 * (x + mean)) return x * Math.log(x / mean) + mean - x;
  const ratio = (x - mean) / (x + mean);
  let sum = (x - mean) * ratio;
  let power = 2 * x * ratio;
  for (let j = 1; ; j++) {
    power *= ratio * ratio;
    const next = sum + power / (2 * j + 1);
    if (next === sum) return sum;
    sum = next;
  }
}

/** P(X = k) of X ~ Binomial(n, p). @param q 1 − p, for where the caller knows it better */
export function binomialProbability(k: number, n: number, p: number, q: number = 1 - p): number {
  if (k < 0 || k > n) return 0;
  if (p <= 0) return k === 0 ? 1 : 0;
  if (q <= 0) return k === n ? 1 : 0;
  if (k === 0) return Math.exp(p < 0.1 ? n * Math.log1p(-p) : n * Math.log(q));
  if (k === n) return Math.exp(q < 0.1 ? n * Math.log1p(-q) : n * Math.log(p));
  const exponent =
    stirlingError(n) - stirlingError(k) - stirlingError(n - k) - deviance(k, n * p) - deviance(n - k, n * q);
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/** P(X ≥ k). */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (k <= n * p) return 1 - sumTail(k - 1, -1, n, p);
  return sumTail(k, 1, n, p);
}

/** P(X ≤ k). */
export function binomialLowerTail(k: number, n: number, p: number): number {
  return binomialUpperTail(n - k, n, 1 - p);
}

/** Sum of the probabilities from k outwards, away from the mean: each is the one before times a ratio below 1. */
function sumTail(k: number, step: 1 | -1, n: number, p: number): number {
  let term = binomialProbability(k, n, p);
  let sum = 0;
  for (let j = k; j >= 0 && j <= n; j += step) {
    const next = sum + term;
    if (next === sum) break;
    sum = next;
    term *= step === 1 ? ((n - j) / (j + 1)) * (p / (1 - p)) : (j / (n - j + 1)) * ((1 - p) / p);
  }
  return sum;
}

/**
 * The exact interval of a share of which k in n were seen: each bound leaves `tail` on its side.
 *
 * @source Clopper & Pearson 1934
 */
export function clopperPearson(k: number, n: number, tail: number): { readonly low: number; readonly high: number } {
  return {
    low: k === 0 ? 0 : bisect((p) => binomialUpperTail(k, n, p) - tail),
    high: k === n ? 1 : bisect((p) => tail - binomialLowerTail(k, n, p)),
  };
}

/** The root of an increasing function in [0, 1]. */
function bisect(f: (p: number) => number): number {
  let [low, high] = [0, 1];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) return middle;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
}
