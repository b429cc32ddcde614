/** A customer that somebody tries: the same answer as `POST /predict?explain=true`, but nothing is stored or counted. */
import {
  type Explanation,
  type Html,
  html,
  type Model,
  NOTHING,
  type ReasonFinder,
  type RequestReader,
  type Warning,
} from "@churn/contract";
import { customerForm, type Field, type FormState } from "./customer-form.ts";
import { decisionText } from "./recent-predictions.ts";
import { note, section } from "./sections.ts";
import { percent, points, signed } from "./words.ts";

export interface Trial {
  readonly probability: number;
  readonly decision: 0 | 1;
  readonly threshold: number;
  readonly warnings: readonly Warning[];
  readonly explanation: Explanation;
}

interface Scorer {
  readonly model: Model;
  readonly reader: RequestReader;
  readonly reasonFinder: ReasonFinder;
}

/** @param customer Must satisfy the request schema. */
export function tryCustomer(
  customer: Readonly<Record<string, unknown>>,
  { model, reader, reasonFinder }: Scorer,
): Trial {
  const { row, warnings } = reader.read(customer);
  const probability = model.predictRow(row);
  const threshold = model.manifest.threshold.value;
  return { probability, decision: model.decide(probability), threshold, warnings, explanation: reasonFinder.find(row) };
}

export function trialSection(fields: readonly Field[], state: FormState, trial: Trial | undefined): Html {
  return section(
    "try",
    "Try a customer",
    "What would the model say, and why? A tried customer is not stored and not counted as a prediction.",
    trial === undefined ? NOTHING : answer(trial),
    customerForm(fields, state),
  );
}

function answer({ probability, decision, threshold, warnings, explanation }: Trial): Html {
  const list = html`<ul class="warnings">${warnings.map(({ detail }) => html`<li>${detail}</li>`)}</ul>`;
  return html`<div class="answer" role="status">
<h3>Answer</h3>
<p class="verdict"><b>${percent(probability)}</b> probability to churn: <span class="${decision === 1 ? "contact" : "alone"}">${decisionText(decision)}</span> <span class="small">(threshold ${percent(threshold)})</span></p>
${warnings.length === 0 ? NOTHING : list}
${contributions(explanation)}
</div>
`;
}

/** The score as a sum, a bar beside each part. */
function contributions({ reasons, baseValue, otherContributions, score }: Explanation): Html {
  const parts = [
    ...reasons.map(({ text, contribution }) => ({ text, contribution })),
    { text: "All other columns together.", contribution: otherContributions },
  ];
  const most = Math.max(...parts.map(({ contribution }) => Math.abs(contribution))) || 1;
  const rows = parts.map(
    ({ text, contribution }) =>
      html`<tr><th scope="row">${text}</th><td class="number"><span>${signed(contribution)}</span>${bar(contribution / most)}</td></tr>
`,
  );
  return html`<table class="sum">
<caption>Why: what the score is made of, in points of 100</caption>
<thead><tr><th scope="col">Reason</th><th scope="col">Points</th></tr></thead>
<tbody>
<tr><th scope="row">A customer of whom nothing is known.</th><td class="number">${points(baseValue)}</td></tr>
${rows}<tr class="total"><th scope="row">Sum: the forest's score.</th><td class="number">${points(score)}</td></tr>
</tbody>
</table>
${note("Calibration turns the forest's score into the probability. Sensitive columns are never named; what they do is among the others.")}`;
}

/** @param share Of half its width, in [-1, 1]: to the right it raises, to the left it lowers. */
function bar(share: number): Html {
  const width = Number((48 * Math.abs(share)).toFixed(1));
  const x = share < 0 ? 50 - width : 50;
  return html`<svg class="bar" viewBox="0 0 100 10" aria-hidden="true"><rect class="${share < 0 ? "lowers" : "raises"}" x="${x}" y="1" width="${width}" height="8"/><path class="axis" d="M50 0V10"/></svg>`;
}
