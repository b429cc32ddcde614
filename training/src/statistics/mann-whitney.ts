/** Whether scores of one sample tend to be larger than those of another. */
import { normalUpperTail } from "./gamma.ts";

export interface MannWhitneyTest {
  /** P(a positive's score > a negative's) + ½ P(equal): the area under the ROC curve. */
  readonly auc: number;
  /** One-sided: the AUC is above ½. */
  readonly pValue: number;
}

/**
 * The rank-sum test, by its normal limit with the variance that ties leave; without correction for continuity.
 *
 * @param labels 1 is a positive. There must be some of each.
 * @source Mann & Whitney 1947
 */
export function testRanks(scores: Float64Array, labels: Uint8Array): MannWhitneyTest {
  const n = scores.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let [positives, rankSum, ties] = [0, 0, 0];
  for (let start = 0; start < n; ) {
    let end = start + 1;
    while (end < n && scores[order[end]] === scores[order[start]]) end++;
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]] === 0) continue;
      positives += 1;
      rankSum += rank;
    }
    ties += (end - start) ** 3 - (end - start);
    start = end;
  }
  const pairs = positives * (n - positives);
  const u = rankSum - (positives * (positives + 1)) / 2;
  const variance = (pairs / 12) * (n + 1 - ties / (n * (n - 1)));
  return { auc: u / pairs, pValue: variance === 0 ? 1 : normalUpperTail((u - pairs / 2) / Math.sqrt(variance)) };
}
