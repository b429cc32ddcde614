/**
 * The customers most worth a contact, out of scores of any length: memory grows with how many are wanted.
 */
import type { Scores } from "./scores.ts";

interface Candidate {
  readonly key: string | null | undefined;
  readonly probability: number;
  readonly worth: number;
}

/** Candidates beyond those wanted that may pile up before the least of them are dropped. */
const SLACK = 65_536;
/** Rows of a block that is given. */
const BLOCK_ROWS = 65_536;

/**
 * The best `size` customers (all when there are fewer), best first; of equal ones, first who came first.
 *
 * @param worth What a customer of this P(churn) is ranked by; by P(churn) itself without it.
 */
export async function* topScores(
  scores: AsyncIterable<Scores>,
  size: number,
  worth: (probability: number) => number = (probability) => probability,
): AsyncGenerator<Scores> {
  let best: Candidate[] = [];
  let bar = Number.NEGATIVE_INFINITY; // the worth of the last of `size` candidates: who equals it comes too late
  let hasKeys = false;
  const drop = (): void => {
    best = best.sort((a, b) => b.worth - a.worth).slice(0, size); // a stable sort: ties keep their order
    if (best.length === size) bar = best[size - 1].worth;
  };
  for await (const { keys, probabilities } of scores) {
    hasKeys = keys !== undefined;
    for (let i = 0; i < probabilities.length; i++) {
      const candidate = { key: keys?.[i], probability: probabilities[i], worth: worth(probabilities[i]) };
      if (candidate.worth > bar) best.push(candidate);
    }
    if (best.length >= 1.25 * size + SLACK) drop();
  }
  drop();
  for (let start = 0; start < best.length; start += BLOCK_ROWS) {
    const block = best.slice(start, start + BLOCK_ROWS);
    yield {
      keys: hasKeys ? block.map(({ key }) => key ?? null) : undefined,
      probabilities: Float64Array.from(block, ({ probability }) => probability),
    };
  }
}
