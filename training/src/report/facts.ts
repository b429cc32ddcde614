/** Names and values, as a list of definitions. */
import { type Html, html } from "@churn/contract";

export function facts(entries: readonly (readonly [name: string, value: string])[]): Html {
  return html`<dl class="facts">
${entries.map(
  ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
)}</dl>
`;
}
