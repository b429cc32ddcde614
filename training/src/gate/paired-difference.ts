/** The mean of paired differences, one per customer, and how sure it is. */
import { normalUpperTail } from "../statistics/gamma.ts";

export interface PairedDifference {
  /** Customers. */
  readonly n: number;
  /** Those for whom there is a difference. */
  readonly differing: number;
  readonly mean: number;
  readonly standardDeviation: number;
  /** One-sided bounds at the level. */
  readonly lower: number;
  readonly upper: number;
}

/** @param differences One per customer: of several rows of one, their sum. @param level Of each bound: the probability to be beyond it. */
export function pairedDifference(differences: Float64Array, level: number): PairedDifference {
  const n = differences.length;
  let [sum, differing] = [0, 0];
  for (const difference of differences) {
    sum += difference;
    differing += +(difference !== 0);
  }
  const mean = sum / n;
  let squares = 0;
  for (const difference of differences) squares += (difference - mean) ** 2;
  const standardDeviation = Math.sqrt(squares / (n - 1));
  const reach = (normalQuantile(level) * standardDeviation) / Math.sqrt(n);
  return { n, differing, mean, standardDeviation, lower: mean - reach, upper: mean + reach };
}

/** The z beyond which a normal value is with this probability, by bisection. @param tail In (0, 0.5] */
export function normalQuantile(tail: number): number {
  let [low, high] = [0, 40];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (normalUpperTail(middle) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
