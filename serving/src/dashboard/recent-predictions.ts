/**
 * The last predictions, each with its reasons. The store keeps none: they are found again from the stored values, which
 * only the model that made the prediction can do, and only when it comes to the same score.
 */
import { setImmediate as turn } from "node:timers/promises";
import { type Html, html, type Model, NOTHING, type ReasonFinder, type RequestReader } from "@churn/contract";
import type { RecentPrediction } from "../store/prediction-store.ts";
import { alarm, note, section } from "./sections.ts";
import { moment, percent } from "./words.ts";

export const MOST_RECENT = 10;
const MOST_SENTENCES = 3;

/** More than rounding, less than any change of a value. */
const SAME_SCORE = 1e-9;

export interface ExplainedPrediction extends RecentPrediction {
  /** Sentences; none when nothing but sensitive columns moved the score. */
  readonly reasons: readonly string[] | "another model" | "not found again";
}

export interface Explainer {
  readonly model: Model;
  readonly reader: RequestReader;
  readonly reasonFinder: ReasonFinder;
  /** Whether stored values are still a valid request. */
  readonly fits: (features: Readonly<Record<string, unknown>>) => boolean;
}

/** An explanation takes some milliseconds: between two of them, the service answers whoever waits. */
export async function explainRecent(
  recent: readonly RecentPrediction[],
  explainer: Explainer,
): Promise<ExplainedPrediction[]> {
  const explained: ExplainedPrediction[] = [];
  for (const prediction of recent.slice(0, MOST_RECENT)) {
    await turn();
    explained.push({ ...prediction, reasons: reasonsOf(prediction, explainer) });
  }
  return explained;
}

function reasonsOf(
  { features, score, modelSha256 }: RecentPrediction,
  { model, reader, reasonFinder, fits }: Explainer,
): ExplainedPrediction["reasons"] {
  if (modelSha256 !== model.manifest.contentSha256) return "another model";
  if (!fits(features)) return "not found again"; // such as a sensitive value of which only a hash is kept
  const { row } = reader.read(features);
  if (Math.abs(model.predictRow(row) - score) > SAME_SCORE) return "not found again";
  return reasonFinder
    .find(row)
    .reasons.slice(0, MOST_SENTENCES)
    .map(({ text }) => text);
}

export function recentSection(recent: readonly ExplainedPrediction[] | undefined): Html {
  const question = "Who was scored last, and what moved the score?";
  const title = "Recent predictions";
  if (recent === undefined) return section("recent", title, question, alarm("The prediction store is away."));
  if (recent.length === 0) return section("recent", title, question, note("There are no predictions yet."));
  return section("recent", title, question, recentTable(recent));
}

const HEADER = ["Time", "Customer", "Probability", "Decision", "Outcome", "Why"] as const;

/** Rows become cards on a phone; roles are named, as a browser forgets them where a table is not laid out as one. */
function recentTable(recent: readonly ExplainedPrediction[]): Html {
  return html`<div class="table cards">
<table role="table">
<caption>The last predictions, the newest first</caption>
<thead role="rowgroup"><tr role="row">${HEADER.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">
${recent.map(recentRow)}</tbody>
</table>
</div>
`;
}

function recentRow(prediction: ExplainedPrediction): Html {
  const { predictedAt, customerKey, score, decision, outcome } = prediction;
  const contents = [
    moment(new Date(predictedAt)),
    customerKey === null ? html`<span class="muted">no key</span>` : html`<bdi>${customerKey}</bdi>`,
    html`<b>${percent(score)}</b>`,
    html`<span class="${decision === 1 ? "contact" : "alone"}">${decisionText(decision)}</span>`,
    html`${outcomeText(outcome)}`,
    why(prediction),
  ];
  const cells = contents.map((content, i) => html`<td role="cell" data-label="${HEADER[i]}">${content}</td>`);
  return html`<tr role="row">${cells}</tr>
`;
}

export const decisionText = (decision: 0 | 1): string => (decision === 1 ? "contact" : "leave alone");

function outcomeText(outcome: RecentPrediction["outcome"]): Html {
  if (outcome === null) return html`<span class="muted">not known</span>`;
  return html`${outcome === 1 ? "churned" : "stayed"}`;
}

function why({ reasons, modelVersion }: ExplainedPrediction): Html {
  if (reasons === "another model")
    return html`<span class="muted">Made by model ${modelVersion}, which is not live.</span>`;
  if (reasons === "not found again") {
    return html`<span class="muted">Left out: the stored values do not lead to this score again.</span>`;
  }
  if (reasons.length === 0) return html`<span class="muted">No single column that may be named.</span>`;
  return html`<ul class="why">${reasons.map((text) => html`<li>${text}</li>`)}</ul>${NOTHING}`;
}
