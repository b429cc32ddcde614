/**
 * Whether two samples of a category come from one distribution: Pearson's chi-square test, with rare levels pooled so
 * that its law holds.
 */
import { chiSquareUpperTail } from "./gamma.ts";

export interface HomogeneityTest {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
}

/**
 * Rows that must be expected in each cell of the smaller sample. With 5, the customary number, a probability of 1e-4 came
 * twice as often as it should, at 200 rows; with 10 it came 1.25 times as often.
 */
const LEAST_EXPECTED = 10;

/**
 * Chi-square on a table of two rows.
 *
 * @param reference Counts by level. @param current In the same order.
 * @returns undefined when fewer than two levels are common enough
 */
export function testHomogeneity(reference: ArrayLike<number>, current: ArrayLike<number>): HomogeneityTest | undefined {
  const cells = poolRare(reference, current);
  return cells.length < 2 ? undefined : chiSquareTest(cells);
}

interface Cell {
  readonly reference: number;
  readonly current: number;
}

/** @source Pearson 1900, without Yates' correction */
export function chiSquareTest(cells: readonly Cell[]): HomogeneityTest {
  const n = cells.reduce((sum, { reference }) => sum + reference, 0);
  const m = cells.reduce((sum, { current }) => sum + current, 0);
  let statistic = 0;
  // (observed − expected)² / expected of both rows of a level; products of counts are whole, so nothing cancels
  for (const { reference, current } of cells) {
    statistic += (reference * m - current * n) ** 2 / ((reference + current) * n * m);
  }
  const degreesOfFreedom = cells.length - 1;
  return { statistic, degreesOfFreedom, pValue: chiSquareUpperTail(statistic, degreesOfFreedom) };
}

/** Levels of which too few rows are expected are one cell; and if that is still too small, one with the rarest that is kept. */
function poolRare(reference: ArrayLike<number>, current: ArrayLike<number>): Cell[] {
  const all = Array.from(reference, (count, level): Cell => ({ reference: count, current: current[level] }));
  const n = all.reduce((sum, cell) => sum + cell.reference, 0);
  const m = all.reduce((sum, cell) => sum + cell.current, 0);
  const size = (cell: Cell): number => ((cell.reference + cell.current) * Math.min(n, m)) / (n + m);
  const kept = all.filter((cell) => size(cell) >= LEAST_EXPECTED).sort((a, b) => size(b) - size(a));
  const pooled = all.filter((cell) => size(cell) < LEAST_EXPECTED).reduce(merge, { reference: 0, current: 0 });
  if (size(pooled) === 0) return kept;
  if (size(pooled) >= LEAST_EXPECTED) return [...kept, pooled];
  const rarest = kept.pop();
  return rarest === undefined ? [pooled] : [...kept, merge(rarest, pooled)];
}

function merge(a: Cell, b: Cell): Cell {
  return { reference: a.reference + b.reference, current: a.current + b.current };
}
