/**
 * How the probability moves with one column: the mean P(churn) of the same customers when all of them have one value
 * of it, for a grid of values.
 *
 * As scikit-learn's `partial_dependence(method="brute")`, grid included. What is derived from the column is computed
 * anew. It says what the model does, not what would happen: customers who look like that may not exist.
 *
 * @source Friedman 2001, "Greedy function approximation", §8.2
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Column, Model, Table } from "@churn/contract";

export interface PartialDependence {
  readonly column: string;
  readonly kind: "number" | "boolean" | "category";
  /** Ascending numbers, or levels in the model's order. */
  readonly grid: readonly number[] | readonly string[];
  /** Mean P(churn) at each value of the grid. */
  readonly mean: readonly number[];
}

/** A number's grid spans these quantiles of its values, so that a few extremes do not stretch it. */
const [LOW, HIGH] = [0.05, 0.95];

/** @param resolution Most values of a number's grid. */
export async function partialDependence(
  model: Model,
  rows: Table,
  column: string,
  resolution: number,
): Promise<PartialDependence> {
  const { dataset, encodings } = model.manifest;
  const { type } = dataset.columns[column];
  const kind = type === "category" || type === "boolean" ? type : "number";
  const values = rows.columns.get(column) as Column;
  const grid = values instanceof Float64Array ? numberGrid(values, resolution) : encodings[column];
  const mean: number[] = [];
  for (const value of grid) {
    await turn(); // so that progress can be shown, and a signal be seen
    const columns = new Map(rows.columns).set(column, constant(value, rows.rows));
    mean.push(meanOf(model.predictTable({ rows: rows.rows, columns })));
  }
  return { column, kind, grid, mean };
}

function constant(value: number | string, rows: number): Column {
  if (typeof value === "number") return new Float64Array(rows).fill(value);
  return { codes: new Int32Array(rows), levels: [value] };
}

/** All values of a number that has few, else evenly spaced ones; missing values have no place on it. */
export function numberGrid(values: Float64Array, resolution: number): number[] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const distinct = sorted.filter((value, i) => i === 0 || value !== sorted[i - 1]);
  if (distinct.length < resolution) return [...distinct];
  const [low, high] = [plottingQuantile(sorted, LOW), plottingQuantile(sorted, HIGH)];
  if (low === high) return [low];
  return Array.from({ length: resolution }, (_, i) => low + ((high - low) * i) / (resolution - 1));
}

/** As scipy's `mquantiles`, which scikit-learn spans its grids by. @source Hyndman & Fan 1996, with α = β = 0.4 */
function plottingQuantile(sorted: Float64Array, q: number): number {
  const n = sorted.length;
  const position = n * q + 0.4 + 0.2 * q;
  const below = Math.min(n - 1, Math.max(1, Math.floor(position)));
  const share = Math.min(1, Math.max(0, position - below));
  return (1 - share) * sorted[below - 1] + share * (sorted[below] ?? sorted[below - 1]);
}

const meanOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
