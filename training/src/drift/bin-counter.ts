/**
 * Counts values at the cut points of a reference: a grid of equal cells says between which cut
 * points a value lies, and what is left is searched.
 */

const CELLS = 4096;

export class BinCounter {
  /** Per bin, the last above every cut point. */
  readonly counts: Uint32Array;
  missing = 0;
  readonly #cuts: Float32Array;
  readonly #lowest: number;
  readonly #scale: number;
  /** Per cell the first cut point in it or after it. */
  readonly #firsts = new Uint16Array(CELLS + 2);

  /** @param cuts Ascending. */
  constructor(cuts: Float32Array) {
    this.#cuts = cuts;
    this.counts = new Uint32Array(cuts.length + 1);
    const last = cuts.length - 1;
    this.#lowest = cuts[0];
    const range = cuts[last] - cuts[0];
    this.#scale = range > 0 ? CELLS / range : 0;
    for (let cell = 0, cut = 0; cell < this.#firsts.length; cell++) {
      while (cut < last && (cuts[cut] - this.#lowest) * this.#scale < cell) cut++;
      this.#firsts[cell] = cut;
    }
  }

  /** @param values As float32 or wider; NaN is missing. */
  add(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const value = Math.fround(values[i]);
      if (value - value !== 0)
        this.missing += 1; // NaN, or without an end
      else this.counts[this.binOf(value)] += 1;
    }
  }

  /** @param value A float32. */
  binOf(value: number): number {
    const cuts = this.#cuts;
    if (cuts.length === 0 || value > cuts[cuts.length - 1]) return cuts.length;
    if (value <= cuts[0]) return 0;
    const cell = ((value - this.#lowest) * this.#scale) | 0;
    let low = this.#firsts[cell];
    let high = this.#firsts[cell + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cuts[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
