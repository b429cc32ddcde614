/** The report of an evaluation: scores, decisions, columns, metrics, data and model, on one page. */
import { type Html, html } from "@churn/contract";
import type { DrawnChart } from "./charts.ts";
import type { ReportContent } from "./content.ts";
import { columnsTable, dataFacts } from "./data-section.ts";
import { confusionFigure, keyFigures, summary } from "./key-figures.ts";
import { modelFacts } from "./model-section.ts";
import { figure, renderPage, section } from "./shell.ts";
import { calibrationNote, metricsTable, slicesTable } from "./tables.ts";

export function renderReport(content: ReportContent, charts: readonly DrawnChart[]): string {
  const { manifest, notes } = content;
  const figures = (...ids: readonly string[]): Html[] =>
    ids.flatMap((id) => charts.filter((chart) => chart.id === id)).map(figure);
  const title = `${manifest.name} ${manifest.version}: evaluation`;
  const header = html`<p class="eyebrow">Model evaluation · ${manifest.dataset.name}</p>
<h1>${manifest.name} <span>${manifest.version}</span></h1>
<p class="lede">${summary(content)}</p>
${notes.map((note) => html`<p class="note">${note}</p>`)}`;
  const main = html`<section aria-label="Key figures" class="tiles">${keyFigures(content)}</section>
${section("Scores", "Does it put those who leave before those who stay, and can its probabilities be taken at their word?", figures("roc", "precision-recall", "calibration", "gains", "lift", "scores"))}
${section("Decisions", "What does acting on it bring?", [...figures("profit", "f1"), confusionFigure(content)])}
${section("Columns and groups", "What does it rely on, and does it work for everybody?", figures("importances", "contributions", "slices"), [slicesTable(content)])}
${section("How the probability moves", "The mean probability of the same customers when all of them have one value of a column, for the columns that matter most. It says what the model does, not what would happen.", ...[charts.filter(({ id }) => id.startsWith("dependence-")).map(figure)])}
${section("Metrics", "With 95 % bootstrap intervals, beside what other predictors reach on the same customers.", [], [metricsTable(content), calibrationNote(content)])}
${section("Data", "The customers that judged the model.", [], [dataFacts(content), columnsTable(content)])}
${section("Model", manifest.dataset.description ?? "", [], [modelFacts(content)])}`;
  return renderPage(title, header, main);
}
