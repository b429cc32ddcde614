/**
 * How much each feature moves the scores: the mean size of its contributions (SHAP values) to the scores of a sample of
 * customers, before calibration.
 *
 * A permutation importance tells what the model would lose without a column; this tells how much it makes of a feature,
 * right or wrong. Derived features stand beside the columns that they are made of.
 *
 * @source Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees"
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Metric, Model, Table } from "@churn/contract";

/** Mean |contribution| of a feature, in units of the score, with its 95 % interval. */
export interface MeanContribution extends Metric {
  readonly feature: string;
}

/** Customers that are explained between two turns of the event loop: a fifth of a second. */
const STEP_ROWS = 64;

/** One per feature, the largest first. */
export async function meanContributions(model: Model, rows: Table): Promise<MeanContribution[]> {
  const { encoder, explainer } = model;
  const columns = encoder.encodeTable(rows);
  const sizes = columns.map(() => new Float64Array(rows.rows));
  for (let start = 0; start < rows.rows; start += STEP_ROWS) {
    await turn(); // so that progress can be shown, and a signal be seen
    const end = Math.min(start + STEP_ROWS, rows.rows);
    const step = columns.map((column) => column.subarray(start, end));
    for (const [f, values] of explainer.explainColumns(step, end - start).entries()) {
      sizes[f].set(values.map(Math.abs), start);
    }
  }
  return encoder.features
    .map(({ name }, f) => ({ feature: name, ...meanWithInterval(sizes[f]) }))
    .sort((a, b) => b.value - a.value);
}

/** Mean ± 1.96 standard errors. */
function meanWithInterval(values: Float64Array): Metric {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = 1.96 * Math.sqrt(squares / Math.max(1, n - 1) / n);
  return { value: mean, low: mean - half, high: mean + half };
}
