import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  ChurnError,
  compileFeatures,
  type DatasetSpecification,
  FeatureEncoder,
  MISSING_CODE,
  parseDataset,
  type Row,
  type Table,
  toFeatureValue,
} from "../src/index.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  key: "member",
  target: { column: "left", positive: "yes" },
  columns: {
    member: { type: "text" },
    visits: { type: "integer" },
    weight: { type: "number", nullable: true },
    trainer: { type: "boolean" },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
  features: {
    // Each reads the next one, so the order they stand in is the wrong one to compute them in.
    alarm: "fading && plan != 'full'",
    fading: "effort < 2 || isMissing(plan)",
    effort: "visits * coalesce(weight, 70) / 70",
  },
};

const ENCODINGS = { plan: ["full", "day", "student"] };
/** What the data hold: "guest" is a level the model has not seen. */
const LEVELS = ["day", "full", "guest", "student"];

function gymEncoder(features: DatasetSpecification["features"] = GYM.features ?? {}): FeatureEncoder {
  return new FeatureEncoder(compileFeatures({ ...GYM, features }, "dataset.json"), ENCODINGS);
}

function encodeRow(encoder: FeatureEncoder, row: Row): Float32Array {
  const out = new Float32Array(encoder.features.length);
  encoder.encodeRow(row, out);
  return out;
}

function toTable(rows: readonly Row[]): Table {
  const numbers = (name: string): Float64Array => Float64Array.from(rows, (row) => row[name] as number);
  const codes = Int32Array.from(rows, ({ plan }) => (plan === null ? MISSING_CODE : LEVELS.indexOf(plan as string)));
  return {
    rows: rows.length,
    columns: new Map<string, Float64Array | { codes: Int32Array; levels: string[] }>([
      ["visits", numbers("visits")],
      ["weight", numbers("weight")],
      ["trainer", numbers("trainer")],
      ["plan", { codes, levels: LEVELS }],
    ]),
  };
}

const MEMBER: Row = { visits: 6, weight: 71.3, trainer: 1, plan: "day" };

describe("the features of a data set", () => {
  test("are its feature columns in their order, then the derived ones in theirs", () => {
    const features = compileFeatures(GYM, "dataset.json");

    assert.deepEqual(
      features.map(({ name, kind }) => `${name}: ${kind}`),
      ["visits: number", "weight: number", "trainer: number", "plan: category"].concat(
        ["alarm", "fading", "effort"].map((name) => `${name}: number`),
      ),
    );
  });

  for (const order of [
    ["alarm", "fading", "effort"],
    ["effort", "fading", "alarm"],
    ["fading", "alarm", "effort"],
  ]) {
    test(`read each other when they stand in the order ${order.join(", ")}`, () => {
      const encoder = gymEncoder(Object.fromEntries(order.map((name) => [name, GYM.features?.[name] ?? ""])));

      const values = encodeRow(encoder, { visits: 1, weight: 70, trainer: 0, plan: "day" });

      const derived = Object.fromEntries(order.map((name, i) => [name, values[4 + i]]));
      assert.deepEqual(derived, { ...derived, alarm: 1, fading: 1, effort: 1 });
    });
  }

  test("keep the type of a condition through other features", () => {
    const encoder = gymEncoder({ both: "rare && !trainer", rare: "visits < 2" });

    assert.equal(encodeRow(encoder, { ...MEMBER, visits: 1, trainer: 0 })[4], 1);
  });
});

const FAULTS: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ["read themselves", { a: "a + 1" }, /^dataset\.json: \/features\/a: defined by itself: a → a$/],
  [
    "read each other in a ring",
    { x: "a", a: "b + 1", b: "c * 2", c: "a" },
    /^dataset\.json: \/features\/a: defined by itself: a → b → c → a$/,
  ],
  ...[0, 1].map((step): (typeof FAULTS)[number] => [
    `stand in a chain that is too long, the ${step === 0 ? "first" : "last"} one first`,
    Object.fromEntries(
      Array.from({ length: 101 }, (_, i) => (step === 0 ? i : 100 - i)).map((i) => [
        `f${i}`,
        i === 0 ? "visits" : `f${i - 1} + 1`,
      ]),
    ),
    /\/features\/f\d+: expected at most 100 features of which each reads the one before$/,
  ]),
  ["read an unknown name", { a: "visit + 1" }, /\/features\/a: unknown name "visit": expected one of visits, weight/],
  ["read the key", { a: "isMissing(member)" }, /\/features\/a: unknown name "member"/],
  ["read the target", { a: "left == 'yes'" }, /\/features\/a: unknown name "left"/],
  ["take a number for a condition", { a: "b && trainer", b: "visits + 1" }, /\/features\/a: && expects a condition/],
];

describe("derived features are refused when they", () => {
  for (const [name, features, message] of FAULTS) {
    test(name, () => {
      assert.throws(
        () => gymEncoder(features),
        (error) => error instanceof ChurnError && message.test(error.message),
      );
    });
  }
});

test("refuses a name that JavaScript objects cannot hold", () => {
  const columns = JSON.parse('{ "__proto__": { "type": "number" }, "visits": { "type": "number" } }');

  assert.throws(
    () => parseDataset({ ...GYM, columns, features: {} }, "dataset.json"),
    /\/columns\/__proto__: expected/,
  );
});

describe("encoding a row", () => {
  const encoder = gymEncoder();
  const plan = (value: string | null): number => encodeRow(encoder, { ...MEMBER, plan: value })[3];

  test("gives a level its position in the learned order", () => {
    assert.deepEqual([plan("full"), plan("day"), plan("student")], [0, 1, 2]);
  });

  test("gives a missing and an unseen level the same: NaN", () => {
    assert.deepEqual([plan(null), plan("guest"), plan("constructor")], [Number.NaN, Number.NaN, Number.NaN]);
    assert(!encoder.knowsLevel("plan", "guest"));
    assert(!encoder.knowsLevel("constructor", "full"));
  });

  test("rounds to float32, and counts what does not fit as missing", () => {
    const cases = [
      [0.1, Math.fround(0.1)],
      [1e300, Number.NaN],
      [Number.NEGATIVE_INFINITY, Number.NaN],
      [Number.NaN, Number.NaN],
      [-0, -0],
    ] as const;
    for (const [value, expected] of cases) assert.equal(toFeatureValue(value), expected);
  });

  test("does not change the row", () => {
    const row = Object.freeze({ ...MEMBER });

    encodeRow(encoder, row);

    assert.deepEqual(row, MEMBER);
  });
});

const someNumber = fc.oneof(
  fc.constant(Number.NaN),
  fc.double(),
  fc.integer({ min: -5, max: 40 }),
  fc.constantFrom(0, -0, 1e39, 5e-324, Number.POSITIVE_INFINITY),
);

const someRow: fc.Arbitrary<Row> = fc.record({
  visits: someNumber,
  weight: someNumber,
  trainer: fc.constantFrom(0, 1, Number.NaN),
  plan: fc.constantFrom(null, ...LEVELS),
});

test("the row path and the table path agree bit for bit on random rows", () => {
  const encoder = gymEncoder();

  fc.assert(
    fc.property(fc.array(someRow, { minLength: 1, maxLength: 20 }), (rows) => {
      const columns = encoder.encodeTable(toTable(rows));

      for (const [i, row] of rows.entries()) {
        // As lists, which compare by Object.is: 0 is not -0, and a NaN is a NaN whatever bits an engine gives it.
        assert.deepEqual(
          columns.map((column) => column[i]),
          [...encodeRow(encoder, row)],
        );
      }
    }),
    { numRuns: 1000, seed: 20261124 },
  );
});
