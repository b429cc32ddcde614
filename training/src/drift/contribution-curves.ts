/**
 * What the model makes of each column's values: the mean contribution (SHAP value) of a column to P(churn), by bin of its
 * reference. With it a check says what a shift of the column means for the predictions, from counts alone.
 *
 * A derived feature's contribution belongs to the columns it reads, in equal parts.
 */

import { setImmediate as turn } from "node:timers/promises";
import {
  type DatasetSpecification,
  type Feature,
  type Forest,
  featureColumnNames,
  TreeExplainer,
} from "@churn/contract";
import { BinCounter } from "./bin-counter.ts";
import { type ColumnReference, groupsOfEqualMass } from "./column-reference.ts";

/** Customers that are explained: with so many a group of bins has about thirty. */
export const CURVE_ROWS = 1024;

/** A curve is a mean over customers, to which a part of the forest is as good as all of it. */
const TREES = 60;

/** Neighbouring bins share a mean, as most of them hold no customer of so few. */
const GROUPS = 32;

/** Customers that are explained between two turns of the event loop. */
const STEP_ROWS = 128;

/** One per bin of the column's reference, the last for missing values; in units of P(churn). */
export type ContributionCurve = Float32Array;

export interface CurveInput {
  readonly dataset: DatasetSpecification;
  readonly features: readonly Feature[];
  readonly forest: Forest;
  /** Forest's score to probability. */
  readonly calibrate: (score: number) => number;
  /** Encoded customers, one column per feature, at most `CURVE_ROWS` of them. */
  readonly columns: readonly Float32Array[];
}

/** Column → its curve. */
export async function contributionCurves(
  { dataset, features, forest, calibrate, columns }: CurveInput,
  references: ReadonlyMap<string, ColumnReference>,
): Promise<Map<string, ContributionCurve>> {
  const rows = columns[0].length;
  const explainer = new TreeExplainer({ ...forest, treeOffsets: forest.treeOffsets.subarray(0, TREES + 1) });
  const names = featureColumnNames(dataset);
  const shares = new Map(names.map((name) => [name, new Float64Array(rows)]));
  const readers = features.map((feature) => columnsRead(feature, features));
  for (let start = 0; start < rows; start += STEP_ROWS) {
    await turn(); // so that progress can be shown, and a signal be seen
    const end = Math.min(start + STEP_ROWS, rows);
    const step = columns.map((values) => values.subarray(start, end));
    const contributions = explainer.explainColumns(step, end - start);
    for (let row = start; row < end; row++) {
      const scale = probabilityPerScore(contributions, row - start, explainer.baseValue, calibrate);
      for (const [f, values] of contributions.entries()) {
        const part = (scale * values[row - start]) / readers[f].length;
        for (const name of readers[f]) (shares.get(name) as Float64Array)[row] += part;
      }
    }
  }
  return new Map(
    names.map((name) => {
      const values = columns[features.findIndex((feature) => feature.name === name)];
      return [name, curve(references.get(name) as ColumnReference, values, shares.get(name) as Float64Array)];
    }),
  );
}

/** A calibrated probability is moved by what moves the score, in proportion. */
function probabilityPerScore(
  contributions: readonly Float64Array[],
  row: number,
  baseValue: number,
  calibrate: (score: number) => number,
): number {
  const change = contributions.reduce((sum, values) => sum + values[row], 0);
  return Math.abs(change) < 1e-9 ? 1 : (calibrate(baseValue + change) - calibrate(baseValue)) / change;
}

/** The columns that a feature is made of: itself, or what its expression reads, at any remove. */
function columnsRead(feature: Feature, features: readonly Feature[]): readonly string[] {
  const { name, expression } = feature;
  if (expression === undefined) return [name];
  const byName = new Map(features.map((one) => [one.name, one]));
  const read = expression.references.flatMap((other) => columnsRead(byName.get(other) as Feature, features));
  return [...new Set(read)];
}

/** Means by group of bins; a bin without a customer takes its group's, a group without one the mean of all. */
function curve(reference: ColumnReference, values: Float32Array, contributions: Float64Array): ContributionCurve {
  const bins = reference.counts.length;
  const groupOf =
    reference.kind === "number" ? groupsOfEqualMass(reference.counts, GROUPS) : reference.counts.map((_, bin) => bin);
  const missing = Math.max(bins, GROUPS); // a group of its own, after all others
  const sums = new Float64Array(missing + 1);
  const numbers = new Float64Array(missing + 1);
  const counter = reference.kind === "number" ? new BinCounter(reference.cuts) : undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    const group = Number.isNaN(value) ? missing : groupOf[counter ? counter.binOf(value) : value];
    sums[group] += contributions[row];
    numbers[group] += 1;
  }
  const mean = contributions.reduce((sum, value) => sum + value, 0) / contributions.length;
  const meanOf = (group: number): number => (numbers[group] === 0 ? mean : sums[group] / numbers[group]);
  // What the model has not seen it scores as missing.
  const unseen = numbers[missing] > 0 ? meanOf(missing) : mean;
  const isUnseen = (bin: number): boolean => bin === bins || (reference.kind === "category" && bin === bins - 1);
  return Float32Array.from({ length: bins + 1 }, (_, bin) => (isUnseen(bin) ? unseen : meanOf(groupOf[bin])));
}
