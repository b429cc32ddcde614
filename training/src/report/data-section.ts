/** The customers that judged a model: how many, and what each of their columns looks like. */
import { type FeatureReference, featureColumnNames, type Html, html, NOTHING, trusted } from "@churn/contract";
import type { ReportContent } from "./content.ts";
import { facts } from "./facts.ts";
import { table } from "./tables.ts";
import { count, percent, short } from "./words.ts";

export function dataFacts({ data, judged, baseRate, manifest }: ReportContent): Html {
  const rows = judged.labels.length;
  const churners = judged.labels.reduce((sum, label) => sum + label, 0);
  const { column, positive, horizonDays } = manifest.dataset.target;
  return facts([
    ["Data", data.path],
    ["sha256", data.sha256],
    ["Rows", count(data.rows)],
    ["Label known", count(data.labelledRows)],
    ["Judged the model", count(rows)],
    ["Churned", `${count(churners)} (${percent(churners / rows)})`],
    ["Base rate guessed", percent(baseRate)],
    ["Churn means", `${column} = ${JSON.stringify(positive)}${horizonDays ? ` within ${horizonDays} days` : ""}`],
  ]);
}

/** One row per column that is a feature, then one per derived feature. */
export function columnsTable({ manifest: { dataset }, profile, judged, findings }: ReportContent): Html {
  const rows = judged.labels.length;
  const derived = Object.entries(dataset.features ?? {});
  const summary = (name: string): FeatureReference =>
    dataset.columns[name]?.type === "boolean" ? asLevels(profile[name], rows) : profile[name];
  const row = (
    name: string,
    kind: string,
    meaning: string,
  ): Html => html`<tr><th scope="row">${name}<small>${meaning}</small></th><td>${kind}</td><td class="number">${percent(profile[name].missing / rows)}</td><td class="number">${findings[name] === undefined ? "–" : count(findings[name])}</td><td>${picture(summary(name))}</td><td>${spread(summary(name))}</td></tr>
`;
  return table(
    "Columns",
    ["column", "type", "missing", "outside", "distribution", "least · median · greatest, or levels"],
    [
      ...featureColumnNames(dataset).map((name) => {
        const { type, unit, description = "" } = dataset.columns[name];
        return row(name, unit === undefined ? type : `${type}, ${unit}`, description);
      }),
      ...derived.map(([name, expression]) => row(name, "derived", expression)),
    ],
  );
}

/** A boolean, which is a number to a model, is two levels to a reader. */
function asLevels(summary: FeatureReference, rows: number): FeatureReference {
  if (summary.kind === "category") return summary;
  const present = rows - summary.missing;
  const yes = Math.round((summary.mean ?? 0) * present);
  return { kind: "category", missing: summary.missing, counts: { true: yes, false: present - yes } };
}

/** As many levels as a line holds. */
const MOST_LEVELS = 6;

function spread(summary: FeatureReference): string {
  if (summary.kind === "number") {
    const { quantiles } = summary;
    if (quantiles.length === 0) return "no value";
    return [0, (quantiles.length - 1) / 2, quantiles.length - 1].map((i) => short(quantiles[i])).join(" · ");
  }
  const levels = largestFirst(summary.counts);
  const total = levels.reduce((sum, [, n]) => sum + n, 0);
  const shown = levels.slice(0, MOST_LEVELS).map(([level, n]) => `${level} ${percent(n / total || 0)}`);
  return [...shown, ...(levels.length > MOST_LEVELS ? [`and ${levels.length - MOST_LEVELS} more`] : [])].join(", ");
}

const largestFirst = (counts: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(counts).sort(([, a], [, b]) => b - a);

/** A sketch of 120 × 14: where the values of a number lie, or the shares of the levels. What it shows stands beside it. */
function picture(summary: FeatureReference): Html {
  const shapes = summary.kind === "number" ? boxPlot(summary.quantiles) : stackedBar(summary.counts);
  return shapes === ""
    ? NOTHING
    : trusted(`<svg class="sketch" viewBox="0 0 120 14" aria-hidden="true">${shapes}</svg>`);
}

const px = (value: number): string => value.toFixed(1);

/** Between 5 and 95 % a line, between 25 and 75 % a box, at the median a stroke; the edges are the extremes. */
function boxPlot(quantiles: readonly number[]): string {
  if (quantiles.length === 0) return "";
  const [least, greatest] = [quantiles[0], quantiles[quantiles.length - 1]];
  const at = (q: number): number =>
    118 * ((quantiles[Math.round(q * (quantiles.length - 1))] - least) / (greatest - least || 1)) + 1;
  const bar = (from: number, to: number, y: number, height: number, kind: string): string =>
    `<rect class="${kind}" x="${px(at(from))}" y="${y}" width="${px(Math.max(1, at(to) - at(from)))}" height="${height}"/>`;
  return [
    `<rect class="track" x="0" y="6.5" width="120" height="1"/>`,
    bar(0.05, 0.95, 5.5, 3, "line"),
    bar(0.25, 0.75, 2, 10, "box"),
    `<rect class="median" x="${px(at(0.5) - 1)}" y="0" width="2" height="14"/>`,
  ].join("");
}

function stackedBar(counts: Readonly<Record<string, number>>): string {
  const levels = largestFirst(counts).filter(([, n]) => n > 0);
  const total = levels.reduce((sum, [, n]) => sum + n, 0);
  let x = 0;
  return levels
    .map(([, n], i) => {
      const width = (120 * n) / total;
      x += width;
      return `<rect class="level" style="--depth: ${px(Math.max(0.2, 1 - 0.2 * i))}" x="${px(x - width)}" y="2" width="${px(Math.max(0.5, width - 1))}" height="10"/>`;
    })
    .join("");
}
