/**
 * The walk of many customers through all trees, in WebAssembly (AssemblyScript; `npm run build:wasm` compiles it).
 *
 * How nodes and inputs are made so that a step needs no branch stands in contract/src/kernel.ts: read that first. All
 * memory is laid out there; each `usize` below is the address of an array.
 */

const CUT_BITS: u32 = 8;
const CUTS: u32 = 255;

export let words: usize = 0; // u32 per node: offset of the left child │ input │ cut
export let values: usize = 0; // f32 per node
export let roots: usize = 0; // u32 per tree, in groups of eight
export let steps: usize = 0; // u32 per group: depth of its deepest tree
export let nGroups: u32 = 0;
export let offsetShift: u32 = 0;
export let rowBytes: u32 = 0; // of a customer's inputs

function next(node: u32, inputs: usize, shift: u32, slots: u32): u32 {
  const word = load<u32>(words + ((<usize>node) << 2));
  const input = <u32>load<u16>(inputs + ((<usize>((word >> CUT_BITS) & slots)) << 1));
  return node + (word >> shift) + <u32>(input > (word & CUTS));
}

function leafValue(node: u32): f64 {
  return <f64>load<f32>(values + ((<usize>node) << 2));
}

/**
 * Adds the leaf values of all trees to each customer's sum, in the same order for one as for many.
 *
 * @param inputs u16, `rowBytes` per customer.
 * @param sums f64 per customer.
 */
export function addTrees(inputs: usize, rows: u32, sums: usize): void {
  const shift = offsetShift;
  const slots: u32 = (1 << (shift - CUT_BITS)) - 1;
  for (let group: u32 = 0; group < nGroups; group++) {
    const depth = load<u32>(steps + ((<usize>group) << 2));
    const root = roots + ((<usize>group) << 5);
    let x = inputs;
    for (let row: u32 = 0; row < rows; row++) {
      let a = load<u32>(root, 0);
      let b = load<u32>(root, 4);
      let c = load<u32>(root, 8);
      let d = load<u32>(root, 12);
      let e = load<u32>(root, 16);
      let f = load<u32>(root, 20);
      let g = load<u32>(root, 24);
      let h = load<u32>(root, 28);
      for (let step = depth; step > 0; step--) {
        a = next(a, x, shift, slots);
        b = next(b, x, shift, slots);
        c = next(c, x, shift, slots);
        d = next(d, x, shift, slots);
        e = next(e, x, shift, slots);
        f = next(f, x, shift, slots);
        g = next(g, x, shift, slots);
        h = next(h, x, shift, slots);
      }
      const at = sums + ((<usize>row) << 3);
      let sum = load<f64>(at);
      sum += leafValue(a) + leafValue(b) + leafValue(c) + leafValue(d);
      sum += leafValue(e) + leafValue(f) + leafValue(g) + leafValue(h);
      store<f64>(at, sum);
      x += rowBytes;
    }
  }
}
