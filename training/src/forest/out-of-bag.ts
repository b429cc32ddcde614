/**
 * Out-of-bag scores, and how their log-loss falls as trees are added.
 *
 * Threads send their sums by blocks of consecutive trees, whose order among threads is anybody's; here blocks are added
 * in order. Sums are whole numbers, so the result does not hang on who grew what.
 */
import { logLossOf } from "../evaluation/metrics.ts";
import { SCORE_UNIT } from "./tree-kernel.ts";

/** The log-loss of the first `nTrees` trees, on rows that each of them has not seen. */
export interface CurvePoint {
  readonly nTrees: number;
  readonly logLoss: number;
}

/** Sums of some trees of a block, one per scored row. */
export interface BlockSums {
  readonly block: number;
  readonly nTrees: number;
  /** Leaf rates, in units of 1 / `SCORE_UNIT`. */
  readonly sums: Float64Array;
  /** In how many trees the row was out of the bag. */
  readonly times: Uint16Array;
}

/** Points of a curve: enough to see where it levels off. */
const POINTS = 30;

/** Trees per block; the last has what is left. */
export const blockSize = (nEstimators: number): number => Math.ceil(nEstimators / POINTS);

export class OutOfBag {
  /** Without points that no row speaks for. */
  readonly curve: CurvePoint[] = [];
  readonly #nEstimators: number;
  readonly #scoredRows: Uint32Array;
  readonly #labels: Uint8Array;
  readonly #sums: Float64Array;
  readonly #times: Float64Array;
  #nextBlock = 0;
  /** Blocks that wait for trees, or for their turn. */
  readonly #pending = new Map<number, BlockSums[]>();

  constructor(nEstimators: number, scoredRows: Uint32Array, labels: Uint8Array) {
    this.#nEstimators = nEstimators;
    this.#scoredRows = scoredRows;
    this.#labels = labels;
    this.#sums = new Float64Array(scoredRows.length);
    this.#times = new Float64Array(scoredRows.length);
  }

  add(part: BlockSums): void {
    this.#pending.set(part.block, [...(this.#pending.get(part.block) ?? []), part]);
    const size = blockSize(this.#nEstimators);
    for (let block = this.#nextBlock; ; block++) {
      const parts = this.#pending.get(block) ?? [];
      const expected = Math.min(size, this.#nEstimators - block * size);
      if (expected <= 0 || parts.reduce((sum, { nTrees }) => sum + nTrees, 0) < expected) return;
      for (const one of parts) this.#addSums(one);
      this.#pending.delete(block);
      this.#nextBlock = block + 1;
      const logLoss = this.#logLoss();
      if (!Number.isNaN(logLoss)) this.curve.push({ nTrees: block * size + expected, logLoss });
    }
  }

  /** The score of each row; NaN for those that have none. */
  scores(nRows: number): Float64Array {
    const scores = new Float64Array(nRows).fill(Number.NaN);
    for (const [i, row] of this.#scoredRows.entries()) scores[row] = this.#score(i);
    return scores;
  }

  #score(i: number): number {
    return this.#sums[i] / SCORE_UNIT / this.#times[i];
  }

  #addSums({ sums, times }: BlockSums): void {
    for (let i = 0; i < sums.length; i++) {
      this.#sums[i] += sums[i];
      this.#times[i] += times[i];
    }
  }

  /** NaN while no row has a score. */
  #logLoss(): number {
    let sum = 0;
    let rows = 0;
    for (const [i, row] of this.#scoredRows.entries()) {
      if (this.#times[i] === 0) continue;
      sum += logLossOf(this.#score(i), this.#labels[row]);
      rows++;
    }
    return sum / rows;
  }
}
