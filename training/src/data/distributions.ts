/**
 * Draws from the distributions that a synthetic world needs, on top of the uniform generator.
 *
 * Each is exact up to the generator's 32 bits, takes its generator as the first argument, and uses only
 * arithmetic that gives the same digits on every machine.
 */
import type { Random } from "../random.ts";

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

/** A standard normal draw. @source Doornik 2005, "An improved ziggurat method to generate normal random samples" */
export function normal(random: Random): number {
  for (;;) {
    // Seven bits choose the strip, the other twenty-five a place in [-1, 1).
    const bits = random.uint32() | 0;
    const layer = bits & (LAYERS - 1);
    const u = (bits >> 7) / 16777216;
    if (Math.abs(u) < RATIOS[layer]) return u * EDGES[layer];
    if (layer === 0) return u < 0 ? -tail(random) : tail(random);
    const x = u * EDGES[layer];
    const outer = Math.exp(-0.5 * (EDGES[layer] * EDGES[layer] - x * x));
    const inner = Math.exp(-0.5 * (EDGES[layer + 1] * EDGES[layer + 1] - x * x));
    if (inner + random.uniform() * (outer - inner) < 1) return x;
  }
}

/** A normal draw beyond `TAIL_START`. @source Marsaglia 1964 */
function tail(random: Random): number {
  for (;;) {
    const x = exponential(random) / TAIL_START;
    if (2 * exponential(random) > x * x) return TAIL_START + x;
  }
}

/** An exponential draw of mean 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random.uniform());
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

/** A Poisson draw by inversion: time grows with the mean, which should stay below about 30. */
export function poisson(random: Random, mean: number): number {
  let left = random.uniform();
  let probability = Math.exp(-mean);
  let count = 0;
  while (left >= probability && probability > 0) {
    left -= probability;
    count++;
    probability *= mean / count;
  }
  return count;
}

/** The index of one of `weights` (which sum to 1), each as likely as its weight. */
export function choice(random: Random, weights: readonly number[]): number {
  let left = random.uniform();
  const last = weights.length - 1;
  for (let index = 0; index < last; index++) {
    left -= weights[index];
    if (left < 0) return index;
  }
  return last;
}
