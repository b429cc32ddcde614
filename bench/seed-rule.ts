/**
 * The rule that most begin with: a two-sample Kolmogorov–Smirnov test of each column on the rows themselves, drift if any p is
 * below 0.05. Categories are their codes, rows without a value are dropped.
 */
import { sortFloats } from "../training/src/radix-sort.ts";
import { kolmogorovTwoSample } from "../training/src/statistics/kolmogorov.ts";

export const SEED_LEVEL = 0.05;

/** Columns, each sorted. */
export type SortedColumns = ReadonlyMap<string, Float32Array>;

export function sortColumns(columns: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  const present = (values: Float32Array): Float32Array => values.filter((value) => !Number.isNaN(value));
  return new Map([...columns].map(([name, values]) => [name, sortFloats(present(values))]));
}

/** The p-value of each column. */
export function seedPValues(reference: SortedColumns, current: SortedColumns): Map<string, number> {
  return new Map(
    [...reference].map(([name, before]) => {
      const now = current.get(name) as Float32Array;
      return [name, kolmogorovTwoSample(distance(before, now), before.length, now.length)];
    }),
  );
}

function distance(a: Float32Array, b: Float32Array): number {
  let [i, j, most] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i], b[j]);
    while (i < a.length && a[i] === value) i++;
    while (j < b.length && b[j] === value) j++;
    most = Math.max(most, Math.abs(i / a.length - j / b.length));
  }
  return most;
}
