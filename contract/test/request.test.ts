import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import {
  compileFeatures,
  type DatasetSpecification,
  FeatureEncoder,
  RequestReader,
  requestSchema,
} from "../src/index.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  key: "member",
  time: "seen_on",
  target: { column: "left", positive: "yes" },
  columns: {
    member: { type: "integer" },
    seen_on: { type: "date" },
    full_name: { type: "text", role: "identity" },
    visits: { type: "integer", minimum: 0, maximum: 40, unit: "per month", description: "Visits." },
    weight: { type: "number", nullable: true },
    trainer: { type: "boolean" },
    plan: { type: "category", values: ["day", "full"] },
    // Names that every JavaScript object already has.
    constructor: { type: "category" as const, nullable: true },
    toString: { type: "number" as const, nullable: true },
    left: { type: "category" },
  },
};

const MEMBER = { visits: 6, weight: 71.3, trainer: true, plan: "full", constructor: "Smith", toString: 1 };

const encoder = new FeatureEncoder(compileFeatures(GYM, "dataset.json"), {
  plan: ["day", "full"],
  constructor: ["Smith"],
});
const reader = new RequestReader(GYM, encoder);
const isValid = new Ajv({ ownProperties: true, allowUnionTypes: true }).compile(requestSchema(GYM));

const without = (name: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(MEMBER).filter(([field]) => field !== name));

describe("the request schema", () => {
  const ACCEPTED: readonly (readonly [string, unknown])[] = [
    ["a complete customer", MEMBER],
    ["a key and a time", { ...MEMBER, member: 7, seen_on: "2026-01-01" }],
    ["a time of day", { ...MEMBER, seen_on: "2026-01-01T08:30:00Z" }],
    ["a blank for a nullable category", { ...MEMBER, constructor: " " }],
    ["a missing nullable field", without("weight")],
    ["null in a nullable field", { ...MEMBER, weight: null, constructor: null }],
    ["a level it does not know", { ...MEMBER, plan: "guest" }],
    ["a value on its bound", { ...MEMBER, visits: 40 }],
    ["a missing nullable field that every object has", without("constructor")],
  ];
  for (const [name, customer] of ACCEPTED) {
    test(`accepts ${name}`, () => {
      assert(isValid(customer), JSON.stringify(isValid.errors));
    });
  }

  const REFUSED: readonly (readonly [string, unknown])[] = [
    ["a missing required field", without("visits")],
    ["null in a required number", { ...MEMBER, visits: null }],
    ["null in a required category", { ...MEMBER, plan: null }],
    ["text for a number", { ...MEMBER, visits: "6" }],
    ["a list for a number", { ...MEMBER, visits: [6] }],
    ["a fraction for an integer", { ...MEMBER, visits: 6.5 }],
    ["a number for a boolean", { ...MEMBER, trainer: 1 }],
    ["a value above its bound", { ...MEMBER, visits: 41 }],
    ["a blank for a required category", { ...MEMBER, plan: " \u00a0" }],
    ["a time that is no date", { ...MEMBER, seen_on: "last week" }],
    ["a number for a category", { ...MEMBER, plan: 3 }],
    ["a level of more than 256 characters", { ...MEMBER, plan: "x".repeat(257) }],
    ["an unknown field", { ...MEMBER, colour: "red" }],
    ["an identity", { ...MEMBER, full_name: "Jo Smith" }],
    ["the target", { ...MEMBER, left: "yes" }],
    ["text for a numeric key", { ...MEMBER, member: "7" }],
    ["a list of customers", [MEMBER]],
  ];
  for (const [name, customer] of REFUSED) {
    test(`refuses ${name}`, () => {
      assert(!isValid(customer));
    });
  }

  test("tells people what a field means", () => {
    const { properties } = requestSchema(GYM) as { properties: Record<string, { description: string }> };

    assert.equal(properties.visits.description, "Visits. Unit: per month.");
    assert.match(properties.plan.description, /Known values: "day", "full"; another is scored as unknown\./);
    assert.match(properties.weight.description, /May be missing\./);
  });
});

describe("reading a request", () => {
  test("gives every feature column a value, and no warning when nothing is missing", () => {
    const { row, warnings } = reader.read({ member: 7, ...MEMBER });

    assert.deepEqual(row, { ...MEMBER, trainer: 1 });
    assert.deepEqual(warnings, []);
  });

  const WARNED: readonly (readonly [string, Record<string, unknown>, string, number | string | null, string])[] = [
    ["a null number", { ...MEMBER, weight: null }, "weight", Number.NaN, "missing"],
    ["an absent number", without("weight"), "weight", Number.NaN, "missing"],
    ["an absent category", without("constructor"), "constructor", null, "missing"],
    ["an absent number that every object has", without("toString"), "toString", Number.NaN, "missing"],
    ["a blank level", { ...MEMBER, plan: "  " }, "plan", null, "missing"],
    ["an unseen level", { ...MEMBER, plan: "guest" }, "plan", "guest", "unknown_level"],
    ["a level in another case", { ...MEMBER, plan: "Full" }, "plan", "Full", "unknown_level"],
    ["a level that every object has", { ...MEMBER, plan: "valueOf" }, "plan", "valueOf", "unknown_level"],
  ];
  for (const [name, customer, field, value, code] of WARNED) {
    test(`warns of ${name}, once, by field`, () => {
      const { row, warnings } = reader.read(customer);

      assert.equal(row[field], value);
      assert.deepEqual(
        warnings.map((warning) => [warning.field, warning.code]),
        [[field, code]],
      );
      assert.match(warnings[0].detail, new RegExp(`^${field}.*scored as unknown$`));
    });
  }

  test("names an unseen level as it was meant, in quotes", () => {
    const { warnings } = reader.read({ ...MEMBER, plan: ' a "new" one ' });

    assert.match(warnings[0].detail, /plan: the model has not seen "a \\"new\\" one"/);
  });

  for (const padded of [" full", "full ", "  full  ", "\u00a0full\u2003", "\u3000full"]) {
    test(`trims the spaces of ${JSON.stringify(padded)}, as reading a file does`, () => {
      assert.deepEqual(reader.read({ ...MEMBER, plan: padded }), reader.read(MEMBER));
    });
  }

  test("leaves tabs and line ends in a level, as reading a file does", () => {
    assert.equal(reader.read({ ...MEMBER, plan: "full\t" }).row.plan, "full\t");
  });
});
