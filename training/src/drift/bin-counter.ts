/**
 * Counts values at the cut points of a reference: a grid of equal cells says near which cut
 * points a value lies, and these are looked at one by one.
 */

const CELLS = 16_384;
/** More cut points of one cell are searched by halves. */
const FEW = 4;

export class BinCounter {
  /** Per bin, the last above every cut point. */
  readonly counts: Uint32Array;
  missing = 0;
  /** One more than there are: nothing is above the last. */
  readonly #cuts: Float32Array;
  readonly #lowest: number;
  /** Cells per unit. */
  readonly #scale: number;
  /** Per cell the first cut point in it or after it. */
  readonly #firsts: Uint16Array;

  /** @param cuts Ascending. */
  constructor(cuts: Float32Array) {
    this.counts = new Uint32Array(cuts.length + 1);
    this.#cuts = Float32Array.of(...cuts, Number.POSITIVE_INFINITY);
    const lowest = cuts[0] ?? 0;
    const width = (cuts.at(-1) ?? 0) - lowest;
    this.#lowest = lowest;
    this.#scale = width > 0 ? CELLS / width : 0;
    this.#firsts = new Uint16Array(CELLS + 2);
    for (let cell = 0, cut = 0; cell < this.#firsts.length; cell++) {
      while (cut < cuts.length - 1 && (cuts[cut] - lowest) * this.#scale < cell) cut++;
      this.#firsts[cell] = cut;
    }
  }

  /** @param values As float32 or wider; NaN is missing. */
  add(values: Float32Array | Float64Array): void {
    const { counts } = this;
    const [cuts, lowest, scale, firsts] = [this.#cuts, this.#lowest, this.#scale, this.#firsts];
    let missing = 0;
    for (let i = 0; i < values.length; i++) {
      const value = Math.fround(values[i]);
      if (value - value === 0) counts[find(value, cuts, lowest, scale, firsts)]++;
      else missing++; // NaN, or without an end
    }
    this.missing += missing;
  }

  /** @param value A float32. */
  binOf(value: number): number {
    return find(value, this.#cuts, this.#lowest, this.#scale, this.#firsts);
  }
}

/** The first cut point that is not below the value. */
function find(value: number, cuts: Float32Array, lowest: number, scale: number, firsts: Uint16Array): number {
  const place = (value - lowest) * scale;
  const cell = place >= 0 ? (place <= CELLS ? place | 0 : CELLS) : 0;
  let low = firsts[cell];
  let high = firsts[cell + 1];
  while (high - low > FEW) {
    const middle = (low + high) >>> 1;
    if (cuts[middle] < value) low = middle + 1;
    else high = middle;
  }
  while (cuts[low] < value) low++;
  return low;
}
