/**
 * Draws from the distributions that a synthetic world needs, on top of the uniform generator.
 *
 * Each takes its generator as the first argument. Logarithms and exponentials come from tables that are made once:
 * a call of the library's costs as much as five draws, and ten of them would be half the price of a customer.
 */
import type { Random } from "../random.ts";

const TWO_POW_16 = 65536;
const TWO_POW_32 = 4294967296;

/** The ziggurat's layers: the normal density cut into 128 strips of equal area. */
const LAYERS = 128;
/** Where the tail begins, and the area of each strip, for 128 layers. */
const TAIL_START = 3.442619855899;
const LAYER_AREA = 9.91256303526217e-3;

/** Right edge of each strip, from the tail inwards; RATIOS[i] = EDGES[i + 1] / EDGES[i]. */
const EDGES = ziggurat();
const RATIOS = Float64Array.from({ length: LAYERS }, (_, layer) => EDGES[layer + 1] / EDGES[layer]);

function ziggurat(): Float64Array {
  const edges = new Float64Array(LAYERS + 1);
  let density = Math.exp(-0.5 * TAIL_START * TAIL_START);
  edges[0] = LAYER_AREA / density;
  edges[1] = TAIL_START;
  for (let layer = 2; layer < LAYERS; layer++) {
    edges[layer] = Math.sqrt(-2 * Math.log(LAYER_AREA / edges[layer - 1] + density));
    density = Math.exp(-0.5 * edges[layer] * edges[layer]);
  }
  return edges;
}

/**
 * A standard normal draw. All but one in a hundred need no more than this: small enough to be put in line.
 *
 * @source Doornik 2005, "An improved ziggurat method to generate normal random samples"
 */
export function normal(random: Random): number {
  // Seven bits choose the strip, the other twenty-five a place in [-1, 1).
  const bits = random.int32();
  const layer = bits & (LAYERS - 1);
  const u = (bits >> 7) / 16777216;
  return Math.abs(u) < RATIOS[layer] ? u * EDGES[layer] : edgeOrTail(random, layer, u);
}

/** The rest of a draw that fell beside the strips' rectangles. */
function edgeOrTail(random: Random, layer: number, u: number): number {
  if (layer === 0) return u < 0 ? -tail(random) : tail(random);
  const x = u * EDGES[layer];
  const outer = Math.exp(-0.5 * (EDGES[layer] * EDGES[layer] - x * x));
  const inner = Math.exp(-0.5 * (EDGES[layer + 1] * EDGES[layer + 1] - x * x));
  return inner + random.uniform() * (outer - inner) < 1 ? x : normal(random);
}

/** A normal draw beyond `TAIL_START`. @source Marsaglia 1964 */
function tail(random: Random): number {
  for (;;) {
    const x = exponential(random) / TAIL_START;
    if (2 * exponential(random) > x * x) return TAIL_START + x;
  }
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

/**
 * One of the whole numbers 0, 1, …, each as likely as its weight.
 *
 * @source Chen & Asau 1974, "On generating random variates from an empirical distribution": the first bits of the
 *   draw say where in the cumulated weights to begin the search
 */
export class Discrete {
  readonly #cumulative: Float64Array; // in units of 2^-32
  readonly #guide: Uint16Array; // per leading bits: the smallest number whose share they can reach
  readonly #shift: number;

  /** @param weights At least one, none negative; any sum above zero. */
  constructor(weights: Iterable<number>) {
    const list = [...weights];
    const total = list.reduce((sum, weight) => sum + weight, 0);
    this.#cumulative = new Float64Array(list.length);
    for (let number = 0, sum = 0; number < list.length; number++) {
      sum += list[number] / total;
      this.#cumulative[number] = sum * TWO_POW_32;
    }
    const last = list.findLastIndex((weight) => weight > 0);
    this.#cumulative.fill(TWO_POW_32, last); // whatever rounding has left
    // A few entries per number: the search is short, and the table small enough for a processor to keep at hand.
    const bits = list.length <= 32 ? 6 : 10;
    this.#shift = 32 - bits;
    this.#guide = Uint16Array.from({ length: 2 ** bits }, (_, lead) =>
      this.#cumulative.findIndex((limit) => lead * 2 ** this.#shift < limit),
    );
  }

  draw(random: Random): number {
    const bits = random.int32();
    let number = this.#guide[bits >>> this.#shift];
    while (bits >>> 0 >= this.#cumulative[number]) number++;
    return number;
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
