/**
 * Holm's correction for several tests at once: whatever their dependence, the probability that one or more of the true
 * hypotheses is rejected is at most the level. A test of a larger weight has a larger part of it.
 *
 * @param pValues One per test. @param weights Above 0, known before the data; equal without them.
 * @returns adjusted p-values, in the same order: reject what is at most the level
 * @source Holm 1979, with section 4 for weights
 */
export function holmAdjust(pValues: readonly number[], weights: readonly number[] = pValues.map(() => 1)): number[] {
  const order = [...pValues.keys()].sort((a, b) => pValues[a] / weights[a] - pValues[b] / weights[b]);
  const adjusted = new Array<number>(pValues.length);
  let left = weights.reduce((sum, weight) => sum + weight, 0);
  let largest = 0;
  for (const i of order) {
    largest = Math.max(largest, Math.min(1, (left / weights[i]) * pValues[i]));
    adjusted[i] = largest;
    left -= weights[i];
  }
  return adjusted;
}
