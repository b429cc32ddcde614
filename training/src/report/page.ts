/**
 * The report of an evaluation: one HTML file that needs nothing else. It loads nothing, runs nothing and says so to
 * the browser; the same content gives the same bytes.
 */
import { readFileSync } from "node:fs";
import { type Html, html, NOTHING, trusted } from "@churn/contract";
import type { DrawnChart } from "./charts.ts";
import type { ReportContent } from "./content.ts";
import { columnsTable, dataFacts } from "./data-section.ts";
import { confusionFigure, keyFigures, summary } from "./key-figures.ts";
import { modelFacts } from "./model-section.ts";
import { calibrationNote, metricsTable, slicesTable } from "./tables.ts";

const STYLE = new URL("page.css", import.meta.url);
/** Tells the browser to load nothing, whatever the page may hold. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

export function renderReport(content: ReportContent, charts: readonly DrawnChart[]): string {
  const { manifest, notes } = content;
  const figures = (...ids: readonly string[]): Html[] =>
    ids.flatMap((id) => charts.filter((chart) => chart.id === id)).map(figure);
  const title = `${manifest.name} ${manifest.version}: evaluation`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}</title>
<style>${trusted(readFileSync(STYLE, "utf8"))}</style>
</head>
<body>
<header>
<p class="eyebrow">Model evaluation · ${manifest.dataset.name}</p>
<h1>${manifest.name} <span>${manifest.version}</span></h1>
<p class="lede">${summary(content)}</p>
${notes.map((note) => html`<p class="note">${note}</p>`)}
</header>
<main>
<section aria-label="Key figures" class="tiles">${keyFigures(content)}</section>
${section("Scores", "Does it put those who leave before those who stay, and can its probabilities be taken at their word?", figures("roc", "precision-recall", "calibration", "gains", "lift", "scores"))}
${section("Decisions", "What does acting on it bring?", [...figures("profit", "f1"), confusionFigure(content)])}
${section("Columns and groups", "What does it rely on, and does it work for everybody?", figures("importances", "contributions", "slices"), [slicesTable(content)])}
${section("How the probability moves", "The mean probability of the same customers when all of them have one value of a column, for the columns that matter most. It says what the model does, not what would happen.", ...[charts.filter(({ id }) => id.startsWith("dependence-")).map(figure)])}
${section("Metrics", "With 95 % bootstrap intervals, beside what other predictors reach on the same customers.", [], [metricsTable(content), calibrationNote(content)])}
${section("Data", "The customers that judged the model.", [], [dataFacts(content), columnsTable(content)])}
${section("Model", manifest.dataset.description ?? "", [], [modelFacts(content)])}
</main>
</body>
</html>
`;
  return page.toString();
}

function section(title: string, question: string, inGrid: readonly Html[], below: readonly Html[] = []): Html {
  return html`<section>
<h2>${title}</h2>
${question === "" ? NOTHING : html`<p class="question">${question}</p>`}
${inGrid.length === 0 ? NOTHING : html`<div class="grid">${inGrid}</div>`}
${below}
</section>`;
}

function figure({ id, title, caption, svg }: DrawnChart): Html {
  return html`<figure id="${id}">
<h3>${title}</h3>
<div class="pair">
<div class="plot" role="img" aria-label="${title}. ${caption}">${trusted(svg)}</div>
<figcaption>${caption}</figcaption>
</div>
</figure>
`;
}
