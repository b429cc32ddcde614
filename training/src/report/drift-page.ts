/** The report of a drift check: the verdict in a sentence, and what it rests on. */
import { type Html, html, NOTHING } from "@churn/contract";
import type { ColumnFinding } from "../drift/check.ts";
import { DRIFT_TESTS } from "../drift/drift-tests.ts";
import type { Tier } from "../drift/tier.ts";
import type { DriftResult } from "../drift-result.ts";
import type { DrawnChart } from "./charts.ts";
import { HEADLINES } from "./drift-summary.ts";
import { FINDINGS_HEADER, findingRows, METRICS_HEADER, metricsRow } from "./performance.ts";
import { figure, renderPage, section } from "./shell.ts";
import { table, wordTable } from "./tables.ts";
import { count, percent, pValue } from "./words.ts";

const TIERS: Readonly<Record<Tier, string>> = {
  alarm: "shifted, and it matters",
  shifted: "shifted",
  note: "may have shifted",
  stable: "as it was",
  untested: "not tested: too few values",
};

export function renderDriftReport(result: DriftResult, charts: readonly DrawnChart[]): string {
  const { verdict, reasons, modelVersion, current, rows, columns } = result;
  const header = html`<p class="eyebrow">Drift check · ${current}</p>
<h1>${verdict} <span>${modelVersion}</span></h1>
<p class="lede">${HEADLINES[verdict]}</p>
${reasons.map((reason) => html`<p class="note">${reason}</p>`)}`;
  const figures = (of: string): Html[] => charts.filter(({ id }) => id.startsWith(of)).map(figure);
  const main = html`${section("Probabilities", "What do the changes make of the predictions?", figures("scores"), [scoresTable(result)])}
${section("Columns", "Which have changed, and what does it do to the predictions? The most harmful first.", [], [columnsTable(columns)])}
${section("As they were and as they are", "Columns with a finding, and the most harmful of the others.", figures("column-"))}
${performanceSection(result, figures("performance-"))}
${section("How to read this", "", [], [explanation(result)])}`;
  return renderPage(`${verdict}: drift check of ${count(rows)} customers`, header, main);
}

/** Nothing of a file: it has no outcomes. */
function performanceSection({ performance }: DriftResult, figures: readonly Html[]): Html {
  if (performance === null) return NOTHING;
  const { notes, history, slices } = performance;
  const findings = findingRows(performance);
  const tables = [
    ...(findings.length === 0 ? [] : [wordTable("Findings", FINDINGS_HEADER, findings)]),
    ...notes.map((note) => html`<p class="note">${note}.</p>`),
    ...(history.length === 0
      ? []
      : [
          wordTable(
            "By week",
            METRICS_HEADER,
            history.map(({ from, rows, labelled, metrics }) => metricsRow(from, rows, labelled, metrics)),
          ),
        ]),
    ...(slices.length === 0
      ? []
      : [
          wordTable(
            "By group",
            METRICS_HEADER,
            slices.map(({ column, level, rows, metrics }) => metricsRow(`${column}: ${level}`, rows, rows, metrics)),
          ),
        ]),
  ];
  return section(
    "Outcomes",
    "How has the model done, where it is known, and do as many leave as should?",
    figures,
    tables,
  );
}

function scoresTable({ scores: { reference, current }, domain, rows }: DriftResult): Html {
  const row = (name: string, before: string, now: string): Html =>
    html`<tr><th scope="row">${name}</th><td class="number">${before}</td><td class="number">${now}</td></tr>
`;
  return table(
    "Probabilities",
    ["", "training", "now"],
    [
      row("mean probability of churn", reference.mean.toFixed(4), current.mean.toFixed(4)),
      row("above the threshold", percent(reference.decisions), percent(current.decisions)),
      row("told apart by a model (AUC; 0.5 is not at all)", "0.5", domain.test?.statistic.toFixed(3) ?? "–"),
      row("customers", "–", count(rows)),
    ],
  );
}

function columnsTable(columns: readonly ColumnFinding[]): Html {
  const rows = columns.map(
    ({ column, tier, tests, effect, harm }) =>
      html`<tr><th scope="row">${column}</th><td>${TIERS[tier]}</td><td class="number"><b>${harm.size.toFixed(4)}</b></td><td class="number">${signed(harm.meanScore)}</td><td class="number">${(effect?.kolmogorov_smirnov ?? effect?.total_variation)?.toFixed(3) ?? "–"}</td><td class="number">${effect?.population_stability_index.toFixed(3) ?? "–"}</td><td class="muted">${tests.map(({ test, adjustedPValue }) => `${test}\u00a0${pValue(adjustedPValue)}`).join(", ")}</td></tr>
`,
  );
  const header = ["column", "finding", "harm", "mean moved by", "distance", "PSI", "p, corrected"];
  return table("Columns", header, rows);
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;

function explanation({
  level,
  tests,
  falseAlarmsPerYear,
  everyDays,
  detectableDistance,
  rows,
  verdict,
}: DriftResult): Html {
  const budget = falseAlarmsPerYear === 1 ? "one false alarm" : `${falseAlarmsPerYear} false alarms`;
  return html`<p>A check every ${everyDays} days and ${budget} a year, half of it for inputs: the ${tests} tests of this check share a level of ${level.toPrecision(2)} (Holm's correction). <b>Shifted</b> is what is no chance at that level. It is an <b>alarm</b> when it does harm: a column that moves a customer's probability, or probabilities and decisions that are others. What <b>may have shifted</b> has a test with p below 0.05, which one in twenty has by chance.</p>
<p><b>Harm</b> is by how much the shift of a column moves a customer's probability on average, by what the model makes of its values (SHAP). A column that the model does not look at has none. <b>Distance</b> is the Kolmogorov–Smirnov distance of a number and the total variation of a category. PSI is shown because people know it; nothing here is decided by it.</p>
<p>${verdict === "ok" ? html`A change of a column by less than ${percent(detectableDistance)} of its customers could have gone unseen among ${count(rows)}.` : NOTHING}</p>
<ul>${DRIFT_TESTS.map(({ name, source }) => html`<li>${name}: ${source}</li>`)}</ul>`;
}
