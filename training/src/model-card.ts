/**
 * MODEL_CARD.md: the model for people. Everything in it is read from the manifest.
 *
 * @source Mitchell et al. 2019, "Model Cards for Model Reporting"
 */
import type { Metrics, ModelManifest } from "@churn/contract";
import type { ContestResult } from "./gate/contest.ts";
import {
  DIFFERENCES_HEADER,
  differenceRows,
  FLIPS_HEADER,
  flipRows,
  gateSentences,
  METRICS_HEADER,
  metricRows,
} from "./report/gate-words.ts";
import { calibrationSentence, confusionSentence, METRIC_LABELS, markdownTable, metricsTable } from "./report/text.ts";

/** The card of a champion that has passed the gate. */
export function describePromoted(manifest: ModelManifest, { reason, evidence }: ContestResult): string {
  const flips = flipRows(evidence);
  return `${describeModel(manifest)}
## Why it was promoted
Because ${reason}.

${gateSentences(evidence).join("\n")}

${markdownTable([DIFFERENCES_HEADER, ...differenceRows(evidence)])}

${markdownTable([METRICS_HEADER, ...metricRows(evidence)])}
${flips.length === 0 ? "" : `\n${markdownTable([FLIPS_HEADER, ...flips])}\n`}`;
}

export function describeModel(manifest: ModelManifest): string {
  const { dataset, forest, threshold, lineage, features, slices } = manifest;
  const { data } = lineage;
  const churn = `${dataset.target.column} = ${JSON.stringify(dataset.target.positive)}`;
  const horizon = dataset.target.horizonDays === undefined ? "" : ` within ${dataset.target.horizonDays} days`;
  return `# Model card: ${manifest.name} ${manifest.version}

## What it is
A random forest that gives the probability that a customer churns (${churn}${horizon}), from ${features.length} features of the
data set \`${dataset.name}\`. ${dataset.description ?? ""}

- Trees: ${forest.nEstimators}, depth at most ${forest.maxDepth}, at least ${forest.minSamplesLeaf} rows in a leaf, ${forest.nNodes} nodes.
- A score is the mean of the trees' leaf rates; from it to a probability, calibration: ${manifest.calibration.method}.
- A customer is predicted to churn from P = ${threshold.value.toFixed(4)} up: ${threshold.reason}.

## Data
${data.rows} customers, of whom ${data.trainingRows} were trained on and ${data.rows - data.trainingRows} held out (chosen by a
hash of the ${data.splitBy === "row" ? "row number, as there is no key in every row" : "customer key"}). sha256 of the data: \`${data.sha256}\`.

## How good it is
On the held-out customers, with 95 % bootstrap intervals:

${metricsTable(manifest)}

${confusionSentence(manifest.confusionMatrix)}

${calibrationSentence(manifest.calibration, manifest.calibrationError)}

${slicesSection(slices)}## Limits
- It knows customers like those it was trained on; levels it has not seen and missing values are scored as unknown.
- Its probabilities speak of customers nobody contacted: contacting changes who leaves.
- It says who is likely to leave, not why, and not who can be persuaded.

## Lineage
Seed ${lineage.seed}; code ${lineage.code.commit ?? "outside a repository"}${lineage.code.modified ? ", with uncommitted changes" : ""}; Node ${lineage.engine.node};
created ${lineage.created} in ${(lineage.durationMs / 1000).toFixed(1)} s. Content hash \`${manifest.contentSha256}\`.
`;
}

function slicesSection(slices: ModelManifest["slices"]): string {
  if (slices.length === 0) return "";
  const names = ["roc_auc", "log_loss", "recall_score"] as const;
  const cell = (metrics: Metrics, name: string): string => metrics[name]?.value.toFixed(4) ?? "–";
  const rows = slices.map(({ column, level, rows: count, metrics }) => [
    `${column} = ${level}`,
    String(count),
    ...names.map((name) => cell(metrics, name)),
  ]);
  return `${markdownTable([["group", "customers", ...names.map((name) => METRIC_LABELS[name])], ...rows])}\n\n`;
}
