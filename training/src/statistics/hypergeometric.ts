/** The hypergeometric law: of `drawn` things from `marked` and `plain` ones, how many are marked. */
import { binomialProbability } from "./binomial.ts";

export interface Urn {
  readonly marked: number;
  readonly plain: number;
  readonly drawn: number;
}

/**
 * The exact test of whether two samples have the same share: twice the smaller tail, at most 1.
 *
 * @param k Marked things among those drawn.
 */
export function hypergeometricTwoSided(k: number, urn: Urn): number {
  return Math.min(1, 2 * Math.min(sumTail(k, 1, urn), sumTail(k, -1, urn)));
}

/** P(X = k), from three binomial ones: whatever p they share cancels. @source Loader 2000 */
export function hypergeometricProbability(k: number, { marked, plain, drawn }: Urn): number {
  if (k < 0 || k > marked || k > drawn || drawn - k > plain) return 0;
  const p = drawn / (marked + plain);
  const q = (marked + plain - drawn) / (marked + plain);
  if (p === 0 || q === 0) return 1;
  return (
    (binomialProbability(k, marked, p, q) / binomialProbability(drawn, marked + plain, p, q)) *
    binomialProbability(drawn - k, plain, p, q)
  );
}

/** P(X ≥ k) or P(X ≤ k): a sum from k outwards, until more changes nothing. */
function sumTail(k: number, step: 1 | -1, urn: Urn): number {
  const { marked, plain, drawn } = urn;
  let term = hypergeometricProbability(k, urn);
  let sum = 0;
  for (let j = k; term > 0; j += step) {
    const next = sum + term;
    const ratio =
      step === 1
        ? ((marked - j) / (j + 1)) * ((drawn - j) / (plain - drawn + j + 1))
        : (j / (marked - j + 1)) * ((plain - drawn + j) / (drawn - j + 1));
    if (next === sum && ratio < 1) break;
    sum = next;
    term *= ratio;
  }
  return Math.min(1, sum);
}
