/**
 * The inner loops of growing a tree, for WebAssembly (AssemblyScript; `npm run build:wasm` compiles it).
 *
 * Each function does, to the last bit, what the method of the same name in training/src/forest/plain-kernel.ts does:
 * read that first. Here is only what makes it fast. All memory comes from outside and is laid out there
 * (training/src/forest/wasm-kernel.ts): each `usize` below is the address of one array.
 */

// Sizes.
export let nRows: u32 = 0;
export let nFeatures: u32 = 0;
export let nScored: u32 = 0;
export let blockRows: u32 = 0;
export let minSamplesLeaf: u32 = 0;

// Shared by all threads, read only.
export let bins: usize = 0; // u8, nFeatures × nRows, column-major
export let labels: usize = 0; // u8, nRows
export let cutCounts: usize = 0; // u32, nFeatures: cut points of each feature
export let hasMissing: usize = 0; // u8, nFeatures
export let scoredRows: usize = 0; // u32, nScored
export let scoredBins: usize = 0; // u8, nScored × nFeatures, row-major: a row is one or two lines of the cache

// One thread's own.
export let words: usize = 0; // u32, nRows: count (4 bits) │ label (1) │ row (27)
export let right: usize = 0; // u32, nRows: scratch
export let counts: usize = 0; // u8, nRows
export let block: usize = 0; // u8, nFeatures × blockRows
export let histograms: usize = 0; // u64, BATCH × MAX_BINS: rows │ churners · 2^32; all zero between calls
export let weights: usize = 0; // u64, 32: a word's top 5 bits → rows │ churners · 2^32
export let thresholds: usize = 0; // u64, MAX_COUNT: P(count ≤ k) · 2^32, rounded up
export let randomState: usize = 0; // u32, 4: sfc32's a, b, c, counter
export let features: usize = 0; // u16, nFeatures
export let nodes: usize = 0; // u64 per node: left child │ feature · 2^32 │ cut · 2^48 │ width · 2^56
export let leafScores: usize = 0; // i32 per node
export let sums: usize = 0; // f64, nScored
export let times: usize = 0; // u16, nScored

export let best: usize = 0; // u32, 5: the best split so far: feature, cut, way of missing values, its left child's count, churners
let bestNumerator: f64 = 0; // its gain
let bestDenominator: f64 = 1;

const LABEL_BIT: u32 = 27;
const COUNT_BIT: u32 = 28;
const ROW_MASK: u32 = (1 << 27) - 1;
const MAX_COUNT: u32 = 15;
const MAX_BINS: usize = 256;
const UNSEEN: u32 = 2;
const BATCH: u32 = 4;
/** Walks side by side: each waits for memory while the others go on. */
const LANES: u32 = 4;

export function drawSample(): u32 {
  let a = load<u32>(randomState);
  let b = load<u32>(randomState, 4);
  let c = load<u32>(randomState, 8);
  let counter = load<u32>(randomState, 12);
  const t0 = load<u64>(thresholds);
  const t1 = load<u64>(thresholds, 8);
  const t2 = load<u64>(thresholds, 16);
  const t3 = load<u64>(thresholds, 24);
  const t4 = load<u64>(thresholds, 32);
  const end = nRows;
  let to = words;
  for (let row: u32 = 0; row < end; row++) {
    const bits = a + b + counter;
    counter++;
    a = b ^ (b >>> 9);
    b = c + (c << 3);
    c = rotl<u32>(c, 21) + bits;
    const draw = u64(bits);
    let count = u32(draw >= t0) + u32(draw >= t1) + u32(draw >= t2) + u32(draw >= t3);
    if (draw >= t4) count = rareCount(draw);
    store<u8>(counts + row, count);
    store<u32>(to, (count << COUNT_BIT) | row);
    to += usize(count > 0) << 2;
  }
  store<u32>(randomState, a);
  store<u32>(randomState, b, 4);
  store<u32>(randomState, c, 8);
  store<u32>(randomState, counter, 12);
  let total: u64 = 0;
  for (let at = words; at < to; at += 4) {
    const word = load<u32>(at) | (u32(load<u8>(labels + (load<u32>(at) & ROW_MASK))) << LABEL_BIT);
    store<u32>(at, word);
    total += load<u64>(weights + (usize(word >>> LABEL_BIT) << 3));
  }
  store<u32>(best, u32(total), 12);
  store<u32>(best, u32(total >>> 32), 16);
  return u32((to - words) >>> 2);
}

