/**
 * Counts values at the cut points of a reference: a grid of equal cells says between which cut
 * points a value lies, and what is left is searched.
 */

const CELLS = 16_384;
/** Cut points of a cell that are looked at one by one, which is faster than by halves. */
const FEW = 4;

/** Where to look for a value among cut points. */
interface Grid {
  readonly cuts: Float32Array;
  readonly lowest: number;
  /** NaN without a cut point: no value is as low. */
  readonly highest: number;
  /** Cells per unit. */
  readonly scale: number;
  /** Per cell the first cut point in it or after it. */
  readonly firsts: Uint16Array;
}

export class BinCounter {
  /** Per bin, the last above every cut point. */
  readonly counts: Uint32Array;
  missing = 0;
  readonly #grid: Grid;

  /** @param cuts Ascending. */
  constructor(cuts: Float32Array) {
    this.counts = new Uint32Array(cuts.length + 1);
    const last = cuts.length - 1;
    const [lowest, highest] = [cuts[0] ?? Number.NaN, cuts[last] ?? Number.NaN];
    const scale = highest > lowest ? CELLS / (highest - lowest) : 0;
    const firsts = new Uint16Array(CELLS + 2);
    for (let cell = 0, cut = 0; cell < firsts.length; cell++) {
      while (cut < last && (cuts[cut] - lowest) * scale < cell) cut++;
      firsts[cell] = cut;
    }
    this.#grid = { cuts, lowest, highest, scale, firsts };
  }

  /** @param values As float32 or wider; NaN is missing. */
  add(values: Float32Array | Float64Array): void {
    const { counts } = this;
    const grid = this.#grid;
    let missing = 0;
    for (let i = 0; i < values.length; i++) {
      const value = Math.fround(values[i]);
      if (value - value === 0) counts[find(grid, value)]++;
      else missing++; // NaN, or without an end
    }
    this.missing += missing;
  }

  /** @param value A float32. */
  binOf(value: number): number {
    return find(this.#grid, value);
  }
}

function find({ cuts, lowest, highest, scale, firsts }: Grid, value: number): number {
  if (!(value <= highest)) return cuts.length;
  if (value <= lowest) return 0;
  const cell = ((value - lowest) * scale) | 0;
  let low = firsts[cell];
  let high = firsts[cell + 1];
  while (high - low > FEW) {
    const middle = (low + high) >>> 1;
    if (cuts[middle] < value) low = middle + 1;
    else high = middle;
  }
  while (low < high && cuts[low] < value) low++;
  return low;
}
