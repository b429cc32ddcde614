/**
 * What all reports are: one HTML file that needs nothing else. It loads nothing, runs nothing and says so to the browser; the
 * same content gives the same bytes.
 */
import { readFileSync } from "node:fs";
import { type Html, html, NOTHING, trusted } from "@churn/contract";
import type { DrawnChart } from "./charts.ts";

const STYLE = new URL("page.css", import.meta.url);
/** Tells the browser to load nothing, whatever the page may hold. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

export function renderPage(title: string, header: Html, main: Html): string {
  return html`<!doctype html>
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
${header}
</header>
<main>
${main}
</main>
</body>
</html>
`.toString();
}

export function section(title: string, question: string, inGrid: readonly Html[], below: readonly Html[] = []): Html {
  return html`<section>
<h2>${title}</h2>
${question === "" ? NOTHING : html`<p class="question">${question}</p>`}
${inGrid.length === 0 ? NOTHING : html`<div class="grid">${inGrid}</div>`}
${below}
</section>`;
}

export function figure({ id, title, caption, svg }: DrawnChart): Html {
  return html`<figure id="${id}">
<h3>${title}</h3>
<div class="pair">
<div class="plot" role="img" aria-label="${title}. ${caption}">${trusted(svg)}</div>
<figcaption>${caption}</figcaption>
</div>
</figure>
`;
}
