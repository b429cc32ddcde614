import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ChurnError } from "@churn/contract";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { writeRowGroups } from "../src/data/parquet-file.ts";
import { type EncodedRowGroup, encodeRowGroup } from "../src/data/row-group.ts";
import { MISSING, type TableBlock, type TableColumn } from "../src/data/table-block.ts";

const folder = mkdtempSync(join(tmpdir(), "churn-row-group-"));
let duckdb: DuckDBConnection;
before(async () => {
  duckdb = await (await DuckDBInstance.create()).connect();
});
after(() => {
  duckdb.closeSync();
  rmSync(folder, { recursive: true });
});

async function* encode(
  columns: readonly TableColumn[],
  blocks: readonly TableBlock[],
): AsyncGenerator<EncodedRowGroup> {
  for (const block of blocks) yield encodeRowGroup(columns, block);
}

/** What DuckDB reads from the file; dates as days since 1970. */
async function roundTrip(columns: readonly TableColumn[], blocks: readonly TableBlock[]): Promise<unknown[][]> {
  const path = join(folder, "table.parquet");
  await writeRowGroups(path, columns, encode(columns, blocks));
  const rows = (await duckdb.runAndReadAll(`FROM read_parquet('${path}')`)).getRowsJS();
  return rows.map((row) => row.map((value) => (value instanceof Date ? value.getTime() / 86_400_000 : value)));
}

const COLUMNS: readonly TableColumn[] = [
  { name: "key", type: "VARCHAR", width: 4 },
  { name: "score", type: "DOUBLE" },
  { name: "price", type: "DOUBLE", scale: 10 },
  { name: "count", type: "INTEGER" },
  { name: "flag", type: "BOOLEAN" },
  { name: "day", type: "DATE" },
  { name: "level", type: "VARCHAR", values: ["low", "", "hi\"gh, 'ünïcode'"] },
];
const BLOCK: TableBlock = {
  rows: 3,
  columns: [
    new TextEncoder().encode("K001K002K003"),
    Float64Array.of(0.1, -1e-300, Number.NaN),
    Uint16Array.of(4529, 0, MISSING.uint16),
    Int32Array.of(-7, 2147483647, MISSING.int32),
    Uint8Array.of(1, 0, MISSING.uint8),
    Int32Array.of(20454, -1, MISSING.int32),
    Uint8Array.of(2, 1, MISSING.uint8),
  ],
};

test("every kind of column reads back as it was written, missing values included", async () => {
  assert.deepEqual(await roundTrip(COLUMNS, [BLOCK, BLOCK]), [
    ...Array.from({ length: 2 }, () => [
      ["K001", 0.1, 452.9, -7, true, 20454, "hi\"gh, 'ünïcode'"],
      ["K002", -1e-300, 0, 2147483647, false, -1, ""],
      ["K003", null, null, null, null, null, null],
    ]).flat(),
  ]);
});

test("numbers of any range read back, packed or one by one", async () => {
  const number = fc.oneof(
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: -200, max: 900 }),
    fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
  );
  const column = fc.tuple(number, fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 0, max: 3 }));
  const shape = fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.array(column, { minLength: 1, maxLength: 4 }));
  await fc.assert(
    fc.asyncProperty(shape, async ([rows, kinds]) => {
      const arrays = kinds.map(([lowest, range, missing], c) =>
        Int32Array.from({ length: rows }, (_, row) => {
          const step = (row * 7919 + c * 104_729) % range;
          if (missing > 0 && (row + c) % (missing + 1) === 0) return MISSING.int32;
          return Math.min(2 ** 31 - 1, lowest + step);
        }),
      );
      const columns = arrays.map((_, c): TableColumn => ({ name: `c${c}`, type: "INTEGER" }));

      const read = await roundTrip(columns, [{ rows, columns: arrays }]);

      const expected = Array.from({ length: rows }, (_, row) =>
        arrays.map((array) => (array[row] === MISSING.int32 ? null : array[row])),
      );
      assert.deepEqual(read, expected);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("a column that is missing throughout, or always the same, reads back", async () => {
  const columns: TableColumn[] = [
    { name: "none", type: "INTEGER" },
    { name: "text", type: "VARCHAR", values: ["a"] },
    { name: "same", type: "DOUBLE", scale: 2 },
    { name: "nan", type: "DOUBLE" },
  ];
  const rows = 100;
  const block = {
    rows,
    columns: [
      new Uint8Array(rows).fill(MISSING.uint8),
      new Uint8Array(rows).fill(MISSING.uint8),
      new Int32Array(rows).fill(-3),
      new Float64Array(rows).fill(Number.NaN),
    ],
  };

  const read = await roundTrip(columns, [block]);

  assert.ok(read.length === rows && read.every((row) => JSON.stringify(row) === "[null,null,-1.5,null]"));
});

test("a file of no rows keeps its columns", async () => {
  assert.deepEqual(await roundTrip(COLUMNS, []), []);
  const described = await duckdb.runAndReadAll(`DESCRIBE FROM read_parquet('${join(folder, "table.parquet")}')`);
  assert.deepEqual(
    described.getRowsJS().map(([name, type]) => [name, type]),
    COLUMNS.map(({ name, type }) => [name, type]),
  );
});

test("when the source fails, its error comes through and the old file stays as it was", async () => {
  const path = join(folder, "kept.parquet");
  writeFileSync(path, "old");
  async function* failing(): AsyncGenerator<EncodedRowGroup> {
    yield encodeRowGroup(COLUMNS, BLOCK);
    throw new Error("out of customers");
  }

  await assert.rejects(writeRowGroups(path, COLUMNS, failing()), /^Error: out of customers$/);

  assert.equal(readFileSync(path, "utf8"), "old");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("kept")),
    ["kept.parquet"],
  );
});

test("a place that cannot be written is one error that names it", async () => {
  const path = join(folder, "file", "below.parquet");
  writeFileSync(join(folder, "file"), "");

  await assert.rejects(writeRowGroups(path, COLUMNS, encode(COLUMNS, [BLOCK])), (error) => {
    return error instanceof ChurnError && error.code === "CHURN_ERR_FILE_UNWRITABLE" && error.message.includes(path);
  });
});
