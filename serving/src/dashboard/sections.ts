/** What the page's sections are made of: a heading with its question, a table, a list of facts. */
import { type Html, html, NOTHING } from "@churn/contract";

/** A landmark of the page; the navigation at its head names it by its id. */
export function section(id: string, title: string, question: string, ...content: readonly Html[]): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${question === "" ? NOTHING : html`<p class="question">${question}</p>`}
${content}
</section>
`;
}

/** Columns that stand side by side on a phone. */
const MOST_NARROW = 4;

/**
 * A table in a box of its own. On a phone each row of a wide one takes two lines: its name, which is its first cell, and the
 * rest. So roles are named, as a browser forgets them where a table is not laid out as one.
 */
export function table(caption: string, header: readonly string[], rows: readonly Row[]): Html {
  return html`<div class="table${header.length > MOST_NARROW ? " lines" : ""}">
<table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${header.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">
${rows.map(tableRow)}</tbody>
</table>
</div>
`;
}

/** Its name, then its figures. */
export type Row = readonly [name: Html | string, ...figures: string[]];

function tableRow([name, ...figures]: Row): Html {
  return html`<tr role="row"><th role="rowheader" scope="row">${name}</th>${figures.map((figure) => html`<td role="cell" class="number">${figure}</td>`)}</tr>
`;
}

export type Fact = readonly [term: string, description: Html | string];

export function facts(...pairs: readonly Fact[]): Html {
  return html`<dl class="facts">${pairs.map(([term, description]) => html`<div><dt>${term}</dt><dd>${description}</dd></div>`)}</dl>
`;
}

export const note = (text: Html | string): Html => html`<p class="note">${text}</p>
`;

/** What stands where something could not be had. */
export const alarm = (text: string): Html => html`<p class="alarm" role="status">${text}</p>
`;