/** The count of a draw that lies above the fifth threshold. */
function rareCount(draw: u64): u32 {
  let count: u32 = 5;
  while (count < MAX_COUNT && draw >= load<u64>(thresholds + (usize(count) << 3))) count++;
  return count;
}

export function gather(start: u32, end: u32): void {
  const from = words + (usize(start) << 2);
  const to = words + (usize(end) << 2);
  for (let f: u32 = 0; f < nFeatures; f++) {
    const column = bins + usize(f) * nRows;
    let out = block + usize(f) * blockRows;
    for (let at = from; at < to; at += 4, out++) store<u8>(out, load<u8>(column + (load<u32>(at) & ROW_MASK)));
  }
  for (let at = from, row: u32 = 0; at < to; at += 4, row++) store<u32>(at, (load<u32>(at) & ~ROW_MASK) | row);
}

export function startSearch(): void {
  store<u32>(best, 0xffff);
  bestNumerator = 0;
  bestDenominator = 1;
}

export function trySplits(from: u32, to: u32, start: u32, end: u32, count: u32, churners: u32, isGathered: bool): void {
  const base = isGathered ? block : bins;
  const rows = isGathered ? blockRows : nRows;
  for (let next = from; next < to; ) {
    const n = min(BATCH, to - next);
    const c0 = base + usize(feature(next)) * rows;
    const c1 = n > 1 ? base + usize(feature(next + 1)) * rows : c0;
    const c2 = n > 2 ? base + usize(feature(next + 2)) * rows : c0;
    const c3 = n > 3 ? base + usize(feature(next + 3)) * rows : c0;
    const first = words + (usize(start) << 2);
    const last = words + (usize(end) << 2);
    if (n === 1) fill1(first, last, c0);
    else if (n === 2) fill2(first, last, c0, c1);
    else if (n === 3) fill3(first, last, c0, c1, c2);
    else fill4(first, last, c0, c1, c2, c3);
    for (let i: u32 = 0; i < n; i++) scan(feature(next + i), histograms + usize(i) * (MAX_BINS << 3), count, churners);
    next += n;
  }
}

function feature(at: u32): u32 {
  return load<u16>(features + (usize(at) << 1));
}

function add(histogram: usize, bin: u8, weight: u64): void {
  const at = histogram + (usize(bin) << 3);
  store<u64>(at, load<u64>(at) + weight);
}

// One, two, three or four features in a pass: their additions do not wait for each other.

function fill1(first: usize, last: usize, c0: usize): void {
  const h0 = histograms;
  const table = weights;
  for (let at = first; at < last; at += 4) {
    const word = load<u32>(at);
    const row = word & ROW_MASK;
    const weight = load<u64>(table + (usize(word >>> LABEL_BIT) << 3));
    add(h0, load<u8>(c0 + row), weight);
  }
}

function fill2(first: usize, last: usize, c0: usize, c1: usize): void {
  const h0 = histograms;
  const h1 = h0 + (MAX_BINS << 3);
  const table = weights;
  for (let at = first; at < last; at += 4) {
    const word = load<u32>(at);
    const row = word & ROW_MASK;
    const weight = load<u64>(table + (usize(word >>> LABEL_BIT) << 3));
    add(h0, load<u8>(c0 + row), weight);
    add(h1, load<u8>(c1 + row), weight);
  }
}

