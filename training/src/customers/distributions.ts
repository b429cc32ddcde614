/**
 * Draws from the distributions that a synthetic world needs, on top of the uniform generator.
 *
 * Each takes its generator as the first argument. All but the gamma draw, which few customers need, look their answer up
 * in a table that is made once: no search, no rejection, no library call. That makes millions of customers a second.
 */
import type { Random } from "../random.ts";

const TWO_POW_16 = 65536;

/** The standard normal distribution in so many equal shares, by the middle of each, divided by √2. */
const SHARE_BITS = 12;
const NORMALS = Float64Array.from({ length: 2 ** SHARE_BITS }, (_, i) => {
  return normalQuantile((i + 0.5) / 2 ** SHARE_BITS) / Math.SQRT2;
});

/** A standard normal draw: the sum of two that are as wide as half of it each, of 4,096 values. */
export function normal(random: Random): number {
  const bits = random.int32();
  return NORMALS[bits >>> (32 - SHARE_BITS)] + NORMALS[bits & (2 ** SHARE_BITS - 1)];
}

/** The inverse of the normal distribution function, by bisection to the last digit: it is asked a few thousand times. */
function normalQuantile(share: number): number {
  let [low, high] = [-9, 9];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalDistribution(middle) < share) low = middle;
    else high = middle;
  }
  return low;
}

/** P(a standard normal draw ≤ x), by its power series. @source Abramowitz & Stegun 26.2.11 */
function normalDistribution(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-17; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** log(1 + i / LOG_CELLS): between two entries it is straight to 3e-8. */
const LOG_CELLS = 2048;
const LOGS = Float64Array.from({ length: LOG_CELLS + 1 }, (_, i) => Math.log(1 + i / LOG_CELLS));

/** An exponential draw of mean 1: −log u, for u with its leading zeros counted and the rest looked up. */
export function exponential(random: Random): number {
  const bits = random.int32() | 1;
  const zeros = Math.clz32(bits);
  const mantissa = bits << zeros;
  const cell = (mantissa >>> 20) & (LOG_CELLS - 1);
  const place = (mantissa & 0xfffff) / 0x100000;
  return (zeros + 1) * Math.LN2 - LOGS[cell] - place * (LOGS[cell + 1] - LOGS[cell]);
}

/** exp at every 1/256 from −EXP_LIMIT to EXP_LIMIT: between two entries it is straight to 2e-6 of its value. */
const EXP_LIMIT = 16;
const EXP_CELLS = 256;
const EXPS = Float64Array.from({ length: 2 * EXP_LIMIT * EXP_CELLS + 1 }, (_, i) =>
  Math.exp(i / EXP_CELLS - EXP_LIMIT),
);

/** e^x to six digits, for x in (−16, 16). */
export function exp(x: number): number {
  const position = (x + EXP_LIMIT) * EXP_CELLS;
  const cell = position | 0;
  return EXPS[cell] + (position - cell) * (EXPS[cell + 1] - EXPS[cell]);
}

/** A gamma draw of shape 3 and scale 1: the sum of three exponential draws. */
export function erlang3(random: Random): number {
  return exponential(random) + exponential(random) + exponential(random);
}

/** A gamma draw of scale 1, for shape ≥ 1. @source Marsaglia & Tsang 2000 */
export function gamma(random: Random, shape: number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const root = 1 + c * x;
    const v = root * root * root;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** One of the whole numbers 0, 1, …, each as likely as its weight, to the nearest 4,096th (1,024th of a short list). */
export class Discrete {
  readonly #table: Uint8Array | Uint16Array;
  readonly #shift: number;

  /** @param weights At least one, none negative; any sum above zero. */
  constructor(weights: readonly number[]) {
    const shareBits = weights.length <= 32 ? 10 : 12; // a small table stays close to the processor
    this.#shift = 32 - shareBits;
    this.#table = weights.length <= 256 ? new Uint8Array(2 ** shareBits) : new Uint16Array(2 ** shareBits);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let [cumulated, end] = [0, 0];
    for (const [number, weight] of weights.entries()) {
      cumulated += weight / total;
      const next = Math.round(cumulated * this.#table.length);
      this.#table.fill(number, end, next);
      end = next;
    }
  }

  draw(random: Random): number {
    return this.#table[random.int32() >>> this.#shift];
  }
}

/** The weights of the counts 0 to `most` of a Poisson distribution; the last has those beyond it too. */
export function poissonWeights(mean: number, most: number): number[] {
  const weights: number[] = [];
  let weight = Math.exp(-mean);
  let left = 1;
  for (let count = 0; count < most; count++) {
    weights.push(weight);
    left -= weight;
    weight *= mean / (count + 1);
  }
  return [...weights, Math.max(0, left)];
}

/** Two draws for the price of one: whether each of two chances, in steps of 2^-16, comes true. */
export function isBelow(sixteenBits: number, chance: number): boolean {
  return sixteenBits < chance * TWO_POW_16;
}
