/** What a model looks at, and how: what columns are worth to it, what moves the scores, and which way. */
import type { Model, Table } from "@churn/contract";
import { type LabelledRows, takeRows } from "../data/row-sample.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { type MeanContribution, meanContributions } from "./contributions.ts";
import { type Importance, permutationImportances } from "./importance.ts";
import { type PartialDependence, partialDependence } from "./partial-dependence.ts";

export interface ModelExplanation {
  /** One per column, the most important first. */
  readonly importances: readonly Importance[];
  /** One per feature, the largest first. */
  readonly contributions: readonly MeanContribution[];
  /** Of the most important columns, in that order. */
  readonly partialDependences: readonly PartialDependence[];
}

/** Each takes about half a second with 300 trees. */
const CONTRIBUTION_ROWS = 200;
const DEPENDENCE_ROWS = 500;
const DEPENDENCE_COLUMNS = 6;
const DEPENDENCE_RESOLUTION = 20;
/** Streams that no tree, shuffle or resample draws from. */
const DEPENDENCE_STREAM = -7;
const CONTRIBUTION_STREAM = -8;

export async function explainModel(model: Model, sample: LabelledRows, seed: number): Promise<ModelExplanation> {
  const importances = await permutationImportances(model, sample, seed);
  const some = (size: number, stream: number): Table =>
    takeRows(sample, sampleRows(sample.rows, size, new Random(seed, stream)));
  const contributions = await meanContributions(model, some(CONTRIBUTION_ROWS, CONTRIBUTION_STREAM));
  const rows = some(DEPENDENCE_ROWS, DEPENDENCE_STREAM);
  const partialDependences: PartialDependence[] = [];
  for (const { column } of importances.slice(0, DEPENDENCE_COLUMNS)) {
    partialDependences.push(await partialDependence(model, rows, column, DEPENDENCE_RESOLUTION));
  }
  return { importances, contributions, partialDependences };
}
