/**
 * The scores of now against those of training: two histograms in one picture. Bars are the stored predictions; the
 * line is what the model gave customers that were held out of training.
 */
import { type Html, html, type ModelManifest, NOTHING } from "@churn/contract";
import type { StoreSummary } from "../store/prediction-store.ts";
import { BINS, scoreShares, shareBelow } from "./score-shares.ts";
import { alarm, type Row, section, table } from "./sections.ts";
import { count, counted, NO_FIGURE, percent } from "./words.ts";

/** In units of the drawing, which are pixels on a wide page. */
const VIEW = { width: 560, height: 250 };
const AREA = { left: 58, right: 552, top: 12, bottom: 196 };
const STEP = (AREA.right - AREA.left) / BINS;

/** Both as shares per bin; undefined where there are none. */
interface Distributions {
  readonly now: readonly number[] | undefined;
  readonly training: readonly number[] | undefined;
}

export function scoreSection(manifest: ModelManifest, summary: StoreSummary | undefined): Html {
  const question =
    "Do customers score as those of training did? A shift means other customers, or other data about them.";
  const away =
    summary === undefined ? alarm("The prediction store is away, so the scores of now are missing.") : NOTHING;
  const quantiles = manifest.reference.scores;
  const distributions: Distributions = {
    now: summary === undefined || summary.predictions === 0 ? undefined : shares(summary.scores),
    training: quantiles.length < 2 ? undefined : scoreShares(quantiles),
  };
  const caption = captionOf(manifest, summary);
  return section("scores", "Scores", question, away, figureOf(distributions, manifest.threshold.value, caption));
}

function shares(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, one) => sum + one, 0);
  return counts.map((one) => (total === 0 ? 0 : one / total));
}

function captionOf({ reference: { scores }, threshold: { value } }: ModelManifest, summary?: StoreSummary): string {
  const { predictions = 0, contacts = 0 } = summary ?? {};
  const now =
    predictions === 0
      ? "There are no predictions to show yet."
      : `Of ${counted(predictions, "prediction")}, ${percent(contacts / predictions)} said “contact”.`;
  const then =
    scores.length < 2
      ? ""
      : ` Of the customers held out of training, about ${percent(1 - shareBelow(scores, value))} reach the threshold.`;
  return `${now}${then}`;
}

function figureOf({ now, training }: Distributions, threshold: number, caption: string): Html {
  const most = Math.max(0.05, ...(now ?? []), ...(training ?? []));
  const top = [0.1, 0.2, 0.3, 0.4, 0.6, 0.8].find((share) => share >= most) ?? 1;
  const x = (score: number): number => round(AREA.left + score * (AREA.right - AREA.left));
  const y = (share: number): number => round(AREA.bottom - (share / top) * (AREA.bottom - AREA.top));
  const line = (training ?? []).map((share, bin) => `V${y(share)}H${x((bin + 1) / BINS)}`).join("");
  return html`<figure class="beside">
<div>
<ul class="key">
<li>${swatch("now", "bar")} predictions now</li>
<li>${swatch("training", "line")} training, held out</li>
<li>${swatch("threshold", "line")} threshold, ${percent(threshold)}</li>
</ul>
<svg class="plot" viewBox="0 0 ${VIEW.width} ${VIEW.height}" role="img" aria-label="Share of customers by score. ${caption}">
${[0, 0.5, 1].map((part) => html`<path class="grid" d="M${AREA.left} ${y(part * top)}H${AREA.right}"/><text x="${AREA.left - 6}" y="${y(part * top) + 5}" text-anchor="end">${(100 * part * top).toFixed(0)}%</text>`)}
${[0, 0.25, 0.5, 0.75, 1].map((score) => html`<text x="${x(score)}" y="${AREA.bottom + 22}" text-anchor="${score === 1 ? "end" : "middle"}">${(100 * score).toFixed(0)}%</text>`)}
<text x="${(AREA.left + AREA.right) / 2}" y="${AREA.bottom + 46}" text-anchor="middle">probability to churn</text>
${(now ?? []).map((share, bin) => (share === 0 ? NOTHING : html`<rect class="now" x="${round(x(bin / BINS) + 1)}" y="${y(share)}" width="${round(STEP - 2)}" height="${round(AREA.bottom - y(share))}"/>`))}
${training === undefined ? NOTHING : html`<path class="training" d="M${AREA.left} ${AREA.bottom}${line}V${AREA.bottom}"/>`}
<path class="threshold" d="M${x(threshold)} ${AREA.top}V${AREA.bottom}"/>
</svg>
</div>
<figcaption>
<p>${caption}</p>
<details>
<summary>The figures as a table</summary>
${table("Share of customers by score", ["Score", "Now", "Training"], rows({ now, training }))}</details>
</figcaption>
</figure>
`;
}

function rows({ now, training }: Distributions): Row[] {
  const figure = (values: readonly number[] | undefined, bin: number): string =>
    values === undefined ? NO_FIGURE : percent(values[bin]);
  return Array.from({ length: BINS }, (_, bin) => [
    `${count((100 * bin) / BINS)} – ${count((100 * (bin + 1)) / BINS)}\u00a0%`,
    figure(now, bin),
    figure(training, bin),
  ]);
}

function swatch(kind: string, shape: "bar" | "line"): Html {
  const mark =
    shape === "bar" ? html`<rect class="${kind}" width="24" height="12"/>` : html`<path class="${kind}" d="M0 6H24"/>`;
  return html`<svg class="swatch" viewBox="0 0 24 12" aria-hidden="true">${mark}</svg>`;
}

/** Enough for a drawing. */
const round = (value: number): number => Number(value.toFixed(1));
