import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Calibration,
  compileFeatures,
  type DatasetSpecification,
  type Forest,
  Model,
  type ModelManifest,
  type Reason,
  ReasonFinder,
  type Row,
} from "../src/index.ts";
import { seededRandom } from "./random-forest.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: {
    visits: { type: "integer", unit: "visits", description: "Visits in the last month; 0 for new members." },
    trainer: { type: "boolean", nullable: true, description: "Whether a trainer helps." },
    plan: { type: "category", nullable: true, description: "Tariff. Never empty since 2024." },
    lockers: { type: "number", nullable: true },
    weight: { type: "number", nullable: true, sensitive: true },
    left: { type: "category" },
  },
  features: {
    heavier: "heavy > 0.5", // reads the next one, which reads a sensitive column
    heavy: "weight / 100",
    per_locker: "visits / lockers",
    fading: "visits < 2 && !trainer",
  },
};
const FEATURES = compileFeatures(GYM, "gym");
const NAMES = FEATURES.map(({ name }) => name);
const MEMBER: Row = { visits: 3, trainer: 1, plan: "day", lockers: 7, weight: 70 };

/** One tree per entry: of 1000 rows whose value is missing or up to `cut` 250 churn, of 1000 others `churners`. */
function stumps(splits: readonly (readonly [feature: string, cut: number, churners?: number])[]): Forest {
  const cuts = NAMES.map((name) => splits.find(([feature]) => feature === name)?.[1]);
  const starts = [0, ...cuts.map((_, f) => cuts.slice(0, f + 1).filter((cut) => cut !== undefined).length)];
  return {
    treeOffsets: Uint32Array.from({ length: splits.length + 1 }, (_, tree) => 3 * tree),
    feature: Uint8Array.from(splits.flatMap(([name]) => [NAMES.indexOf(name), 0xff, 0xff])),
    cut: new Uint8Array(splits.length),
    missingRight: new Uint8Array(splits.length),
    count: new Uint16Array(2 * splits.length).fill(1000),
    churners: Uint16Array.from(splits.flatMap(([, , churners = 750]) => [250, churners])),
    cutPoints: Float32Array.from(cuts.filter((cut) => cut !== undefined)),
    cutOffsets: Uint32Array.from(starts),
  };
}

function finder(
  forest: Forest,
  calibration: Calibration = { method: "none" },
): { readonly model: Model; readonly find: ReasonFinder["find"] } {
  const manifest = { dataset: GYM, encodings: { plan: ["full", "day"] }, calibration };
  const model = new Model({ manifest: manifest as unknown as ModelManifest, features: FEATURES, forest });
  const reasons = new ReasonFinder(model);
  return { model, find: (row) => reasons.find(row) };
}

function only(feature: string, cut: number, row: Row, churners = 750): Reason {
  const { reasons } = finder(stumps([[feature, cut, churners]])).find(row);
  assert.equal(reasons.length, 1);
  return reasons[0];
}

