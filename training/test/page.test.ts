/** The report as a text; `e2e/report-page.test.ts` opens it in a browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileFeatures, type DatasetSpecification, type ModelManifest } from "@churn/contract";
import { evaluate } from "../src/evaluation/evaluate.ts";
import { profileFeatures } from "../src/profile.ts";
import { Random } from "../src/random.ts";
import { drawCharts } from "../src/report/charts.ts";
import type { ReportContent } from "../src/report/content.ts";
import { renderReport } from "../src/report/page.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  description: "Members of a gym.",
  key: "id",
  target: { column: "left", positive: "yes", horizonDays: 30 },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", unit: "per month", description: "How often a member comes." },
    trainer: { type: "boolean" },
    plan: { type: "category" },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
  slices: ["plan", "trainer"],
};
const ECONOMICS = { customerValue: 500, contactCost: 5, offerCost: 60, offerAcceptance: 0.5 };
const LEVELS = ["full", "day", "student"];
const ROWS = 600;

interface Variant {
  readonly dataset?: DatasetSpecification;
  readonly levels?: readonly string[];
  readonly hasTruth?: boolean;
  readonly threshold?: number;
  readonly notes?: readonly string[];
}

/** An evaluation of made-up scores of made-up members. */
async function content(variant: Variant = {}): Promise<ReportContent> {
  const { dataset = GYM, levels = LEVELS, hasTruth = true, threshold = 0.4, notes = ["Judged by some."] } = variant;
  const random = new Random(7);
  const draw = (value: () => number): Float64Array => Float64Array.from({ length: ROWS }, value);
  const truth = draw(() => random.uniform());
  const labels = Uint8Array.from(truth, (probability) => +(random.uniform() < probability));
  const scores = truth.map((probability) => 0.8 * probability + 0.2 * random.uniform());
  const features = compileFeatures(dataset, "gym");
  const columns = features.map(({ kind, expression, name }) => {
    const isFlag = expression !== undefined || dataset.columns[name].type === "boolean";
    const most = kind === "category" ? levels.length : isFlag ? 2 : 20;
    return Float32Array.from({ length: ROWS }, () => (random.uniform() < 0.05 ? Number.NaN : random.integer(most)));
  });
  const encodings = Object.fromEntries(
    features.filter(({ kind }) => kind === "category").map(({ name }) => [name, levels]),
  );
  const sample = { rows: ROWS, columns, labels, truth: hasTruth ? truth : undefined };
  const context = { dataset, features, encodings, baseRate: 0.5, threshold, seed: 1 };
  const manifest = {
    name: "churn",
    version: "20261125T120000Z-0a1b2c3d",
    contentSha256: "0a1b2c3d".repeat(8),
    dataset,
    features,
    forest: { nEstimators: 30, maxDepth: 12, nNodes: 1234 },
    calibration: { method: "none", logLoss: {}, reason: "few rows" },
    threshold: { value: threshold, method: "f1", reason: "highest F1" },
    lineage: {
      data: { sha256: "ab".repeat(32), rows: 3000, trainingRows: 2400 },
      seed: 1,
      code: { commit: null, modified: null },
      engine: { node: "26" },
      created: "2026-11-25T12:00:00.000Z",
    },
  } as unknown as ModelManifest;
  return {
    manifest,
    data: { path: "gym.csv", sha256: "cd".repeat(32), rows: 700, labelledRows: 650 },
    judged: { scores, forestScores: scores, labels, truth: sample.truth },
    profile: (await profileFeatures(features, encodings, columns, scores)).features,
    evaluation: await evaluate(sample, scores, context),
    explanation: {
      importances: features
        .filter(({ expression }) => expression === undefined)
        .map(({ name }, i) => ({ column: name, value: 0.1 / (i + 1), low: 0.05 / (i + 1), high: 0.15 / (i + 1) })),
      contributions: features.map(({ name }, i) => ({ feature: name, value: 0.1 / (i + 1), low: 0.09, high: 0.12 })),
      partialDependences: features
        .filter(({ expression }) => expression === undefined)
        .slice(0, 2)
        .map(({ name, kind }) =>
          kind === "number"
            ? { column: name, kind, grid: [0, 4, 8], mean: [0.5, 0.3, 0.2] }
            : { column: name, kind, grid: encodings[name].slice(0, 2), mean: [0.4, 0.2] },
        ),
    },
    baseRate: 0.5,
    findings: { visits: 3 },
    notes,
  };
}

const render = async (variant?: Variant): Promise<string> => renderContent(await content(variant));
const renderContent = async (made: ReportContent): Promise<string> => renderReport(made, await drawCharts(made));
const figuresOf = (page: string): string[] => [...page.matchAll(/<figure id="([\w-]+)">/g)].map(([, id]) => id);

const { slices: _, ...WITHOUT_SLICES } = GYM;

