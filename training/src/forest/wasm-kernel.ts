/**
 * The kernel in WebAssembly: the loops of plain-kernel.ts in a shared memory.
 *
 * Bins and labels are in that memory once, for all threads; behind them each thread has its own part. The module
 * (training/assembly/tree-kernel.ts) has a global variable for the address of each array, by the same name.
 */
import { readFileSync } from "node:fs";
import { cumulativeProbabilities, MAX_COUNT } from "../bootstrap.ts";
import type { Random } from "../random.ts";
import {
  BLOCK_ROWS,
  LEAF,
  leafScores,
  leftBin,
  MAX_BINS,
  type NodeRows,
  type Split,
  type Tree,
  type TreeData,
  type TreeKernel,
  type TreeParameters,
  UNSEEN,
} from "./tree-kernel.ts";

const MODULE = new URL("tree-kernel.wasm", import.meta.url);

const PAGE = 2 ** 16;
/** Addresses are 32 bits wide. */
const MAX_PAGES = 2 ** 16;
/** Arrays of different threads never share a line of a cache. */
const ALIGNMENT = 64;
/** Features whose histograms are filled in one pass. */
const BATCH = 4;
/** What a bin counts is one 64-bit word: rows in its lower half, churners in its upper half. */
const CHURNER = 2n ** 32n;
/** How far bins above a cut go right: all of them. */
const NO_EXCEPTION = 255;

/** What the layout of the memory follows from. */
export interface KernelSizes {
  readonly nRows: number;
  readonly nFeatures: number;
  readonly nScored: number;
  readonly maxDepth: number;
}

/** The part of a kernel that all threads share; it can be sent to them. */
export interface SharedKernel {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory<SharedArrayBuffer>;
  readonly sizes: KernelSizes;
}

type Addresses = Readonly<Record<string, number>>;

/** Bytes per array, in their order. */
function sharedArrays({ nRows, nFeatures, nScored }: KernelSizes): Record<string, number> {
  return {
    bins: nFeatures * nRows,
    labels: nRows,
    cutCounts: 4 * nFeatures,
    hasMissing: nFeatures,
    scoredRows: 4 * nScored,
    scoredBins: nScored * nFeatures,
    weights: 8 * 32,
    thresholds: 8 * MAX_COUNT,
  };
}

function threadArrays({ nRows, nFeatures, nScored, maxDepth }: KernelSizes): Record<string, number> {
  const nNodes = Math.min(2 ** (maxDepth + 1), 2 * nRows);
  return {
    words: 4 * nRows,
    right: 4 * nRows,
    counts: nRows,
    block: nFeatures * Math.min(BLOCK_ROWS, nRows),
    histograms: 8 * BATCH * MAX_BINS,
    randomState: 4 * 4,
    features: 2 * nFeatures,
    best: 4 * 5,
    nodes: 8 * nNodes,
    leafScores: 4 * nNodes,
    sums: 8 * nScored,
    times: 2 * nScored,
  };
}

