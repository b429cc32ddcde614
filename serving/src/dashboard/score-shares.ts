/**
 * The distribution of training's scores, in bins: a model keeps only some quantiles of them, so the distribution
 * function is taken to be straight between two.
 */
import { SCORE_BINS } from "../store/statements.ts";

/** Of [0, 1]. */
export const BINS = SCORE_BINS;

/**
 * Shares of the scores in equal bins of [0, 1], each with its lower edge; the last one with both. They sum to 1.
 *
 * @param quantiles At equal steps of probability from the smallest score to the largest; ascending, at least two.
 */
export function scoreShares(quantiles: readonly number[], bins: number = BINS): number[] {
  const below = (edge: number): number => (edge === bins ? 1 : shareBelow(quantiles, edge / bins));
  return Array.from({ length: bins }, (_, bin) => below(bin + 1) - below(bin));
}

/** P(score < x). Equal quantiles are a jump, which lies above its own score. */
export function shareBelow(quantiles: readonly number[], x: number): number {
  const steps = quantiles.length - 1;
  const last = quantiles.findLastIndex((quantile) => quantile < x);
  if (last === -1) return 0;
  if (last === steps) return 1;
  const [low, high] = [quantiles[last], quantiles[last + 1]];
  return (last + (x - low) / (high - low)) / steps;
}