function fill3(first: usize, last: usize, c0: usize, c1: usize, c2: usize): void {
  const h0 = histograms;
  const h1 = h0 + (MAX_BINS << 3);
  const h2 = h1 + (MAX_BINS << 3);
  const table = weights;
  for (let at = first; at < last; at += 4) {
    const word = load<u32>(at);
    const row = word & ROW_MASK;
    const weight = load<u64>(table + (usize(word >>> LABEL_BIT) << 3));
    add(h0, load<u8>(c0 + row), weight);
    add(h1, load<u8>(c1 + row), weight);
    add(h2, load<u8>(c2 + row), weight);
  }
}

function fill4(first: usize, last: usize, c0: usize, c1: usize, c2: usize, c3: usize): void {
  const h0 = histograms;
  const h1 = h0 + (MAX_BINS << 3);
  const h2 = h1 + (MAX_BINS << 3);
  const h3 = h2 + (MAX_BINS << 3);
  const table = weights;
  for (let at = first; at < last; at += 4) {
    const word = load<u32>(at);
    const row = word & ROW_MASK;
    const weight = load<u64>(table + (usize(word >>> LABEL_BIT) << 3));
    add(h0, load<u8>(c0 + row), weight);
    add(h1, load<u8>(c1 + row), weight);
    add(h2, load<u8>(c2 + row), weight);
    add(h3, load<u8>(c3 + row), weight);
  }
}

function scan(f: u32, histogram: usize, n: u32, p: u32): void {
  const nCuts = load<u32>(cutCounts + (usize(f) << 2));
  const least = minSamplesLeaf;
  const span = n - 2 * least; // nLeft - least lies in [0, span] when both children have enough rows
  const lastBin = histogram + (usize(nCuts) << 3);
  const missing: u64 = load<u8>(hasMissing + f) ? load<u64>(lastBin) : 0;
  const n64 = i64(n);
  const p64 = i64(p);
  let numerator = bestNumerator;
  let denominator = bestDenominator;
  let left: u64 = 0; // rows │ churners · 2^32, as in a bin
  let bestLeft: u64 = 0;
  let cutAt: usize = 0;
  let missingRight: u32 = missing ? 1 : UNSEEN;
  for (let base: u32 = 0; base < nCuts; base += 64) {
    const group = histogram + (usize(base) << 3);
    let filled = filledBins(group);
    if (nCuts - base < 64) filled &= (u64(1) << u64(nCuts - base)) - 1;
    for (; filled !== 0; filled &= filled - 1) {
      const at = group + (usize(ctz(filled)) << 3);
      left += load<u64>(at);
      store<u64>(at, 0);
      const nLeft = u32(left);
      if (nLeft - least <= span) {
        const difference = f64(i64(left >>> 32) * n64 - p64 * i64(nLeft));
        const square = difference * difference;
        const product = f64(i64(nLeft) * (n64 - i64(nLeft)));
        if (square * denominator > numerator * product) {
          numerator = square;
          denominator = product;
          cutAt = at;
          bestLeft = left;
          missingRight = missing ? 1 : UNSEEN;
        }
      }
      if (!missing) continue;
      const both = left + missing;
      const nBoth = u32(both);
      if (nBoth - least <= span) {
        const difference = f64(i64(both >>> 32) * n64 - p64 * i64(nBoth));
        const square = difference * difference;
        const product = f64(i64(nBoth) * (n64 - i64(nBoth)));
        if (square * denominator > numerator * product) {
          numerator = square;
          denominator = product;
          cutAt = at;
          bestLeft = both;
          missingRight = 0;
        }
      }
    }
  }
  store<u64>(lastBin, 0);
  if (cutAt === 0) return;
  bestNumerator = numerator;
  bestDenominator = denominator;
  store<u32>(best, f);
  store<u32>(best, u32((cutAt - histogram) >>> 3), 4);
  store<u32>(best, missingRight, 8);
  store<u32>(best, u32(bestLeft), 12);
  store<u32>(best, u32(bestLeft >>> 32), 16);
}

/** One bit for each of 64 bins: whether it holds a row. Most nodes are small, and most of their bins empty. */
function filledBins(group: usize): u64 {
  return (
    filled16(group) | (filled16(group + 128) << 16) | (filled16(group + 256) << 32) | (filled16(group + 384) << 48)
  );
}

