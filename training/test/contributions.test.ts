import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFeatures, type DatasetSpecification, Model, type ModelManifest, type Table } from "@churn/contract";
import { meanContributions } from "../src/evaluation/contributions.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { Random } from "../src/random.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: { visits: { type: "number" }, shoes: { type: "number" }, left: { type: "category" } },
  features: { fading: "visits < 3" },
};
const ROWS = 150;

test("the mean contribution is that of each customer's, the largest first, with its interval", async () => {
  const random = new Random(1);
  const visits = Float64Array.from({ length: ROWS }, () => random.integer(9));
  const shoes = new Float64Array(ROWS).fill(40); // never split on
  const labels = Uint8Array.from(visits, (n) => +(random.uniform() < (n < 3 ? 0.7 : 0.1)));
  const table: Table = {
    rows: ROWS,
    columns: new Map([
      ["visits", visits],
      ["shoes", shoes],
    ]),
  };
  const features = compileFeatures(GYM, "gym");
  const columns = [visits, shoes, visits.map((n) => +(n < 3))].map((values) => Float32Array.from(values));
  const { forest } = await fitForest(columns, labels, { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 9 }, { seed: 1 });
  const calibration = { method: "none" };
  const model = new Model({
    manifest: { dataset: GYM, encodings: {}, calibration } as unknown as ModelManifest,
    features,
    forest,
  });

  const means = await meanContributions(model, table);

  const each = Array.from(visits, (_, row) =>
    model.explainer.explain(Float32Array.from(columns, (values) => values[row])),
  );
  for (const { feature, value, low, high } of means) {
    const f = features.findIndex(({ name }) => name === feature);
    const sizes = each.map((contributions) => Math.abs(contributions[f]));
    const mean = sizes.reduce((sum, size) => sum + size, 0) / ROWS;
    const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / (ROWS - 1);
    assert(Math.abs(value - mean) < 1e-15);
    assert(Math.abs(high - low - 2 * 1.96 * Math.sqrt(variance / ROWS)) < 1e-12);
  }
  assert.deepEqual([means.length, means[2].feature, means[2].value], [3, "shoes", 0]);
  assert(means[0].value >= means[1].value && means[1].value > 0);
});
