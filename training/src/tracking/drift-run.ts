/** What a drift check leaves with MLflow: the verdict and what it rests on, and how the model has done, week by week. */
import type { ModelManifest } from "@churn/contract";
import { DAY_MS } from "../drift/windows.ts";
import type { DriftResult } from "../drift-result.ts";
import type { DrawnChart } from "../report/charts.ts";
import { driftMarkdown } from "../report/drift-summary.ts";
import { standaloneSvg } from "../report/standalone-svg.ts";
import { type MetricPoint, newRunId, type Run } from "./run.ts";
import { sourceTags } from "./training-run.ts";

export interface DriftRunFacts {
  readonly result: DriftResult;
  readonly manifest: ModelManifest;
  /** Of the code that checks; null outside a repository. */
  readonly commit: string | null;
  readonly started: Date;
  readonly ended: Date;
  /** Undefined where none was drawn. */
  readonly report: { readonly html: string; readonly charts: readonly DrawnChart[] } | undefined;
}

export function driftRun({ result, manifest, commit, started, ended, report }: DriftRunFacts): Run {
  const { verdict, current, falseAlarmsPerYear, everyDays } = result;
  const { version, contentSha256 } = manifest;
  return {
    runId: newRunId(),
    name: `drift ${version}: ${verdict}`,
    status: "FINISHED",
    startTime: started.getTime(),
    endTime: ended.getTime(),
    params: {
      current,
      false_alarms_per_year: String(falseAlarmsPerYear),
      every_days: String(everyDays),
      ...(result.performance && { grace_days: String(result.performance.graceDays) }),
    },
    metrics: [...figures(result, ended.getTime()), ...weekly(result)],
    tags: {
      verdict,
      model_version: version,
      content_sha256: contentSha256,
      ...sourceTags("churn drift", commit),
      "mlflow.note.content": driftMarkdown(result),
    },
    inputs: [],
    artifacts: [
      { path: "drift.json", content: JSON.stringify(result, null, 2) },
      { path: "summary.md", content: driftMarkdown(result) },
      ...(report === undefined ? [] : [{ path: "report.html", content: report.html }]),
      ...(report?.charts ?? []).map(({ id, svg }) => ({ path: `plots/${id}.svg`, content: standaloneSvg(svg) })),
    ],
  };
}

/** Of this check; a figure that could not be had is left out. */
function figures(result: DriftResult, timestamp: number): MetricPoint[] {
  const { reasons, rows, level, scores, domain, columns, estimate, performance, faults } = result;
  const countOf = (tier: string): number => columns.filter((column) => column.tier === tier).length;
  const values: Record<string, number | undefined> = {
    rows,
    level,
    data_faults: faults.length,
    reasons: reasons.length,
    alarmed_columns: countOf("alarm"),
    shifted_columns: countOf("shifted"),
    mean_score: scores.current.mean,
    decisions: scores.current.decisions,
    score_distance: scores.test?.statistic,
    domain_auc: domain.test?.statistic,
  };
  for (const { column, harm, effect } of columns) {
    values[`harm/${column}`] = harm.size;
    values[`psi/${column}`] = effect?.population_stability_index;
  }
  for (const [name, { value, low, high }] of Object.entries(estimate?.metrics ?? {})) {
    values[`estimate/${name}`] = value;
    values[`estimate/${name}_low`] = low;
    values[`estimate/${name}_high`] = high;
  }
  for (const { days, findings } of performance?.mature ?? []) {
    for (const { metric, value } of findings) values[`mature_${days}d/${metric}`] = value;
  }
  for (const { days, finding } of performance?.early ?? []) values[`early_${days}d/observed_expected`] = finding?.value;
  return Object.entries(values)
    .filter((entry): entry is [string, number] => entry[1] !== undefined && Number.isFinite(entry[1]))
    .map(([key, value]) => ({ key, value, step: 0, timestamp }));
}

/** Steps are weeks since 1970, so that the curves of several checks lie on each other. */
function weekly({ performance }: DriftResult): MetricPoint[] {
  return (performance?.history ?? []).flatMap(({ from, rows, meanScore, decisions, metrics }) => {
    const timestamp = Date.parse(from);
    const step = Math.round(timestamp / (7 * DAY_MS));
    const values = Object.entries(metrics).map(([name, { value }]): [string, number] => [name, value]);
    return [
      ...values,
      ["predictions", rows] as const,
      ["mean_score", meanScore] as const,
      ["decisions", decisions] as const,
    ].map(([name, value]) => ({ key: `weekly/${name}`, value, step, timestamp }));
  });
}
