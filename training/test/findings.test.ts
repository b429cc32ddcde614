import assert from "node:assert/strict";
import { test } from "node:test";
import type { Column, DatasetSpecification, Table } from "@churn/contract";
import { countsOf, countValues, type ValueCounts, violations } from "../src/data/findings.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: {
    visits: { type: "integer", minimum: 0, maximum: 40 },
    weight: { type: "number", nullable: true },
    plan: { type: "category", values: ["day", "full"], nullable: true },
    town: { type: "category" },
    left: { type: "category" },
  },
};

const { NaN: none } = Number;
const TABLE: Table = {
  rows: 6,
  columns: new Map<string, Column>([
    ["visits", Float64Array.of(0, 40, -1, 41, 2.5, none)],
    ["weight", Float64Array.of(-1e300, 70.5, Infinity, -Infinity, none, none)],
    ["plan", { codes: Int32Array.of(0, 1, 2, 2, -1, -1), levels: ["day", "full", "guest"] }],
    ["town", { codes: Int32Array.of(0, 0, 0, 0, 0, -1), levels: ["A"] }],
  ]),
};

function count(...tables: Table[]): ValueCounts {
  const counts: ValueCounts = new Map();
  for (const table of tables) countValues(GYM, table, counts);
  return counts;
}

test("missing values, unknown levels and numbers out of range are counted apart, by column", () => {
  const counts = count(TABLE);

  assert.deepEqual(countsOf(counts, "missing"), { visits: 1, weight: 2, plan: 2, town: 1 });
  assert.deepEqual(countsOf(counts, "unknownLevels"), { plan: 2 });
  assert.deepEqual(countsOf(counts, "outOfRange"), { visits: 3, weight: 2 });
});

test("counts add up over tables", () => {
  assert.deepEqual(countsOf(count(TABLE, TABLE, TABLE), "outOfRange"), { visits: 9, weight: 6 });
});

test("a missing value breaks the specification only where there has to be one", () => {
  assert.deepEqual(violations(GYM, count(TABLE)), { visits: 4, weight: 2, plan: 2, town: 1 });
});

test("which levels are known can be said by a model", () => {
  const counts: ValueCounts = new Map();

  countValues(GYM, TABLE, counts, (column, level) => column === "plan" && level === "guest");

  assert.deepEqual(countsOf(counts, "unknownLevels"), { plan: 2, town: 5 });
});
