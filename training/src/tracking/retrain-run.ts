/** What a retraining leaves with MLflow, whatever came of it. */
import { describeCode } from "../lineage.ts";
import type { RetrainPage } from "../report/retrain-page.ts";
import { retrainMarkdown } from "../report/retrain-summary.ts";
import { standaloneSvg } from "../report/standalone-svg.ts";
import type { RetrainResult } from "../retraining/result.ts";
import { newRunId, type Run } from "./run.ts";
import { sourceTags } from "./training-run.ts";

export function retrainRun(result: RetrainResult, { html, charts }: RetrainPage, started: Date, ended: Date): Run {
  const { outcome, reason, data, championVersion, challengerVersion } = result;
  const timestamp = ended.getTime();
  return {
    runId: newRunId(),
    name: `retrain: ${outcome}`,
    status: "FINISHED",
    startTime: started.getTime(),
    endTime: timestamp,
    params: {
      source: data.source,
      ...(data.sha256 !== null && { data_sha256: data.sha256 }),
      ...Object.fromEntries(Object.entries(data.generated ?? {}).map(([name, value]) => [name, String(value)])),
    },
    metrics: Object.entries(figures(result)).map(([key, value]) => ({ key, value, step: 0, timestamp })),
    tags: {
      outcome,
      reason,
      model_version: championVersion ?? "none",
      challenger_version: challengerVersion ?? "none",
      ...sourceTags("churn retrain", describeCode().commit),
      "mlflow.note.content": retrainMarkdown(result),
    },
    inputs: [],
    artifacts: [
      { path: "retrain.json", content: JSON.stringify(result, null, 2) },
      { path: "summary.md", content: retrainMarkdown(result) },
      { path: "report.html", content: html },
      ...charts.map(({ id, svg }) => ({ path: `plots/${id}.svg`, content: standaloneSvg(svg) })),
    ],
  };
}

function figures({ evidence }: RetrainResult): Record<string, number> {
  if (evidence === null) return {};
  const { customers, attempt, level, power, flips, acceptanceProfit, profit, logLossGain, profits } = evidence;
  const differences = Object.entries({ acceptance_profit: acceptanceProfit, profit, log_loss_gain: logLossGain });
  return {
    customers,
    attempt,
    level,
    detectable: power.detectable,
    decisions_changed: flips.toContact + flips.toLeave,
    ...Object.fromEntries(
      differences.flatMap(([name, found]): [string, number][] =>
        found === null
          ? []
          : [
              [name, found.mean],
              [`${name}_lower`, found.lower],
              [`${name}_upper`, found.upper],
            ],
      ),
    ),
    ...(profits && { champion_profit: profits.champion, challenger_profit: profits.challenger }),
  };
}
