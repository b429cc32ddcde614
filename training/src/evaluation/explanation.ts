/** What a model looks at, and how: its importances, and how the probability moves with the columns that matter most. */
import type { Model, Table } from "@churn/contract";
import { type LabelledRows, takeRows } from "../data/row-sample.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { type Importance, permutationImportances } from "./importance.ts";
import { type PartialDependence, partialDependence } from "./partial-dependence.ts";

export interface ModelExplanation {
  /** One per column, the most important first. */
  readonly importances: readonly Importance[];
  /** Of the most important columns, in that order. */
  readonly partialDependences: readonly PartialDependence[];
}

const DEPENDENCE_COLUMNS = 6;
const DEPENDENCE_ROWS = 500;
const DEPENDENCE_RESOLUTION = 20;
/** A stream that no tree, shuffle or resample draws from. */
const DEPENDENCE_STREAM = -7;

export async function explainModel(model: Model, sample: LabelledRows, seed: number): Promise<ModelExplanation> {
  const importances = await permutationImportances(model, sample, seed);
  const random = new Random(seed, DEPENDENCE_STREAM);
  const rows: Table = takeRows(sample, sampleRows(sample.rows, DEPENDENCE_ROWS, random));
  const partialDependences: PartialDependence[] = [];
  for (const { column } of importances.slice(0, DEPENDENCE_COLUMNS)) {
    partialDependences.push(await partialDependence(model, rows, column, DEPENDENCE_RESOLUTION));
  }
  return { importances, partialDependences };
}
