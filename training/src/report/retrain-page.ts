/** The report of a retraining: what was decided, and what it rests on. */
import { type Html, html, NOTHING } from "@churn/contract";
import type { GateEvidence } from "../gate/evidence.ts";
import { MARGIN } from "../gate/rule.ts";
import type { RetrainResult } from "../retraining/result.ts";
import type { DrawnChart } from "./charts.ts";
import {
  DIFFERENCES_HEADER,
  differenceRows,
  FLIPS_HEADER,
  flipRows,
  gateSentences,
  METRICS_HEADER,
  metricRows,
} from "./gate-words.ts";
import { intervalList } from "./interval-charts.ts";
import { HEADLINES } from "./retrain-summary.ts";
import { figure, renderPage, section } from "./shell.ts";
import { wordTable } from "./tables.ts";
import { renderSvg } from "./vega.ts";

export interface RetrainPage {
  readonly html: string;
  readonly charts: readonly DrawnChart[];
}

export async function renderRetrainReport(result: RetrainResult): Promise<RetrainPage> {
  const { outcome, reason, why, evidence, drift, data, previousVersion, challengerVersion, championVersion } = result;
  const charts = evidence === null ? [] : await drawCharts(evidence);
  const header = html`<p class="eyebrow">Retraining · ${data.path ?? data.source}</p>
<h1>${outcome} <span>${championVersion ?? "no champion"}</span></h1>
<p class="lede">${HEADLINES[outcome]}</p>
<p class="note">${reason}</p>`;
  const facts = [
    ["champion before", previousVersion ?? "none"],
    ["challenger", challengerVersion ?? "none was trained"],
    ["champion now", championVersion ?? "none"],
    ["data", data.sha256 === null ? data.source : `${data.source}, sha256 ${data.sha256}`],
    ["drift check", drift === null ? "none" : [drift.verdict, ...(why.length === 0 ? drift.reasons : [])].join("; ")],
    ["why a challenger", why.length === 0 ? "no reason for one" : why.join("; ")],
    ...data.notes.map((note) => ["note", note]),
  ];
  const main = html`${section("What happened", "", [], [wordTable("What happened", ["fact", "here"], facts)])}
${evidence === null ? NOTHING : gateSection(evidence, charts)}`;
  return { html: renderPage(`${outcome}: retraining`, header, main), charts };
}

function gateSection(evidence: GateEvidence, charts: readonly DrawnChart[]): Html {
  const sentences = gateSentences(evidence).map((sentence) => html`<p>${sentence}</p>`);
  const flips = flipRows(evidence);
  return html`${section(
    "The gate",
    "Is the challenger better, for customers whom neither model has seen?",
    charts.map(figure),
    [
      ...sentences,
      wordTable("Differences", DIFFERENCES_HEADER, differenceRows(evidence)),
      wordTable("Metrics", METRICS_HEADER, metricRows(evidence)),
    ],
  )}
${flips.length === 0 ? NOTHING : section("Whose decision changes", "Kinds of customers, those that change most first.", [], [wordTable("Whose decision changes", FLIPS_HEADER, flips)])}`;
}

/** Nothing without economics: log-loss has no common scale with money. */
async function drawCharts({ acceptanceProfit, profit, profits }: GateEvidence): Promise<DrawnChart[]> {
  if (acceptanceProfit === null || profit === null || profits === null) return [];
  const whole = Math.abs(profits.champion);
  const rows = Object.entries({ "acceptance averaged": acceptanceProfit, "at the thresholds": profit }).map(
    ([name, { mean, lower, upper }]) => ({ name, value: mean / whole, low: lower / whole, high: upper / whole }),
  );
  const plot = intervalList(rows, "share of the champion's profit", "+.1%", [0, -MARGIN]);
  return [
    {
      id: "gate-profit",
      title: "Profit gained",
      caption:
        "The challenger's profit over the champion's on the same customers, with its one-sided bounds. Dotted: no difference, and the loss of one percent that is the most an alarm accepts.",
      svg: await renderSvg(plot),
    },
  ];
}
