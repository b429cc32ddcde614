/**
 * The two passes of TreeSHAP over one tree, for six quadrature nodes at a time, in WebAssembly (AssemblyScript; `npm run
 * build:wasm` compiles it).
 *
 * What is computed, and why, stands in contract/src/tree-shap.ts: read that first. All memory is laid out there; each
 * `usize` below is the address of an array. A vector is six doubles, one per quadrature node, in three pairs.
 */

/** Bytes of a split, the first eight its children, u32 each: the number of a split, or the float32 of a leaf. */
const SPLIT_BYTES: usize = 40;
const SHARES: usize = 8; // f64, 2: of the rows, by child
const ABOVE_SHARE: usize = 24; // f64
const ABOVE: usize = 32; // i32: number of a split, or -1
const INPUT: usize = 36; // u16
const CUT: usize = 38; // u8
const FLAGS: usize = 39; // u8

const LEFT_IS_LEAF: u32 = 1;
const RIGHT_IS_LEAF: u32 = 2;
const BOTH_ARE_LEAVES: u32 = 3;
const LIES_RIGHT_OF_ABOVE: u32 = 4;
const HAS_ABOVE: u32 = 8;

// The state of a split.
const FOLLOWS: u32 = 1;

const VECTOR_BYTES: usize = 48;

export let nFeatures: u32 = 0;
export let nodes: usize = 0; // vector: t
export let weights: usize = 0; // vector
export let states: usize = 0; // u8 per split, and one before the first
export let down: usize = 0; // vector per split
export let up: usize = 0; // vector per split
export let leaf: usize = 0; // vector: stands for the only leaf of a split, so that which child it is takes no branch

function leafValue(split: usize, isRight: u32): v128 {
  return f64x2.splat(<f64>load<f32>(split + ((<usize>isRight) << 2)));
}

function childVector(base: usize, split: usize, isRight: u32): usize {
  return base + <usize>load<u32>(split + ((<usize>isRight) << 2)) * VECTOR_BYTES;
}

function contribute(contributions: usize, split: usize, factor: f64, a: v128, b: v128, c: v128): void {
  const sums = f64x2.add(f64x2.add(a, b), c);
  const input = <u32>load<u16>(split, INPUT);
  const at = contributions + ((<usize>(input >= nFeatures ? input - nFeatures : input)) << 3);
  const sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  store<f64>(at, load<f64>(at) + factor * sum);
}

/** 1 / (t + z (1 − t)) */
function inverse(t: v128, rest: v128, z: v128): v128 {
  return f64x2.div(f64x2.splat(1), f64x2.add(t, f64x2.mul(z, rest)));
}

function storeVector(to: usize, a: v128, b: v128, c: v128): void {
  v128.store(to, a, 0);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
}

/** a · x + b · y */
function mix(a: v128, x: v128, b: v128, y: v128): v128 {
  return f64x2.add(f64x2.mul(a, x), f64x2.mul(b, y));
}

/**
 * Adds what one tree says of one customer.
 *
 * @param splits Its splits.
 * @param inputs u16, 2 · nFeatures: of the customer.
 * @param contributions f64 per feature.
 */
