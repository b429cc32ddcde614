import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  compileFeatures,
  type DatasetSpecification,
  FeatureEncoder,
  Model,
  type ModelManifest,
  type Table,
} from "@churn/contract";
import { numberGrid, partialDependence } from "../src/evaluation/partial-dependence.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/curves.json" with { type: "json" };

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: {
    visits: { type: "number", nullable: true },
    plan: { type: "category" },
    trainer: { type: "boolean" },
    left: { type: "category" },
  },
  features: { fading: "visits < 3" },
};
const ENCODINGS = { plan: ["full", "day"] };
const ROWS = 300;

const random = new Random(1);
const visits = Float64Array.from({ length: ROWS }, () => (random.uniform() < 0.1 ? Number.NaN : random.integer(9)));
const codes = Int32Array.from({ length: ROWS }, () => random.integer(2));
const trainer = Float64Array.from({ length: ROWS }, () => random.integer(2));
const labels = Uint8Array.from(visits, (n, i) => +(random.uniform() < 0.1 + (n < 3 ? 0.4 : 0) + 0.2 * codes[i]));
const table: Table = {
  rows: ROWS,
  columns: new Map<string, Float64Array | { codes: Int32Array; levels: string[] }>([
    ["visits", visits],
    ["plan", { codes, levels: ["full", "day"] }],
    ["trainer", trainer],
  ]),
};

async function gymModel(calibration: ModelManifest["calibration"]): Promise<Model> {
  const features = compileFeatures(GYM, "gym");
  const columns = new FeatureEncoder(features, ENCODINGS).encodeTable(table);
  const { forest } = await fitForest(columns, labels, { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 9 }, { seed: 1 });
  const manifest = { dataset: GYM, encodings: ENCODINGS, calibration } as unknown as ModelManifest;
  return new Model({ manifest, features, forest });
}

const NONE = { method: "none", logLoss: {}, reason: "" } as const;

describe("partial dependence", () => {
  test("is the mean over the customers one by one, with what is derived from the column computed anew", async () => {
    const model = await gymModel({ ...NONE, method: "sigmoid", slope: 1.3, intercept: 0.2 });

    const { grid, mean, kind } = await partialDependence(model, table, "visits", 20);

    assert.equal(kind, "number");
    assert.deepEqual(grid, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const [i, value] of grid.entries()) {
      const scores = Array.from(visits, (_, row) => {
        return model.predictRow({ visits: Number(value), plan: ENCODINGS.plan[codes[row]], trainer: trainer[row] });
      });
      const expected = scores.reduce((sum, score) => sum + score, 0) / ROWS;
      assert(Math.abs(mean[i] - expected) < 1e-12, `at ${value}: expected ${expected}, got ${mean[i]}`);
    }
    assert(mean[0] > mean[8] + 0.1);
  });

  test("has a category's levels, in the model's order, and both values of a boolean", async () => {
    const model = await gymModel(NONE);

    const plan = await partialDependence(model, table, "plan", 20);
    const boolean = await partialDependence(model, table, "trainer", 20);

    assert.deepEqual([plan.kind, plan.grid], ["category", ["full", "day"]]);
    assert(plan.mean[1] > plan.mean[0]);
    assert.deepEqual([boolean.kind, boolean.grid], ["boolean", [0, 1]]);
  });
});

describe("a grid of numbers", () => {
  test("is all of few values, ascending, without missing ones", () => {
    assert.deepEqual(numberGrid(Float64Array.of(3, 1, Number.NaN, 1, 2), 20), [1, 2, 3]);
  });

  test("is one value where most are the same", () => {
    const values = new Float64Array(1000).fill(7).map((value, i) => (i < 30 ? i : value));

    assert.deepEqual(numberGrid(values, 20), [7]);
  });

  test("is empty where all are missing", () => {
    assert.deepEqual(numberGrid(new Float64Array(5).fill(Number.NaN), 20), []);
  });

  test("spans evenly what scipy's mquantiles gives for 5 and 95 %", () => {
    const [low, high] = fixture.grid;
    const grid = numberGrid(Float64Array.from(fixture.cases[0].scores), 5);

    assert.equal(grid.length, 5);
    for (const [i, value] of grid.entries()) assert(Math.abs(value - (low + ((high - low) * i) / 4)) < 1e-12);
  });
});
