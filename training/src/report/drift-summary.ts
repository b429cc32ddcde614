/** A drift check in words and tables: Markdown that also reads as plain text. */
import { FULL_POWER_ROWS, type Verdict } from "../drift/check.ts";
import type { DriftResult } from "../drift-result.ts";
import { FINDINGS_HEADER, findingRows } from "./performance.ts";
import { extraColumnsNote, markdownTable } from "./text.ts";
import { percent, pValue as pValueText } from "./words.ts";

export const HEADLINES: Readonly<Record<Verdict, string>> = {
  ok: "Nothing that should worry anyone.",
  drift: "Customers no longer are, or act, as those that the model was made from.",
  dataQuality: "The data have faults, to be mended where they come from.",
  notEnoughData: "There are not enough customers for a verdict.",
};

/** As a page of its own, such as the summary of a CI job. */
export function driftMarkdown(result: DriftResult): string {
  return `## Drift check of ${result.current}\n\n${driftSummary(result)}\n`;
}

export function driftSummary(result: DriftResult): string {
  const { verdict, reasons } = result;
  const paragraphs = [
    [`${verdict}: ${HEADLINES[verdict]}`],
    reasons.map((reason) => `- ${reason}`),
    windowsTable(result),
    columnsTable(result),
    sentences(result),
    outcomesTable(result),
    notes(result).map((note) => `- Note: ${note}`),
  ];
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

/** Of several windows: which have been checked. */
function windowsTable({ windows }: DriftResult): string[] {
  if (windows.length < 2) return [];
  const rows = windows.map(({ days, from, to, rows: size, verdict }) => [
    String(days),
    from?.slice(0, 10) ?? "–",
    to?.slice(0, 10) ?? "–",
    String(size),
    verdict,
  ]);
  return [markdownTable([["days", "from", "to", "customers", "verdict"], ...rows])];
}

/** Columns with a finding. */
function columnsTable({ columns }: DriftResult): string[] {
  const moved = columns.filter(({ tier }) => tier !== "stable" && tier !== "untested");
  if (moved.length === 0) return [];
  const rows = moved.map(({ column, tier, tests, harm }) => [
    column,
    tier,
    tests.map(({ test, pValue }) => `${test} ${pValueText(pValue)}`).join(", "),
    harm.size.toFixed(4),
  ]);
  return [markdownTable([["column", "finding", "p-values", "harm"], ...rows])];
}

function sentences({ rows, scores, domain, estimate, tests, level, detectableDistance }: DriftResult): string[] {
  const auc = estimate?.metrics.roc_auc;
  return [
    `${rows} customers; mean probability ${scores.current.mean.toFixed(4)}, it was ${scores.reference.mean.toFixed(4)};` +
      ` above the threshold ${percent(scores.current.decisions)}, it was ${percent(scores.reference.decisions)}.`,
    ...(domain.test
      ? [`A model tells these customers from those of the training with an AUC of ${domain.test.statistic.toFixed(3)}.`]
      : []),
    ...(auc === undefined
      ? []
      : [
          `If these customers react as those of the training did, the ROC AUC is ${auc.value.toFixed(3)} (${auc.low.toFixed(3)} – ${auc.high.toFixed(3)}): an estimate without outcomes.`,
        ]),
    `${tests} tests share the level ${level.toPrecision(2)}; of a note one in twenty comes by chance. A column's change by less than ${percent(detectableDistance)}` +
      " of its rows could have gone unseen.",
  ];
}

function outcomesTable({ performance }: DriftResult): string[] {
  const findings = performance === null ? [] : findingRows(performance);
  return findings.length === 0 ? [] : [markdownTable([FINDINGS_HEADER, ...findings])];
}

function notes(result: DriftResult): string[] {
  const { performance, rows, verdict, missingColumns, hiddenColumns, extraColumns } = result;
  const naming = (what: string, columns: readonly string[]): string[] =>
    columns.length === 0 ? [] : [`${what}: ${columns.join(", ")}`];
  return [
    ...(performance?.notes ?? []).map((note) => `${note}.`),
    ...(rows < FULL_POWER_ROWS && verdict === "ok"
      ? [`full power at the floors needs about ${FULL_POWER_ROWS} customers.`]
      : []),
    ...naming("columns that are not there, counted as missing", missingColumns),
    ...naming("columns that the store has hashed, not checked", hiddenColumns),
    ...extraColumnsNote(extraColumns).map((note) => note.replace(/^Note: /, "")),
  ];
}
