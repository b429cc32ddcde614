import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../src/random.ts";
import { rowsWhere, sampleRows } from "../src/sample.ts";

test("a sample has its size, ascending rows, and no row twice", () => {
  for (const [nRows, size] of [
    [1, 1],
    [10, 3],
    [1000, 999],
    [100_000, 20_000],
  ]) {
    const rows = sampleRows(nRows, size, new Random(1));

    assert.equal(rows.length, size);
    assert(rows.every((row, i) => row < nRows && (i === 0 || row > rows[i - 1])));
  }
});

test("a sample of more rows than there are is all of them", () => {
  assert.deepEqual([...sampleRows(4, 10, new Random(1))], [0, 1, 2, 3]);
});

test("each row is as likely as another", () => {
  const times = new Uint32Array(10);
  for (let i = 0; i < 10_000; i++) for (const row of sampleRows(10, 3, new Random(2, i))) times[row]++;

  for (const [row, n] of times.entries()) assert(Math.abs(n - 3000) < 200, `row ${row}: ${n} of 10000`); // 4.4 sd
});

test("the rows of a condition are those that meet it, in their order", () => {
  const values = Float32Array.of(3, Number.NaN, 1, 3, -3);

  assert.deepEqual(
    rowsWhere(5, (row) => values[row] === 3),
    Uint32Array.of(0, 3),
  );
  assert.deepEqual(
    rowsWhere(5, (row) => Number.isNaN(values[row])),
    Uint32Array.of(1),
  );
});