describe("a report", () => {
  test("has every plot, with words for those who do not see it", async () => {
    const page = await render({ dataset: { ...GYM, economics: ECONOMICS } });

    const figures = ["roc", "precision-recall", "calibration", "gains", "lift", "scores", "profit"];
    assert.deepEqual(figuresOf(page), [
      ...figures,
      "confusion",
      "importances",
      "contributions",
      "slices",
      "dependence-1",
      "dependence-2",
    ]);
    assert.equal(
      page.match(/role="img" aria-label="[^"]{60,}"><svg viewBox="[\d ]+" aria-hidden="true">/g)?.length,
      12,
    );
    assert.equal(page.match(/<figcaption>[^<]{60,}<\/figcaption>/g)?.length, 13);
  });

  test("shows F1 by threshold without economics, and no groups without slices", async () => {
    const figures = figuresOf(await render({ dataset: WITHOUT_SLICES }));

    assert(figures.includes("f1") && !figures.includes("profit") && !figures.includes("slices"));
  });

  test("draws the truth where it is known, and only there", async () => {
    assert.match(await render(), /best possible: 0\.\d{4}</);
    assert.doesNotMatch(await render({ hasTruth: false }), /best possible/);
  });

  test("is one file that loads nothing", async () => {
    const page = await render({ dataset: { ...GYM, economics: ECONOMICS } });

    assert.doesNotMatch(page, /\b(src|href|srcset|xlink:href|action)\s*=/i);
    assert.doesNotMatch(page, /url\(|@import|<(script|link|iframe|object|embed|base|img)\b/i);
    assert.doesNotMatch(page, /https?:/);
    assert.match(page, /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;/);
    assert(page.length < 600_000, `${page.length} bytes`);
  });

  test("has the same bytes for the same content", async () => {
    assert.equal(await render(), await render());
  });

  test("shows the metrics with intervals beside base rate, contacting all or none, and the truth", async () => {
    const made = await content();
    const page = await renderContent(made);

    const { value, low, high } = made.evaluation.metrics.roc_auc;
    assert(page.includes(`<b>${value.toFixed(4)}</b>`));
    assert(page.includes(`${low.toFixed(4)} – ${high.toFixed(4)}`));
    for (const name of ["base rate", "contact all", "contact no one", "best possible"]) {
      assert(page.includes(`<th scope="col">${name}</th>`), name);
    }
  });

  test("describes the data: rows, churn, each column with unit, missing share, findings, values", async () => {
    const page = await render();

    assert.match(page, /<dt>Rows<\/dt><dd>700<\/dd>.*\n.*<dt>Label known<\/dt><dd>650<\/dd>/);
    assert.match(page, /visits<small>How often a member comes\.<\/small><\/th><td>integer, per month<\/td>/);
    assert.match(page, /<td class="number">[\d.]+\s%<\/td><td class="number">3<\/td>/);
    assert.match(page, /<td>0 · [\d.]+ · 19<\/td>/);
    assert.match(page, /<td>(true|false) [\d.]+\s%, (true|false) [\d.]+\s%<\/td>/);
    assert.match(page, /fading<small>visits &lt; 2<\/small>/);
  });
});

describe("a report stays a page, whatever the data set is called like:", () => {
  const HOSTILE = `</title></style><script>alert('x')</script><img src=x onerror="alert(1)">{{7*7}}\${x}`;

  test("columns, units, levels, descriptions, notes and files with markup in their names", async () => {
    const hostile: DatasetSpecification = {
      ...GYM,
      name: HOSTILE,
      description: HOSTILE,
      target: { column: HOSTILE, positive: HOSTILE },
      columns: {
        [`${HOSTILE}1`]: { type: "category", description: HOSTILE },
        [`${HOSTILE}2`]: { type: "number", unit: HOSTILE },
        [HOSTILE]: { type: "category" },
      },
      features: {},
      slices: [`${HOSTILE}1`],
    };

    const page = await render({ dataset: hostile, levels: [HOSTILE, "b", `${HOSTILE}c`], notes: [HOSTILE] });

    assert.doesNotMatch(page, /<(script|img)/i);
    assert.equal(page.match(/<\/title>/g)?.length, 1);
    assert.equal(page.match(/<\/style>/g)?.length, 1);
    assert(page.includes("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    assert(figuresOf(page).includes("slices"));
  });

  test("long names, of which two begin alike", async () => {
    const levels = ["x".repeat(80), `${"x".repeat(80)}y`];

    const page = await render({ levels });

    const rows = page.match(/plan: x{17}…/g);
    assert.equal(rows?.length, 2);
  });

  test("categories only", async () => {
    const columns = { plan: GYM.columns.plan, left: GYM.columns.left };
    const { key: _key, features: _features, ...rest } = GYM;

    const page = await render({ dataset: { ...rest, columns, slices: ["plan"] } });

    assert(figuresOf(page).includes("importances"));
  });
});

test("a threshold out of reach is said to contact nobody", async () => {
  const page = await render({ threshold: 1.01, dataset: { ...GYM, economics: ECONOMICS } });

  assert.match(page, /would have contacted none of 600 customers/);
  assert.match(page, />chosen: nobody</);
});