export function explainTree(splits: usize, nSplits: u32, inputs: usize, contributions: usize): void {
  const t0 = v128.load(nodes, 0);
  const t1 = v128.load(nodes, 16);
  const t2 = v128.load(nodes, 32);
  const one = f64x2.splat(1);
  const r0 = f64x2.sub(one, t0);
  const r1 = f64x2.sub(one, t1);
  const r2 = f64x2.sub(one, t2);

  storeVector(down, v128.load(weights, 0), v128.load(weights, 16), v128.load(weights, 32));
  for (let s: u32 = 0; s < nSplits; s++) {
    const split = splits + <usize>s * SPLIT_BYTES;
    const flags = <u32>load<u8>(split, FLAGS);
    const goesRight = <u32>(load<u16>(inputs + ((<usize>load<u16>(split, INPUT)) << 1)) > <u16>load<u8>(split, CUT));
    const expected = FOLLOWS | ((flags & LIES_RIGHT_OF_ABOVE) >> 1);
    const follows = <u32>(<u32>load<u8>(states + <usize>load<i32>(split, ABOVE)) === expected);
    store<u8>(states + <usize>s, follows | (goesRight << 1));
    const hotShare = load<f64>(split + ((<usize>goesRight) << 3), SHARES);
    const coldShare = load<f64>(split + ((<usize>(1 - goesRight)) << 3), SHARES);
    const hots = f64x2.splat(hotShare);
    const colds = f64x2.splat(coldShare);
    const from = down + <usize>s * VECTOR_BYTES;
    const p0 = v128.load(from, 0);
    const p1 = v128.load(from, 16);
    const p2 = v128.load(from, 32);

    if ((flags & BOTH_ARE_LEAVES) === BOTH_ARE_LEAVES) {
      const hot = leafValue(split, goesRight);
      const cold = leafValue(split, 1 - goesRight);
      const mean = mix(hots, hot, colds, cold);
      const to = up + <usize>s * VECTOR_BYTES;
      if (!follows) {
        storeVector(to, mean, mean, mean);
        continue;
      }
      const difference = f64x2.extract_lane(hot, 0) - f64x2.extract_lane(cold, 0);
      if (!(flags & HAS_ABOVE)) {
        storeVector(to, mix(t0, hot, r0, mean), mix(t1, hot, r1, mean), mix(t2, hot, r2, mean));
        contribute(contributions, split, coldShare * difference, p0, p1, p2);
        continue;
      }
      const aboveShare = load<f64>(split, ABOVE_SHARE);
      const z = f64x2.splat(aboveShare);
      const shared = f64x2.mul(z, mean);
      const i0 = inverse(t0, r0, z);
      const i1 = inverse(t1, r1, z);
      const i2 = inverse(t2, r2, z);
      storeVector(
        to,
        f64x2.mul(i0, mix(t0, hot, r0, shared)),
        f64x2.mul(i1, mix(t1, hot, r1, shared)),
        f64x2.mul(i2, mix(t2, hot, r2, shared)),
      );
      contribute(
        contributions,
        split,
        aboveShare * coldShare * difference,
        f64x2.mul(p0, f64x2.mul(i0, i0)),
        f64x2.mul(p1, f64x2.mul(i1, i1)),
        f64x2.mul(p2, f64x2.mul(i2, i2)),
      );
      continue;
    }

    let hot0: v128, hot1: v128, hot2: v128, cold0: v128, cold1: v128, cold2: v128;
    if (!follows) {
      hot0 = f64x2.mul(p0, hots);
      hot1 = f64x2.mul(p1, hots);
      hot2 = f64x2.mul(p2, hots);
      cold0 = f64x2.mul(p0, colds);
      cold1 = f64x2.mul(p1, colds);
      cold2 = f64x2.mul(p2, colds);
    } else if (!(flags & HAS_ABOVE)) {
      hot0 = f64x2.mul(p0, f64x2.add(t0, f64x2.mul(hots, r0)));
      hot1 = f64x2.mul(p1, f64x2.add(t1, f64x2.mul(hots, r1)));
      hot2 = f64x2.mul(p2, f64x2.add(t2, f64x2.mul(hots, r2)));
      cold0 = f64x2.sub(p0, hot0); // t + h (1 − t) + (1 − h) (1 − t) = 1
      cold1 = f64x2.sub(p1, hot1);
      cold2 = f64x2.sub(p2, hot2);
    } else {
      const z = f64x2.splat(load<f64>(split, ABOVE_SHARE));
      const zHots = f64x2.mul(z, hots);
      hot0 = f64x2.mul(f64x2.mul(p0, inverse(t0, r0, z)), f64x2.add(t0, f64x2.mul(zHots, r0)));
      hot1 = f64x2.mul(f64x2.mul(p1, inverse(t1, r1, z)), f64x2.add(t1, f64x2.mul(zHots, r1)));
      hot2 = f64x2.mul(f64x2.mul(p2, inverse(t2, r2, z)), f64x2.add(t2, f64x2.mul(zHots, r2)));
      cold0 = f64x2.sub(p0, hot0); // as above: the factors of both children sum to that of the feature so far
      cold1 = f64x2.sub(p1, hot1);
      cold2 = f64x2.sub(p2, hot2);
    }
    const toLeft = flags & LEFT_IS_LEAF ? leaf : childVector(down, split, 0);
    const toRight = flags & RIGHT_IS_LEAF ? leaf : childVector(down, split, 1);
    storeVector(select(toRight, toLeft, goesRight), hot0, hot1, hot2);
    storeVector(select(toLeft, toRight, goesRight), cold0, cold1, cold2);
  }

  for (let s = <i32>nSplits - 1; s >= 0; s--) {
    const split = splits + <usize>s * SPLIT_BYTES;
    const flags = <u32>load<u8>(split, FLAGS);
    if ((flags & BOTH_ARE_LEAVES) === BOTH_ARE_LEAVES) continue; // done on the way down
    const state = <u32>load<u8>(states + <usize>s);
    const goesRight = state >> 1;
    const hotShare = load<f64>(split + ((<usize>goesRight) << 3), SHARES);
    const coldShare = load<f64>(split + ((<usize>(1 - goesRight)) << 3), SHARES);
    const hots = f64x2.splat(hotShare);
    const colds = f64x2.splat(coldShare);
    const ofLeft = flags & LEFT_IS_LEAF ? leaf : childVector(up, split, 0);
    const ofRight = flags & RIGHT_IS_LEAF ? leaf : childVector(up, split, 1);
    if (flags & BOTH_ARE_LEAVES) {
      const value = leafValue(split, (flags & RIGHT_IS_LEAF) >> 1);
      storeVector(leaf, value, value, value);
    }
    const ofHot = select(ofRight, ofLeft, goesRight);
    const ofCold = select(ofLeft, ofRight, goesRight);
    const hot0 = v128.load(ofHot, 0);
    const hot1 = v128.load(ofHot, 16);
    const hot2 = v128.load(ofHot, 32);
    const cold0 = v128.load(ofCold, 0);
    const cold1 = v128.load(ofCold, 16);
    const cold2 = v128.load(ofCold, 32);
    const mean0 = mix(hots, hot0, colds, cold0);
    const mean1 = mix(hots, hot1, colds, cold1);
    const mean2 = mix(hots, hot2, colds, cold2);
    const to = up + <usize>s * VECTOR_BYTES;
    if (!(state & FOLLOWS)) {
      storeVector(to, mean0, mean1, mean2);
      continue;
    }
    const from = down + <usize>s * VECTOR_BYTES;
    const change0 = f64x2.mul(v128.load(from, 0), f64x2.sub(hot0, cold0));
    const change1 = f64x2.mul(v128.load(from, 16), f64x2.sub(hot1, cold1));
    const change2 = f64x2.mul(v128.load(from, 32), f64x2.sub(hot2, cold2));
    if (!(flags & HAS_ABOVE)) {
      storeVector(to, mix(t0, hot0, r0, mean0), mix(t1, hot1, r1, mean1), mix(t2, hot2, r2, mean2));
      contribute(contributions, split, coldShare, change0, change1, change2);
      continue;
    }
    const aboveShare = load<f64>(split, ABOVE_SHARE);
    const z = f64x2.splat(aboveShare);
    const i0 = inverse(t0, r0, z);
    const i1 = inverse(t1, r1, z);
    const i2 = inverse(t2, r2, z);
    storeVector(
      to,
      f64x2.mul(i0, mix(t0, hot0, f64x2.mul(z, r0), mean0)),
      f64x2.mul(i1, mix(t1, hot1, f64x2.mul(z, r1), mean1)),
      f64x2.mul(i2, mix(t2, hot2, f64x2.mul(z, r2), mean2)),
    );
    contribute(
      contributions,
      split,
      aboveShare * coldShare,
      f64x2.mul(change0, f64x2.mul(i0, i0)),
      f64x2.mul(change1, f64x2.mul(i1, i1)),
      f64x2.mul(change2, f64x2.mul(i2, i2)),
    );
  }
}
