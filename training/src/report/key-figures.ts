/** The top of a report: what the model does in one sentence, its key figures, its decisions. */
import { type Html, html, type Metric } from "@churn/contract";
import { contactValues } from "../evaluation/economics.ts";
import type { Evaluation } from "../evaluation/evaluate.ts";
import type { ReportContent } from "./content.ts";
import { METRIC_LABELS } from "./text.ts";
import { count, figure, percent } from "./words.ts";

/** What acting on the model would have meant for these customers. */
export function summary({ evaluation: { confusionMatrix }, judged }: ReportContent): Html {
  const { truePositives, falsePositives, falseNegatives } = confusionMatrix;
  const contacted = truePositives + falsePositives;
  const rows = judged.labels.length;
  if (contacted === 0) return html`At its threshold the model would have contacted none of ${count(rows)} customers.`;
  const found = percent(truePositives / (truePositives + falseNegatives));
  return html`Contact <b>${percent(contacted / rows)}</b> of the customers and you reach <b>${found}</b> of those who leave; of those contacted, <b>${percent(truePositives / contacted)}</b> would have left.`;
}

/** One end of a scale: what stands there, and its value. */
interface End {
  readonly name: string;
  readonly value: number;
}

/** Four tiles: ranking all, ranking those who leave, probabilities, decisions. */
export function keyFigures({ evaluation, manifest, judged }: ReportContent): Html[] {
  const { metrics, baselines } = evaluation;
  const best = (name: string, perfect: number): End => {
    const truth = baselines.truth?.[name];
    return truth ? { name: "best possible", value: truth.value } : { name: "perfect", value: perfect };
  };
  const guess = (name: string): End => ({ name: "base rate", value: baselines.base_rate[name].value });
  const { economics } = manifest.dataset;
  const churners = judged.labels.reduce((sum, label) => sum + label, 0) / judged.labels.length;
  return [
    tile("roc_auc", metrics.roc_auc, { name: "chance", value: 0.5 }, best("roc_auc", 1)),
    tile("average_precision", metrics.average_precision, guess("average_precision"), best("average_precision", 1)),
    tile("log_loss", metrics.log_loss, guess("log_loss"), best("log_loss", 0)),
    economics
      ? tile(
          "profit_per_customer",
          metrics.profit_per_customer,
          withoutModel("profit_per_customer", evaluation),
          best("profit_per_customer", churners * contactValues(economics).churner),
        )
      : tile("f1_score", metrics.f1_score, withoutModel("f1_score", evaluation), best("f1_score", 1)),
  ];
}

/** The better of the two policies that need no model. */
function withoutModel(name: string, { baselines }: Evaluation): End {
  const [all, none] = [baselines.contact_everyone[name].value, baselines.contact_no_one[name].value];
  return all > none ? { name: "contact all", value: all } : { name: "contact no one", value: none };
}

/** A figure, its interval, and how far it has come from one end of a scale to the other. */
function tile(name: keyof typeof METRIC_LABELS, { value, low, high }: Metric, from: End, to: End): Html {
  const share = (value - from.value) / (to.value - from.value || 1);
  const at = (100 * Math.min(1, Math.max(0, share))).toFixed(1);
  return html`<div class="tile">
<h3>${METRIC_LABELS[name]}</h3>
<p class="value">${figure(value)}</p>
<p class="interval">95&nbsp;%: ${figure(low)} – ${figure(high)}</p>
<div class="meter" style="--at: ${at}%"><i></i></div>
<p class="ends"><span>${from.name}<br>${figure(from.value)}</span><span>${to.name}<br>${figure(to.value)}</span></p>
</div>
`;
}

/** The confusion matrix, in words. */
export function confusionFigure({ evaluation, manifest }: ReportContent): Html {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = evaluation.confusionMatrix;
  const total = truePositives + falsePositives + falseNegatives + trueNegatives;
  const cell = (rows: number, meaning: string, kind: string): Html =>
    html`<td class="${kind}"><b>${count(rows)}</b> ${percent(rows / total)}<br><small>${meaning}</small></td>`;
  return html`<figure id="confusion">
<h3>Decisions at the threshold</h3>
<div class="pair">
<table class="confusion">
<thead><tr><td></td><th scope="col">churned</th><th scope="col">stayed</th></tr></thead>
<tbody>
<tr><th scope="row">contacted</th>${cell(truePositives, "found", "right")}${cell(falsePositives, "in vain", "wrong")}</tr>
<tr><th scope="row">left alone</th>${cell(falseNegatives, "missed", "wrong")}${cell(trueNegatives, "rightly", "right")}</tr>
</tbody>
</table>
<figcaption>Rows are what the threshold of ${figure(manifest.threshold.value)} decides, columns what the customers did. Why this threshold: ${manifest.threshold.reason}.</figcaption>
</div>
</figure>
`;
}
