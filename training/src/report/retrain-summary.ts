/** A retraining in words and tables: Markdown that also reads as plain text. */
import type { GateEvidence } from "../gate/evidence.ts";
import type { RetrainOutcome, RetrainResult } from "../retraining/result.ts";
import {
  DIFFERENCES_HEADER,
  differenceRows,
  FLIPS_HEADER,
  flipRows,
  gateSentences,
  METRICS_HEADER,
  metricRows,
} from "./gate-words.ts";
import { markdownTable } from "./text.ts";

export const HEADLINES: Readonly<Record<RetrainOutcome, string>> = {
  promoted: "A new champion serves from now on.",
  kept: "The champion stays: the challenger is not better.",
  notEnoughEvidence: "The champion stays: it is not shown that the challenger is better.",
  skipped: "No challenger was trained.",
};

/** As a page of its own, such as the summary of a CI job. */
export function retrainMarkdown(result: RetrainResult): string {
  const plot = result.evidence?.profits ? `\n${profitPlot(result.evidence.profits)}` : "";
  return `## Retraining\n\n${retrainSummary(result)}\n${plot}`;
}

/** What Markdown pages of code hosts draw: Mermaid's bars. */
function profitPlot({ champion, challenger, contactAll }: NonNullable<GateEvidence["profits"]>): string {
  const bars = { "contact all": contactAll, champion, challenger };
  const [names, values] = [Object.keys(bars), Object.values(bars)];
  return [
    "```mermaid",
    "xychart-beta",
    '  title "Profit per held-out customer; contacting nobody earns 0"',
    `  x-axis [${names.map((name) => JSON.stringify(name)).join(", ")}]`,
    `  y-axis "profit" ${Math.min(0, ...values).toFixed(2)} --> ${(1.1 * Math.max(1, ...values)).toFixed(2)}`,
    `  bar [${values.map((value) => value.toFixed(2)).join(", ")}]`,
    "```",
    "",
  ].join("\n");
}

export function retrainSummary(result: RetrainResult): string {
  const { outcome, reason, why, evidence } = result;
  const paragraphs = [
    [`${outcome}: ${HEADLINES[outcome]}`],
    [`Because ${reason}.`],
    facts(result),
    why.length === 0 ? [] : ["A challenger was trained because", ...why.map((one) => `- ${one}`)],
    ...(evidence === null
      ? []
      : [
          gateSentences(evidence),
          [markdownTable([DIFFERENCES_HEADER, ...differenceRows(evidence)])],
          [markdownTable([METRICS_HEADER, ...metricRows(evidence)])],
          evidence.flips.kinds.length === 0 ? [] : [markdownTable([FLIPS_HEADER, ...flipRows(evidence)])],
          evidence.moreCustomers === null ? [] : [`About ${evidence.moreCustomers} customers more would decide.`],
        ]),
  ];
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function facts({
  data,
  drift,
  why,
  championVersion,
  previousVersion,
  challengerVersion,
  needsPerson,
}: RetrainResult): string[] {
  return [
    `- Data: ${data.sha256 === null ? data.source : `${data.path} (${data.source}, sha256 ${data.sha256.slice(0, 12)}…)`}`,
    ...data.notes.map((note) => `- Note: ${note}`),
    ...(drift === null
      ? []
      : [`- Drift check: ${[drift.verdict, ...(why.length === 0 ? drift.reasons : [])].join("; ")}`]),
    `- Champion: ${championVersion ?? "none"}${previousVersion === championVersion ? "" : `, before ${previousVersion ?? "none"}`}`,
    ...(challengerVersion === null ? [] : [`- Challenger: ${challengerVersion}`]),
    ...(needsPerson ? ["- Somebody should look at this."] : []),
  ];
}
