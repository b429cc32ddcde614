/**
 * Isotonic regression: the rising step function nearest to the outcomes, by pooling neighbours that are in the wrong
 * order; interpolated between its steps as scikit-learn's `IsotonicRegression(out_of_bounds="clip")` does.
 *
 * @source Ayer et al. 1955; Zadrozny & Elkan 2002
 */
import type { Calibration } from "@churn/contract";

export type Isotonic = Extract<Calibration, { method: "isotonic" }>;

/** Consecutive scores with one value. */
interface Block {
  first: number; // lowest score
  last: number; // highest score
  rows: number;
  churners: number;
}

/**
 * @param scores At least one.
 * @param labels 1 is churn.
 */
export function fitIsotonic(scores: Float64Array, labels: Uint8Array): Isotonic {
  const order = Uint32Array.from(scores, (_, row) => row).sort((a, b) => scores[a] - scores[b]);
  const blocks: Block[] = [];
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]];
    const block: Block = { first: score, last: score, rows: 0, churners: 0 };
    for (; i < order.length && scores[order[i]] === score; i++) {
      block.rows++;
      block.churners += labels[order[i]];
    }
    pool(blocks, block);
  }
  return knots(blocks, scores.length);
}

/** Adds a block, joined with those before it whose share of churners is not below its own. */
function pool(blocks: Block[], block: Block): void {
  for (let before = blocks.at(-1); before !== undefined; before = blocks.at(-1)) {
    if (before.churners * block.rows < block.churners * before.rows) break;
    block.first = before.first;
    block.rows += before.rows;
    block.churners += before.churners;
    blocks.pop();
  }
  blocks.push(block);
}

/**
 * Both ends of each block. Nobody is certain to leave or to stay because few did: probabilities keep half a customer
 * away from 0 and 1.
 */
function knots(blocks: readonly Block[], rows: number): Isotonic {
  const margin = 1 / (2 * rows);
  const value = ({ churners, rows: n }: Block): number => Math.min(1 - margin, Math.max(margin, churners / n));
  const points = blocks.flatMap((block) => {
    const ends = block.first === block.last ? [block.first] : [block.first, block.last];
    return ends.map((x) => ({ x, y: value(block) }));
  });
  return { method: "isotonic", x: points.map(({ x }) => x), y: points.map(({ y }) => y) };
}