describe("a reason reads well for", () => {
  for (const [what, feature, cut, change, value, text] of [
    ["a number with a unit", "visits", 1, {}, 3, "Visits in the last month: 3 visits, which raises"],
    ["a single thing", "visits", 1, { visits: 1 }, 1, "Visits in the last month: 1 (visits), which lowers"],
    ["a number without description or unit", "lockers", 9, { lockers: 0.1 }, 0.1, "lockers: 0.1, which lowers"],
    ["a missing number", "lockers", 9, { lockers: Number.NaN }, null, "lockers: not known, which lowers"],
    ["a condition that holds", "trainer", 0.5, {}, true, "Whether a trainer helps: yes, which raises"],
    ["one that does not", "trainer", 0.5, { trainer: 0 }, false, "Whether a trainer helps: no, which lowers"],
    [
      "one not known",
      "trainer",
      0.5,
      { trainer: Number.NaN },
      null,
      "Whether a trainer helps: not known, which lowers",
    ],
    ["a category", "plan", 0.5, {}, "day", "Tariff: day, which raises"],
    ["a missing category", "plan", 0.5, { plan: null }, null, "Tariff: not known, which lowers"],
    ["an unknown level", "plan", 0.5, { plan: "moon" }, "moon", "Tariff: moon (new to the model), which lowers"],
    ["a derived number", "per_locker", 0.1, {}, 3 / 7, "visits / lockers = 0.4286, which raises"],
    ["a derived number that is whole", "per_locker", 0.1, { lockers: 3 }, 1, "visits / lockers = 1, which raises"],
    [
      "one that cannot be computed",
      "per_locker",
      0.1,
      { lockers: 0 },
      null,
      "visits / lockers: not known, which lowers",
    ],
    ["a derived condition", "fading", 0.5, {}, false, "visits < 2 && !trainer: no, which lowers"],
  ] as const) {
    test(what, () => {
      const reason = only(feature, cut, { ...MEMBER, ...change });

      const isRaising = text.endsWith("raises");
      const { expression } = FEATURES[NAMES.indexOf(feature)];
      assert.deepEqual(reason, {
        feature,
        value,
        contribution: isRaising ? 0.25 : -0.25, // half the way between the two leaves
        effect: isRaising ? "raises" : "lowers",
        text: `${text} the risk score by 25.0 points.`,
        ...(expression !== undefined && { expression: expression.source }),
      });
    });
  }

  test("a contribution too small for the digit shown", () => {
    assert.match(only("visits", 1, MEMBER, 251).text, /raises the risk score by less than 0\.1 points\.$/);
  });
});

describe("a sensitive column", () => {
  for (const name of ["weight", "heavy", "heavier"]) {
    test(`is no reason: ${name}`, () => {
      const { find } = finder(
        stumps([
          [name, 0.5],
          ["visits", 1],
        ]),
      );

      const { reasons, otherContributions } = find(MEMBER);

      assert.deepEqual(
        reasons.map(({ feature }) => feature),
        ["visits"],
      );
      assert.equal(otherContributions, 0.125);
    });
  }
});

describe("of many features", () => {
  const all = [
    ["visits", 1, 300],
    ["trainer", 0.5, 900],
    ["plan", 0.5, 700],
    ["lockers", 1, 250],
    ["weight", 1, 1000],
    ["per_locker", 0.1, 400],
    ["fading", 0.5, 700],
    ["heavy", 0.1, 800],
  ] as const;
  const { model, find } = finder(stumps(all));

  test("the five that move the score most are reasons, the largest first, ties in the features' order", () => {
    const { reasons } = find(MEMBER);
    assert.deepEqual(
      reasons.map(({ feature }) => feature),
      ["trainer", "plan", "fading", "per_locker", "visits"],
    );
  });

  test("one that contributes nothing is no reason", () => {
    const { reasons } = finder(
      stumps([
        ["lockers", 1, 250],
        ["visits", 1],
      ]),
    ).find(MEMBER);
    assert.deepEqual(
      reasons.map(({ feature }) => feature),
      ["visits"],
    );
  });

  test("base value, reasons and the others sum to the score, for anybody", () => {
    const random = seededRandom(5);
    for (let i = 0; i < 200; i++) {
      const number = (most: number): number => (random() < 0.2 ? Number.NaN : Math.floor(most * random()));
      const row = { visits: number(5), trainer: number(2), plan: "full", lockers: number(4), weight: number(90) };

      const { reasons, baseValue, otherContributions, score } = find(row);

      const sum = reasons.reduce((total, { contribution }) => total + contribution, baseValue + otherContributions);
      assert(Math.abs(sum - score) < 1e-12, `${sum}, ${score}`);
      assert.equal(score, model.predictRow(row)); // this model has no calibration
    }
  });
});

test("calibration changes the probability and nothing of the explanation", () => {
  const forest = stumps([["visits", 1]]);
  const [plain, calibrated] = [finder(forest), finder(forest, { method: "sigmoid", slope: 2, intercept: 1 })];

  assert.notEqual(calibrated.model.predictRow(MEMBER), plain.model.predictRow(MEMBER));
  assert.deepEqual(calibrated.find(MEMBER), plain.find(MEMBER));
});
