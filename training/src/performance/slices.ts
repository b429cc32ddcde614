/** Mature customers by the groups that the specification names. */
import { featureColumnNames, type ModelManifest } from "@churn/contract";
import type { JudgedPrediction } from "../store/prediction-reader.ts";
import { controlWeights, judgedWindow } from "./judged-window.ts";
import { labelledScores, metricsOf } from "./mature.ts";
import type { SlicePerformance } from "./result.ts";

export function measureSlices(
  predictions: readonly JudgedPrediction[],
  { dataset }: ModelManifest,
  now: number,
): SlicePerformance[] {
  const names = (dataset.slices ?? []).filter((name) => featureColumnNames(dataset).includes(name));
  const groups = new Map<
    string,
    { readonly column: string; readonly level: string; readonly members: JudgedPrediction[] }
  >();
  for (const one of predictions) {
    const customer = JSON.parse(one.features as string) as Record<string, unknown>;
    for (const column of names) {
      if (customer[column] === null || customer[column] === undefined) continue;
      const level = String(customer[column]);
      const key = JSON.stringify([column, level]);
      const group = groups.get(key) ?? { column, level, members: [] };
      groups.set(key, group);
      group.members.push(one);
    }
  }
  return [...groups.values()]
    .map(({ column, level, members }): SlicePerformance => {
      const window = judgedWindow(members, now);
      const labelled = labelledScores(window, controlWeights(window).weights);
      return {
        column,
        level,
        rows: labelled.labels.length,
        metrics: metricsOf(labelled, dataset.economics),
      };
    })
    .sort((a, b) => names.indexOf(a.column) - names.indexOf(b.column) || (a.level < b.level ? -1 : 1));
}
