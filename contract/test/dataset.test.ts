import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import datasetSchema from "../dataset.schema.json" with { type: "json" };
import { ChurnError, parseDataset, readDataset } from "../src/index.ts";

const VALID = {
  name: "shop",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0 },
    plan: { type: "category", values: ["a", "b"] },
    mail: { type: "text", role: "identity" },
  },
  slices: ["plan"],
};

/** The message of the one error that a changed specification gives. */
function messageOf(change: Record<string, unknown>): string {
  try {
    parseDataset({ ...VALID, ...change }, "dataset.json");
  } catch (error) {
    assert(error instanceof ChurnError);
    assert.equal(error.code, "CHURN_ERR_DATASET_INVALID");
    return error.message;
  }
  assert.fail("expected the specification to be refused");
}

test("the published schema is valid JSON Schema", () => {
  const ajv = new Ajv({ allowUnionTypes: true });

  assert(ajv.validateSchema(datasetSchema), ajv.errorsText());
});

test("accepts a specification that fits its schema", () => {
  assert.equal(parseDataset(VALID, "dataset.json").name, "shop");
});

const FAULTS: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ["an unknown field", { colour: "red" }, /\/colour: expected no such field/],
  [
    "a wrong column type",
    { columns: { visits: { type: "int" } } },
    /\/columns\/visits\/type: expected one of "number".*got "int"/,
  ],
  ["a missing target", { target: undefined }, /\/target: expected a value: the field is required/],
  ["a target that is text", { target: "left" }, /\/target: expected object, got "left"/],
  [
    "bounds in the wrong order",
    { columns: { v: { type: "number", minimum: 2, maximum: 1 } }, slices: [] },
    /\/columns\/v: expected minimum ≤ maximum, got 2 > 1/,
  ],
  [
    "bounds of a category",
    { columns: { v: { type: "category", minimum: 2 } }, slices: [] },
    /\/columns\/v: minimum and maximum are for numbers/,
  ],
  [
    "levels of a number",
    { columns: { v: { type: "number", values: ["1"] } }, slices: [] },
    /\/columns\/v: values are for categories/,
  ],
  [
    "a text column as a feature",
    { columns: { v: { type: "text" }, w: { type: "number" } }, slices: [] },
    /\/columns\/v: a "text" column cannot be a feature/,
  ],
  [
    "a slice that is no column",
    { slices: ["country"] },
    /\/slices\/0: expected a category or boolean column that is a feature, got "country"/,
  ],
  ["a slice of an identity", { slices: ["mail"] }, /\/slices\/0/],
  ["one column for key and target", { key: "left" }, /key, time and target must be different columns/],
  ["a derived feature named like a column", { features: { visits: "1" } }, /\/features\/visits: the name is taken/],
  [
    "no feature at all",
    { columns: { id: { type: "text" } }, slices: [] },
    /\/columns: expected at least one column that is a feature/,
  ],
  [
    "a name that JSON Schema keeps for itself",
    { columns: { ...VALID.columns, $ref: { type: "number" } } },
    /\/columns\/\$ref: expected another name/,
  ],
  [
    "a key that is called like a column of predictions",
    { key: "churn_probability" },
    /\/key: expected another name: predictions have a column "churn_probability"/,
  ],
  [
    "economics beyond all measure",
    { economics: { customerValue: 1e300, contactCost: 1, offerCost: 1, offerAcceptance: 1 } },
    /\/economics\/customerValue: expected a value <= 1000000000000, got 1e\+300/,
  ],
  [
    "economics without an amount",
    { economics: { customerValue: 1, contactCost: 1, offerCost: 1 } },
    /\/economics\/offerAcceptance: expected a value/,
  ],
];

for (const [name, change, message] of FAULTS) {
  test(`refuses ${name}, naming the place`, () => {
    assert.match(messageOf(change), message);
  });
}

test("a file that has a field twice is refused, naming every such field", () => {
  const folder = mkdtempSync(join(tmpdir(), "churn-dataset-"));
  const path = join(folder, "dataset.json");
  try {
    const text = JSON.stringify(VALID);
    const twice = text.replace('"visits":', '"visits":{"type":"number"},"visits":').replace("{", '{"name":"other",');
    writeFileSync(path, text);
    assert.deepEqual(readDataset(path), VALID);
    writeFileSync(path, twice);
    assert.throws(
      () => readDataset(path),
      /dataset\.json: \/name: expected this field once, got it again; \/columns\/visits: expected this field once/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("names every fault at once", () => {
  assert.match(messageOf({ colour: "red", columns: {} }), /\/colour.*\/columns|\/columns.*\/colour/);
});
