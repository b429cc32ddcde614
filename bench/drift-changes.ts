/** Changes of one column, of any size, for what a check finds: each is a kind that a user can picture. */
import type { Random } from "../training/src/random.ts";

export interface Change {
  readonly column: string;
  /** What size 1 is. */
  readonly unit: string;
  /** A size that every check finds. */
  readonly most: number;
  /** Changes the values in place. */
  readonly apply: (values: Float32Array, size: number, random: Random) => void;
}

export const CHANGES: Readonly<Record<string, Change>> = {
  mean: {
    column: "monthly_charges",
    unit: "standard deviations",
    most: 1,
    apply: (values, size) => {
      const { standardDeviation } = momentsOf(values);
      for (let row = 0; row < values.length; row++) values[row] += size * standardDeviation;
    },
  },
  spread: {
    column: "monthly_charges",
    unit: "of the standard deviation",
    most: 2,
    apply: (values, size) => {
      const { mean } = momentsOf(values);
      for (let row = 0; row < values.length; row++) values[row] = mean + (1 + size) * (values[row] - mean);
    },
  },
  count: {
    column: "support_tickets",
    unit: "of the mean",
    most: 2,
    apply: (values, size, random) => {
      const { mean } = momentsOf(values);
      for (let row = 0; row < values.length; row++) values[row] += poisson(random, size * mean);
    },
  },
  level: {
    column: "gender",
    unit: "of all rows to one level",
    most: 0.5,
    apply: (values, size, random) => {
      const others = values.filter((value) => value !== 0).length / values.length;
      for (let row = 0; row < values.length; row++) {
        if (values[row] !== 0 && random.uniform() < size / others) values[row] = 0;
      }
    },
  },
  missing: {
    column: "usage_trend_percent",
    unit: "of all rows without a value",
    most: 0.5,
    apply: (values, size, random) => {
      for (let row = 0; row < values.length; row++) if (random.uniform() < size) values[row] = Number.NaN;
    },
  },
};

function momentsOf(values: Float32Array): { readonly mean: number; readonly standardDeviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, standardDeviation: Math.sqrt(variance) };
}

/** @source Knuth, The Art of Computer Programming 2, §3.4.1: for a small mean */
function poisson(random: Random, mean: number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++;
  return count;
}
