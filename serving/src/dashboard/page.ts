/**
 * The dashboard as one HTML document that needs nothing else: no script, no font, no picture from anywhere. Its content is
 * a value, so the same content gives the same bytes.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Html, html, type ModelManifest, NOTHING, trusted } from "@churn/contract";
import type { RouteTraffic } from "../metrics.ts";
import type { StoreSummary } from "../store/prediction-store.ts";
import type { Field, FormState } from "./customer-form.ts";
import { type DeliveryFacts, deliverySection } from "./delivery.ts";
import { type ModelTimes, modelSection } from "./model-facts.ts";
import { outcomesSection } from "./outcomes.ts";
import { type ExplainedPrediction, recentSection } from "./recent-predictions.ts";
import { scoreSection } from "./score-figure.ts";
import { trafficSection } from "./traffic.ts";
import { type Trial, trialSection } from "./trial.ts";
import { count, moment, percent } from "./words.ts";

export interface DashboardContent extends ModelTimes {
  readonly manifest: ModelManifest;
  readonly now: Date;
  /** Undefined when they cannot be had. */
  readonly traffic: readonly RouteTraffic[] | undefined;
  readonly summary: StoreSummary | undefined;
  readonly recent: readonly ExplainedPrediction[] | undefined;
  readonly delivery: DeliveryFacts;
  readonly fields: readonly Field[];
  readonly form: FormState;
  /** Of the customer in the form, once it has been sent. */
  readonly trial: Trial | undefined;
}

const STYLE = readFileSync(new URL("page.css", import.meta.url), "utf8");

/** Nothing but this page's own style may apply, and its form goes nowhere else. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const SECTIONS = {
  model: "Model",
  scores: "Scores",
  recent: "Predictions",
  outcomes: "Outcomes",
  try: "Try a customer",
  requests: "Requests",
  store: "Store",
} as const;

export function renderDashboard(content: DashboardContent): string {
  const { manifest, summary, form, now, delivery } = content;
  const title = `${form.faults.length > 0 ? "Error: " : ""}${manifest.name}: dashboard`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(STYLE)}</style>
</head>
<body>
<header>
<p class="eyebrow">Churn predictions · ${manifest.dataset.name}</p>
<h1>${manifest.name} <span>${manifest.version}</span></h1>
<p class="lede">${lede(summary)}</p>
<p class="note">As of ${moment(now)}. Reload the page for newer figures.</p>
${delivery.isUp ? NOTHING : html`<p class="alarm">The prediction store is away. <a href="#store">See its state</a>.</p>`}
<nav aria-label="Sections"><ul>${Object.entries(SECTIONS).map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main>
${modelSection(manifest, content)}
${scoreSection(manifest, summary)}
${recentSection(content.recent)}
${outcomesSection(summary)}
${trialSection(content.fields, form, content.trial)}
${trafficSection(content.traffic)}
${deliverySection(delivery)}
</main>
</body>
</html>
`;
  return page.toString();
}

/** The state of things in one sentence. */
function lede(summary: StoreSummary | undefined): Html {
  if (summary === undefined)
    return html`The model is live. What was predicted cannot be shown, as the store does not answer.`;
  const { predictions, contacts, outcomes } = summary;
  if (predictions === 0) return html`The model is live. No customer has been scored yet.`;
  return html`<b>${count(predictions)}</b> predictions, <b>${percent(contacts / predictions)}</b> of them to be contacted; the outcome is known of <b>${count(outcomes)}</b>.`;
}
