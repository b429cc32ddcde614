/** What became of the predicted customers, as far as it has been reported. */

import { type Html, html, NOTHING } from "@churn/contract";
import type { StoreSummary } from "../store/prediction-store.ts";
import { alarm, facts, note, section } from "./sections.ts";
import { count, counted, moment, NO_FIGURE, percent, percentOf } from "./words.ts";

export function outcomesSection(summary: StoreSummary | undefined): Html {
  const question = "What became of the customers, and was the model right about them?";
  if (summary === undefined) return section("outcomes", "Outcomes", question, alarm("The prediction store is away."));
  const { predictions, outcomes, firstAt, lastAt } = summary;
  if (predictions === 0) return section("outcomes", "Outcomes", question, note("There are no predictions yet."));
  const period =
    firstAt === null || lastAt === null
      ? NOTHING
      : html` made from ${moment(new Date(firstAt))} to ${moment(new Date(lastAt))}`;
  const known = html`The outcome is known of <b>${count(outcomes)}</b> of ${counted(predictions, "prediction")} (${percentOf(outcomes, predictions)})${period}.`;
  const judged = outcomes === 0 ? note("Report outcomes, and precision and recall appear here.") : judgement(summary);
  return section("outcomes", "Outcomes", question, html`<p>${known}</p>`, judged);
}

function judgement({ confusion }: StoreSummary): Html {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = confusion;
  const cell = (rows: number, meaning: string, kind: "right" | "wrong"): Html =>
    html`<td class="${kind}"><b>${count(rows)}</b> <small>${meaning}</small></td>`;
  return html`<div class="pair">
<figure>
<table class="confusion">
<caption>Decisions and outcomes</caption>
<thead><tr><td></td><th scope="col">churned</th><th scope="col">stayed</th></tr></thead>
<tbody>
<tr><th scope="row">contact</th>${cell(truePositives, "found", "right")}${cell(falsePositives, "in vain", "wrong")}</tr>
<tr><th scope="row">leave alone</th>${cell(falseNegatives, "missed", "wrong")}${cell(trueNegatives, "rightly", "right")}</tr>
</tbody>
</table>
</figure>
${facts(
  ["Precision: of those to be contacted, how many churned", share(truePositives, truePositives + falsePositives)],
  ["Recall: of those who churned, how many were to be contacted", share(truePositives, truePositives + falseNegatives)],
)}</div>
${note("A contact that works keeps a customer who would have left; so where the service's decisions are followed, precision and recall look lower than they are.")}`;
}

/** A share of few is uncertain, and says so. */
function share(part: number, whole: number): string {
  if (whole === 0) return `${NO_FIGURE} (none so far)`;
  const [low, high] = wilsonInterval(part, whole);
  return `${percent(part / whole)} (${count(part)} of ${count(whole)}; 95\u00a0%: ${percent(low)} – ${percent(high)})`;
}

/** Standard normal quantile of 97.5 %. */
const Z = 1.959963984540054;

/**
 * The 95 % interval of a share.
 *
 * @source Wilson 1927
 */
export function wilsonInterval(part: number, whole: number): [low: number, high: number] {
  const p = part / whole;
  const centre = p + Z ** 2 / (2 * whole);
  const spread = Z * Math.sqrt((p * (1 - p)) / whole + Z ** 2 / (4 * whole ** 2));
  const scale = 1 + Z ** 2 / whole;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}
