import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CategoryColumn, Table } from "@churn/contract";
import { RowSample, takeRows } from "../src/data/row-sample.ts";
import { Random } from "../src/random.ts";

const LEVELS = ["a", "b", "c"];

/** Rows from `start` on: a number that is the row's place, and a category that follows from it. */
function table(start: number, rows: number): Table {
  const place = Float64Array.from({ length: rows }, (_, i) => start + i);
  const level = { codes: Int32Array.from(place, (value) => value % 3), levels: LEVELS };
  return {
    rows,
    columns: new Map<string, Float64Array | CategoryColumn>([
      ["place", place],
      ["level", level],
    ]),
  };
}

const labelsOf = (start: number, rows: number): Uint8Array =>
  Uint8Array.from({ length: rows }, (_, i) => (start + i) % 2);

function sampled(total: number, size: number, seed: number) {
  const sample = new RowSample(size, new Random(seed));
  for (let start = 0; start < total; start += 7) {
    const rows = Math.min(7, total - start);
    sample.add(table(start, rows), labelsOf(start, rows));
  }
  const { columns, labels, rows } = sample.rows();
  return {
    places: [...(columns.get("place") as Float64Array)],
    level: columns.get("level") as CategoryColumn,
    labels,
    rows,
  };
}

describe("a sample of rows", () => {
  test("is all of them when there are fewer", () => {
    const { places, rows } = sampled(12, 20, 1);

    assert.equal(rows, 12);
    assert.deepEqual(places, [...Array(12).keys()]);
  });

  test("has no row twice, and keeps what belongs together together", () => {
    const { places, level, labels, rows } = sampled(1000, 50, 2);

    assert.equal(rows, 50);
    assert.equal(new Set(places).size, 50);
    assert.deepEqual(
      [...level.codes],
      places.map((place) => place % 3),
    );
    assert.deepEqual(
      [...labels],
      places.map((place) => place % 2),
    );
    assert.equal(level.levels, LEVELS);
  });

  test("has each row as often as another", () => {
    const counts = new Array(40).fill(0);
    for (let seed = 0; seed < 4000; seed++) for (const place of sampled(40, 10, seed).places) counts[place]++;

    // Binomial, 4000 times a quarter: the standard deviation is 27.
    for (const [place, n] of counts.entries()) assert(Math.abs(n - 1000) < 5 * 27, `row ${place}: ${n} times`);
  });

  test("is the same for the same seed", () => {
    assert.deepEqual(sampled(1000, 30, 5).places, sampled(1000, 30, 5).places);
    assert.notDeepEqual(sampled(1000, 30, 5).places, sampled(1000, 30, 6).places);
  });

  test("may be empty", () => {
    assert.equal(new RowSample(5, new Random(1)).rows().rows, 0);
  });
});

test("some rows of a table come in the order that was asked for", () => {
  const taken = takeRows(table(10, 5), Uint32Array.of(3, 0, 3));

  assert.deepEqual(taken.columns.get("place"), Float64Array.of(13, 10, 13));
  assert.deepEqual((taken.columns.get("level") as CategoryColumn).codes, Int32Array.of(1, 1, 1));
});
