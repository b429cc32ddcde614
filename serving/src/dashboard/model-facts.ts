/** What model is live, since when, and how good it was on customers that it had not seen. */
import { type Html, html, type Metric, type ModelManifest, NOTHING } from "@churn/contract";
import { facts, section } from "./sections.ts";
import { counted, figure, moment, percent } from "./words.ts";

/** Metric → its name and what it says, for somebody who meets it for the first time. */
const METRICS: Readonly<Record<string, readonly [label: string, meaning: string]>> = {
  roc_auc: ["ROC AUC", "how often a churner has a higher score than a stayer"],
  average_precision: ["Average precision", "mean precision over all shares of churners found"],
  precision_score: ["Precision", "of those it would contact, the share that left"],
  recall_score: ["Recall", "of those who left, the share it would contact"],
  profit_per_customer: ["Profit per customer", "in the currency of the specification, contacted or not"],
};

export interface ModelTimes {
  readonly loadedAt: Date;
  readonly startedAt: Date;
}

export function modelSection(manifest: ModelManifest, { loadedAt, startedAt }: ModelTimes): Html {
  const { lineage, dataset, version, name } = manifest;
  return section(
    "model",
    "Model",
    "What is live, since when, and how good was it on customers that were held out of training?",
    tiles(manifest),
    html`<p>${thresholdSentence(manifest)}</p>
`,
    facts(
      ["Model", html`${name} <span class="muted">${version}</span>`],
      ["Live since", moment(loadedAt)],
      ["Trained", moment(new Date(lineage.created))],
      ["Service started", moment(startedAt)],
      ["Trained on", `${counted(lineage.data.trainingRows, "row")} of the data set “${dataset.name}”`],
      ["Content hash", html`<code>${manifest.contentSha256.slice(0, 16)}…</code>`],
    ),
  );
}

/** The threshold in words. */
export function thresholdSentence({ threshold: { value, interval, reason } }: ModelManifest): string {
  const range = interval === undefined ? "" : ` (95\u00a0%: ${percent(interval[0])} – ${percent(interval[1])})`;
  return `A customer whose probability to churn is ${percent(value)}${range} or more is to be contacted (${reason.replace(/\.$/, "")}).`;
}

function tiles({ metrics }: ModelManifest): Html {
  const known = Object.entries(METRICS).filter(([name]) => metrics[name] !== undefined);
  if (known.length === 0) return NOTHING;
  return html`<div class="tiles">${known.map(([name, [label, meaning]]) => tile(label, meaning, metrics[name]))}</div>
`;
}

function tile(label: string, meaning: string, { value, low, high }: Metric): Html {
  return html`<div class="tile">
<h3>${label}</h3>
<p class="value">${figure(value)}</p>
<p class="small">95&nbsp;%: ${figure(low)} – ${figure(high)}</p>
<p class="small">${meaning}</p>
</div>
`;
}
