import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import {
  type CategoryColumn,
  compileFeatures,
  type DatasetSpecification,
  FeatureEncoder,
  Model,
  type ModelManifest,
} from "@churn/contract";
import type { LabelledRows } from "../src/data/row-sample.ts";
import { lossIncreases, permutationImportances } from "../src/evaluation/importance.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { Random } from "../src/random.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: {
    visits: { type: "integer" },
    plan: { type: "category" },
    shoes: { type: "number", nullable: true },
    left: { type: "category" },
  },
  features: { fading: "visits < 3" },
};
const ENCODINGS = { plan: ["full", "day"] };
const SEED = 4;

/** Members who stay away or have the day tariff leave; shoes say nothing. */
function members(rows: number, seed: number): LabelledRows {
  const random = new Random(seed);
  const visits = Float64Array.from({ length: rows }, () => random.integer(9));
  const codes = Int32Array.from({ length: rows }, () => random.integer(2));
  const shoes = Float64Array.from({ length: rows }, () =>
    random.uniform() < 0.2 ? Number.NaN : 36 + random.integer(12),
  );
  const labels = Uint8Array.from(visits, (n, i) => +(random.uniform() < 0.15 + (n < 3 ? 0.5 : 0) + 0.2 * codes[i]));
  const plan: CategoryColumn = { codes, levels: ["full", "day"] };
  return {
    rows,
    labels,
    columns: new Map<string, Float64Array | CategoryColumn>([
      ["visits", visits],
      ["plan", plan],
      ["shoes", shoes],
    ]),
  };
}

let model: Model;
before(async () => {
  const features = compileFeatures(GYM, "gym");
  const sample = members(600, 1);
  const columns = new FeatureEncoder(features, ENCODINGS).encodeTable(sample);
  columns[2].fill(Number.NaN); // no tree asks for the shoes
  const parameters = { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 5, maxDepth: 4, maxFeatures: 4 };
  const { forest } = await fitForest(columns, sample.labels, parameters, { seed: SEED, nJobs: 1 });
  model = new Model({
    manifest: { dataset: GYM, encodings: ENCODINGS, calibration: { method: "none" } } as unknown as ModelManifest,
    features,
    forest,
  });
});

/** Row `i` as the row path takes it, with the value of another row in one column. */
function score({ columns }: LabelledRows, i: number, column: string, donor: number): number {
  const value = (name: string): number | string => {
    const values = columns.get(name) as Float64Array | CategoryColumn;
    const row = name === column ? donor : i;
    return values instanceof Float64Array ? values[row] : values.levels[values.codes[row]];
  };
  return model.predictRow({ visits: value("visits"), plan: value("plan"), shoes: value("shoes") });
}

const lossOf = (probability: number, label: number): number => (probability - label) ** 2;

function lossesOf(sample: LabelledRows): Float64Array {
  return model.predictTable(sample).map((probability, i) => lossOf(probability, sample.labels[i]));
}

/** The mean increase over all pairs of row and donor, one prediction at a time: what shuffling gives on average. */
function closedForm(sample: LabelledRows, column: string): number {
  let sum = 0;
  for (let i = 0; i < sample.rows; i++) {
    const own = lossOf(score(sample, i, column, i), sample.labels[i]);
    for (let donor = 0; donor < sample.rows; donor++) {
      sum += lossOf(score(sample, i, column, donor), sample.labels[i]) - own;
    }
  }
  return sum / sample.rows ** 2;
}

describe("permutation importance", () => {
  for (const column of ["visits", "plan", "shoes"]) {
    test(`of ${column} is, over all donors, the mean over all pairs to 1e-12; derived features follow`, () => {
      const sample = members(24, 2);
      const losses = lossesOf(sample);

      let sum = 0;
      for (let shift = 0; shift < sample.rows; shift++) {
        const donors = Uint32Array.from({ length: sample.rows }, (_, row) => (row + shift) % sample.rows);
        sum += lossIncreases(model, sample, losses, column, donors).reduce((a, b) => a + b, 0);
      }

      assert(Math.abs(sum / sample.rows ** 2 - closedForm(sample, column)) < 1e-12);
    });
  }

  test("is near the closed form, within an interval that covers it about as often as it says", async () => {
    let covered = 0;
    let mean = 0;
    const repeats = 60;
    const sample = members(150, 3);
    const expected = closedForm(sample, "visits");
    for (let seed = 0; seed < repeats; seed++) {
      const importances = await permutationImportances(model, sample, seed);
      const { value, low, high } = importances.find(({ column }) => column === "visits") ?? assert.fail();
      covered += +(low <= expected && expected <= high);
      mean += value / repeats;
    }

    assert(covered >= 0.9 * repeats, `covered ${covered} of ${repeats}`);
    assert(Math.abs(mean - expected) < 0.1 * expected, `mean ${mean}, expected ${expected}`);
  });

  test("has one entry per column of the data, the most important first, and nothing for what no tree reads", async () => {
    const importances = await permutationImportances(model, members(300, 5), SEED);

    assert.deepEqual(
      importances.map(({ column }) => column),
      ["visits", "plan", "shoes"],
    );
    assert(importances[0].low > 0);
    assert.deepEqual(importances[2], { column: "shoes", value: 0, low: 0, high: 0 });
  });

  test("is the same for the same seed", async () => {
    const sample = members(100, 6);

    assert.deepEqual(await permutationImportances(model, sample, 1), await permutationImportances(model, sample, 1));
    assert.notDeepEqual(await permutationImportances(model, sample, 1), await permutationImportances(model, sample, 2));
  });
});
