/**
 * How one column looked in the training data, as exact counts: of numbers at cut points, of categories by level. A check
 * counts the current rows the same way and needs no row of the training data.
 *
 * Cut points are the values themselves where there are few; else quantiles. A distance between counts at some of the values
 * is never larger than that between the samples, so cut points raise no false alarm; what they may hide is the mass
 * between two of them, a thousandth.
 */

export interface NumberReference {
  readonly kind: "number";
  /** Ascending; the last is the greatest value. Bin k holds what is above cut k − 1 and at most cut k. */
  readonly cuts: Float32Array;
  /** Rows per bin, and at the end a 0: those above every cut, of which only a check finds some. */
  readonly counts: Uint32Array;
  readonly missing: number;
}

export interface CategoryReference {
  readonly kind: "category";
  readonly levels: readonly string[];
  /** Rows per level, and at the end a 0: those of levels that are not among them. */
  readonly counts: Uint32Array;
  readonly missing: number;
}

export type ColumnReference = NumberReference | CategoryReference;

/** @param sorted Ascending, none missing. @param mostCuts Cut points are quantiles where there are more values than this. */
export function referenceNumbers(sorted: Float32Array, missing: number, mostCuts: number): NumberReference {
  const values = distinct(sorted, mostCuts + 1);
  const cuts = values.length <= mostCuts ? values : quantileCuts(sorted, mostCuts);
  const counts = new Uint32Array(cuts.length + 1);
  for (let bin = 0, row = 0; bin < cuts.length; bin++) {
    const start = row;
    row = endOf(sorted, cuts[bin], row);
    counts[bin] = row - start;
  }
  return { kind: "number", cuts, counts, missing };
}

/** @param codes Places in `levels`; NaN is missing. */
export function referenceLevels(codes: Float32Array, levels: readonly string[]): CategoryReference {
  const counts = new Uint32Array(levels.length + 1);
  let missing = 0;
  for (const code of codes) {
    if (Number.isNaN(code)) missing++;
    else counts[code]++;
  }
  return { kind: "category", levels, counts, missing };
}

/** @param most Looks no further when there are so many. */
function distinct(sorted: Float32Array, most: number): Float32Array {
  const values: number[] = [];
  for (let row = 0; row < sorted.length && values.length < most; row = endOf(sorted, sorted[row], row)) {
    values.push(sorted[row]);
  }
  return Float32Array.from(values);
}

function quantileCuts(sorted: Float32Array, size: number): Float32Array {
  const cuts = new Set<number>();
  for (let k = 1; k <= size; k++) cuts.add(sorted[Math.ceil((k * sorted.length) / size) - 1]);
  return Float32Array.from(cuts);
}

/** The first row at or after `from` whose value is above `value`: by doubling steps, then halving them. */
function endOf(sorted: Float32Array, value: number, from: number): number {
  let low = from;
  let step = 1;
  while (low + step < sorted.length && sorted[low + step] <= value) {
    low += step;
    step *= 2;
  }
  let high = Math.min(sorted.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The value below which a share of the rows lies, to the nearest cut point; NaN without rows. */
export function referenceQuantile({ cuts, counts }: NumberReference, share: number): number {
  const target = share * total(counts);
  let below = 0;
  for (let bin = 0; bin < cuts.length; bin++) {
    below += counts[bin];
    if (below >= target) return cuts[bin];
  }
  return Number.NaN;
}

/** The sum of counts. */
export function total(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i];
  return sum;
}

/** Bin → group of neighbouring bins, each with about as many rows; the bin above all others belongs to the last. */
export function groupsOfEqualMass(counts: ArrayLike<number>, groups: number): Uint16Array {
  const n = total(counts);
  let below = 0;
  return Uint16Array.from(counts, (count) => {
    const group = Math.floor((groups * (below + count / 2)) / n);
    below += count;
    return Math.min(groups - 1, group);
  });
}