function filled16(at: usize): u64 {
  const low = i16x8.narrow_i32x4_s(rows4(at), rows4(at + 32));
  const high = i16x8.narrow_i32x4_s(rows4(at + 64), rows4(at + 96)); // narrowing saturates: what is not 0 stays so
  return u64(i8x16.bitmask(i8x16.ne(i8x16.narrow_i16x8_s(low, high), i8x16.splat(0))));
}

/** The rows of four bins. */
function rows4(at: usize): v128 {
  return v128.shuffle<i32>(v128.load(at), v128.load(at, 16), 0, 2, 4, 6);
}

export function partition(start: u32, end: u32, f: u32, cut: u32, width: u32, isGathered: bool): u32 {
  const column = isGathered ? block + usize(f) * blockRows : bins + usize(f) * nRows;
  const to = words + (usize(end) << 2);
  const first = cut + 1;
  const scratch = right;
  let atLeft = words + (usize(start) << 2);
  let atRight = scratch;
  for (let at = atLeft; at < to; at += 4) {
    const word = load<u32>(at);
    const goesRight = usize(u32(load<u8>(column + (word & ROW_MASK))) - first < width);
    store<u32>(atLeft, word);
    store<u32>(atRight, word);
    atLeft += 4 - (goesRight << 2);
    atRight += goesRight << 2;
  }
  memory.copy(atLeft, scratch, atRight - scratch);
  return u32((atLeft - words) >>> 2);
}

export function scoreUnseen(depth: u32): void {
  const unseen = right; // the tree is grown: its scratch is free
  let nUnseen: u32 = 0;
  for (let i: u32 = 0; i < nScored; i++) {
    store<u32>(unseen + (usize(nUnseen) << 2), i);
    nUnseen += u32(load<u8>(counts + load<u32>(scoredRows + (usize(i) << 2))) === 0);
  }
  const last = nUnseen === 0 ? 0 : load<u32>(unseen + (usize(nUnseen - 1) << 2));
  for (let i: u32 = 0; i < nUnseen; i += LANES) {
    const ia = load<u32>(unseen + (usize(i) << 2));
    const ib = i + 1 < nUnseen ? load<u32>(unseen + (usize(i + 1) << 2)) : last;
    const ic = i + 2 < nUnseen ? load<u32>(unseen + (usize(i + 2) << 2)) : last;
    const id = i + 3 < nUnseen ? load<u32>(unseen + (usize(i + 3) << 2)) : last;
    const xa = scoredBins + usize(ia) * nFeatures;
    const xb = scoredBins + usize(ib) * nFeatures;
    const xc = scoredBins + usize(ic) * nFeatures;
    const xd = scoredBins + usize(id) * nFeatures;
    let a: u32 = 0;
    let b: u32 = 0;
    let c: u32 = 0;
    let d: u32 = 0;
    for (let step: u32 = 0; step < depth; step++) {
      a = child(a, xa);
      b = child(b, xb);
      c = child(c, xc);
      d = child(d, xd);
    }
    addScore(ia, a);
    if (i + 1 < nUnseen) addScore(ib, b);
    if (i + 2 < nUnseen) addScore(ic, c);
    if (i + 3 < nUnseen) addScore(id, d);
  }
}

/** Where a row goes from a node: a leaf has width 0 and is its own left child. */
function child(node: u32, row: usize): u32 {
  const word = load<u64>(nodes + (usize(node) << 3));
  const bin = u32(load<u8>(row + usize((word >>> 32) & 0xffff)));
  const first = (u32(word >>> 48) & 0xff) + 1;
  return u32(word) + u32(bin - first < u32(word >>> 56));
}

function addScore(scored: u32, leaf: u32): void {
  const sum = sums + (usize(scored) << 3);
  store<f64>(sum, load<f64>(sum) + f64(load<i32>(leafScores + (usize(leaf) << 2))));
  const time = times + (usize(scored) << 1);
  store<u16>(time, load<u16>(time) + 1);
}