/** One array after the other, from `start` on. */
function layOut(arrays: Readonly<Record<string, number>>, start: number): { addresses: Addresses; end: number } {
  const addresses: Record<string, number> = {};
  let end = start;
  for (const [name, bytes] of Object.entries(arrays)) {
    addresses[name] = end;
    end += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
  return { addresses, end };
}

/** Where each array of a thread and of all threads is. */
function addressesOf(sizes: KernelSizes, thread: number): { addresses: Addresses; end: number } {
  const shared = layOut(sharedArrays(sizes), ALIGNMENT); // 0 is no address
  const own = layOut(threadArrays(sizes), 0).end;
  const { addresses, end } = layOut(threadArrays(sizes), shared.end + thread * own);
  return { addresses: { ...shared.addresses, ...addresses }, end };
}

/**
 * Memory for so many threads.
 *
 * @returns undefined where there is no WebAssembly with shared memory, or where the data do not fit into it
 */
export function shareKernel(sizes: KernelSizes, nThreads: number): SharedKernel | undefined {
  const pages = Math.ceil(addressesOf(sizes, nThreads - 1).end / PAGE);
  if (pages > MAX_PAGES) return undefined;
  const bytes = readFileSync(MODULE);
  try {
    const memory = new WebAssembly.Memory<SharedArrayBuffer>({ initial: pages, maximum: pages, shared: true });
    return { module: new WebAssembly.Module(bytes), memory, sizes };
  } catch {
    return undefined; // no such instructions, or no such memory
  }
}

/** Where the bins (nFeatures × nRows, column-major) and the labels (nRows) belong. */
export function sharedData({ memory, sizes }: SharedKernel) {
  const { nRows, nFeatures } = sizes;
  const { bins, labels } = addressesOf(sizes, 0).addresses;
  return {
    bins: new Uint8Array(memory.buffer, bins, nFeatures * nRows),
    labels: new Uint8Array(memory.buffer, labels, nRows),
  };
}

/** Writes what else the threads share, once bins and labels are there. */
export function fillShared({ memory, sizes }: SharedKernel, data: TreeData, { maxSamples }: TreeParameters): void {
  const { addresses } = addressesOf(sizes, 0);
  const { nRows, nFeatures, nScored } = sizes;
  const { bins, cutOffsets, hasMissing } = data.features;
  new Uint32Array(memory.buffer, addresses.cutCounts, nFeatures).set(
    cutOffsets.subarray(1).map((end, f) => end - cutOffsets[f]),
  );
  new Uint8Array(memory.buffer, addresses.hasMissing, nFeatures).set(hasMissing);
  new Uint32Array(memory.buffer, addresses.scoredRows, nScored).set(data.scoredRows);
  const scoredBins = new Uint8Array(memory.buffer, addresses.scoredBins, nScored * nFeatures);
  for (let f = 0; f < nFeatures; f++) {
    for (let i = 0, to = f; i < nScored; i++, to += nFeatures) scoredBins[to] = bins[f * nRows + data.scoredRows[i]];
  }
  const weight = (_: unknown, bits: number): bigint => BigInt(bits >> 1) * (1n + BigInt(bits & 1) * CHURNER);
  new BigUint64Array(memory.buffer, addresses.weights, 32).set(Array.from({ length: 32 }, weight));
  const thresholds = Array.from(cumulativeProbabilities(maxSamples), (threshold) => BigInt(Math.ceil(threshold)));
  new BigUint64Array(memory.buffer, addresses.thresholds, thresholds.length).set(thresholds);
}

/** What the module exports, apart from a global per array and per number. */
interface Exports {
  drawSample(): number;
  gather(start: number, end: number): void;
  startSearch(): void;
  trySplits(
    from: number,
    to: number,
    start: number,
    end: number,
    count: number,
    churners: number,
    isGathered: number,
  ): void;
  partition(start: number, end: number, feature: number, cut: number, width: number, isGathered: number): number;
  scoreUnseen(depth: number): void;
}

export class WasmKernel implements TreeKernel {
  readonly features: Uint16Array;
  readonly counts: Uint8Array;
  readonly best: Split = { feature: LEAF, cut: 0, missingRight: UNSEEN, count: 0, churners: 0 };
  readonly sums: Float64Array;
  readonly times: Uint16Array;
  readonly #data: TreeData;
  readonly #exports: Exports;
  readonly #best: Uint32Array; // `best`, as the module writes it
  readonly #random: Int32Array;
  readonly #nodes: Uint32Array; // two per node
  readonly #leafScores: Int32Array;

  /** @param thread Whose part of the memory it uses: from 0. */
  constructor({ module, memory, sizes }: SharedKernel, thread: number, data: TreeData, parameters: TreeParameters) {
    const { addresses } = addressesOf(sizes, thread);
    const { nRows, nFeatures, nScored } = sizes;
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#data = data;
    this.#exports = exports as unknown as Exports;
    const numbers = {
      nRows,
      nFeatures,
      nScored,
      blockRows: Math.min(BLOCK_ROWS, nRows),
      minSamplesLeaf: parameters.minSamplesLeaf,
    };
    const globals = exports as Readonly<Record<string, WebAssembly.Global>>;
    for (const [name, value] of Object.entries({ ...addresses, ...numbers })) globals[name].value = value;
    this.features = new Uint16Array(memory.buffer, addresses.features, nFeatures);
    this.counts = new Uint8Array(memory.buffer, addresses.counts, nRows);
    this.sums = new Float64Array(memory.buffer, addresses.sums, nScored);
    this.times = new Uint16Array(memory.buffer, addresses.times, nScored);
    this.#best = new Uint32Array(memory.buffer, addresses.best, 5);
    this.#random = new Int32Array(memory.buffer, addresses.randomState, 4);
    const nNodes = threadArrays(sizes).nodes / 8;
    this.#nodes = new Uint32Array(memory.buffer, addresses.nodes, 2 * nNodes);
    this.#leafScores = new Int32Array(memory.buffer, addresses.leafScores, nNodes);
  }

  drawSample(random: Random): NodeRows {
    this.#random.set(random.state);
    const end = this.#exports.drawSample();
    const [a, b, c, counter] = this.#random;
    random.state = [a, b, c, counter];
    return { start: 0, end, count: this.#best[3], churners: this.#best[4], isGathered: false };
  }

  gather({ start, end }: NodeRows): void {
    this.#exports.gather(start, end);
  }

  startSearch(): void {
    this.best.feature = LEAF;
    this.#exports.startSearch();
  }

  trySplits(from: number, to: number, { start, end, count, churners, isGathered }: NodeRows): void {
    this.#exports.trySplits(from, to, start, end, count, churners, +isGathered);
    const { best } = this;
    best.feature = this.#best[0];
    best.cut = this.#best[1];
    best.missingRight = this.#best[2];
    best.count = this.#best[3];
    best.churners = this.#best[4];
  }

  partition({ start, end, isGathered }: NodeRows): number {
    const { feature, cut, missingRight } = this.best;
    return this.#exports.partition(start, end, feature, cut, this.#width(feature, cut, missingRight), +isGathered);
  }

  addOutOfBagScores(tree: Tree): void {
    const { feature, cut, missingRight, left, depth } = tree;
    const nodes = this.#nodes;
    for (let node = 0; node < feature.length; node++) {
      const f = feature[node];
      nodes[2 * node] = f === LEAF ? node : left[node];
      nodes[2 * node + 1] =
        f === LEAF ? 0 : f | (cut[node] << 16) | (this.#width(f, cut[node], missingRight[node]) << 24);
    }
    this.#leafScores.set(leafScores(tree));
    this.#exports.scoreUnseen(depth);
  }

  /** Bins in (cut, cut + width] go right: all above the cut, or all up to that of missing values, the last one. */
  #width(feature: number, cut: number, missingRight: number): number {
    const exception = leftBin(this.#data.features, feature, missingRight);
    return exception === -1 ? NO_EXCEPTION : exception - cut - 1;
  }
}
