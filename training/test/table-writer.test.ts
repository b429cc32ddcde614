import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ChurnError } from "@churn/contract";
import { DuckDBInstance } from "@duckdb/node-api";
import { MISSING, type TableBlock, type TableColumn } from "../src/data/table-block.ts";
import { writeTable } from "../src/data/table-writer.ts";
import { Random } from "../src/random.ts";

const folder = mkdtempSync(join(tmpdir(), "churn-table-"));
after(() => rmSync(folder, { recursive: true }));

let folders = 0;
function freshFolder(): string {
  const path = join(folder, `${++folders}`);
  mkdirSync(path);
  return path;
}

/** Every kind of column; the last row is missing wherever it may be. */
const COLUMNS: readonly TableColumn[] = [
  { name: "key", type: "VARCHAR", width: 3 },
  { name: "score", type: "DOUBLE" },
  { name: "count", type: "INTEGER" },
  { name: "flag", type: "BOOLEAN" },
  { name: "day", type: "DATE" },
  { name: "level", type: "VARCHAR", values: ["low", "a rather long level", "hi\"gh, 'é'"] },
  { name: "note", type: "VARCHAR" },
];

const BLOCK: TableBlock = {
  rows: 3,
  columns: [
    new TextEncoder().encode("K01K02K03"),
    Float64Array.of(0.1, -1e-300, Number.NaN),
    Int32Array.of(-7, 2147483647, MISSING.int32),
    Uint8Array.of(1, 0, MISSING.uint8),
    Int32Array.of(20454, -1, MISSING.int32),
    Uint8Array.of(2, 1, MISSING.uint8),
    ["", 'a "quoted", ünïcode note\nin two lines', null],
  ],
};

const ROWS = [
  ["K01", 0.1, -7, true, "2026-01-01", "hi\"gh, 'é'", ""],
  ["K02", -1e-300, 2147483647, false, "1969-12-31", "a rather long level", 'a "quoted", ünïcode note\nin two lines'],
  ["K03", null, null, null, null, null, null],
];

async function read(path: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const result = await connection.runAndReadAll(
    path.endsWith(".csv") ? `FROM read_csv('${path}', allow_quoted_nulls = false)` : `FROM read_parquet('${path}')`,
  );
  const rows = result.getRowsJS();
  connection.closeSync();
  instance.closeSync();
  return rows.map((row) => row.map(plain));
}

/** Whole numbers and dates as a test writes them: DuckDB reads those of a CSV file as 64-bit integers. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  return typeof value === "bigint" ? Number(value) : value;
}

for (const extension of ["parquet", "csv", "PARQUET"]) {
  test(`a .${extension} file reads back as it was written, missing values included`, async () => {
    const path = join(freshFolder(), `table.${extension}`);

    const rows = await writeTable(path, COLUMNS, [BLOCK]);

    assert.equal(rows, 3);
    assert.deepEqual(await read(path), ROWS);
  });
}

test("blocks of any size, sync or async, become one table in their order", async () => {
  const sizes = [0, 1, 2047, 2048, 2049, 0, 70_000, 5];
  const path = join(freshFolder(), "table.parquet");
  const progress: number[] = [];
  async function* blocks(): AsyncGenerator<TableBlock> {
    let next = 0;
    for (const rows of sizes) {
      if (rows === 5) await new Promise((resolve) => setTimeout(resolve, 20));
      yield { rows, columns: [Int32Array.from({ length: rows }, () => next++)] };
    }
  }

  const rows = await writeTable(path, [{ name: "n", type: "INTEGER" }], blocks(), (count) => progress.push(count));

  assert.equal(rows, 76_150);
  assert.deepEqual(progress, [1, 2048, 4096, 6145, 76_145, 76_150]);
  assert.ok((await read(path)).every(([n], index) => n === index));
});

test("a table without rows keeps its columns", async () => {
  for (const extension of ["parquet", "csv"]) {
    const path = join(freshFolder(), `empty.${extension}`);

    assert.equal(await writeTable(path, COLUMNS, []), 0);

    assert.deepEqual(await read(path), []);
  }
});

test("the arrays of a block may be views of a larger buffer", async () => {
  const path = join(freshFolder(), "view.csv");
  const all = Float64Array.from({ length: 100 }, (_, i) => i);

  await writeTable(path, [{ name: "x", type: "DOUBLE" }], [{ rows: 2, columns: [all.subarray(40, 42)] }]);

  assert.equal(readFileSync(path, "utf8"), "x\n40\n41\n");
});

test("doubles in CSV are the shortest text that reads back to the same double, as in JSON", async () => {
  const path = join(freshFolder(), "doubles.csv");
  const random = new Random(1);
  const bits = new Uint32Array(2);
  const special = [
    0,
    -0,
    0.1,
    1 / 3,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    1e21,
    123456789012345680,
  ];
  const doubles = Float64Array.from({ length: 20_000 }, (_, i) => {
    if (i < special.length) return special[i];
    if (i % 2 === 0) return random.uniform() ** 3;
    bits.set([random.uint32(), random.uint32()]);
    const any = new Float64Array(bits.buffer)[0];
    return Number.isFinite(any) ? any : 1;
  });

  await writeTable(path, [{ name: "x", type: "DOUBLE" }], [{ rows: doubles.length, columns: [doubles] }]);

  const texts = readFileSync(path, "utf8").trim().split("\n").slice(1);
  for (const [index, text] of texts.entries()) {
    assert.ok(Object.is(Number(text), doubles[index]), `${text} for ${doubles[index]}`);
    assert.equal(text, Object.is(doubles[index], -0) ? "-0" : JSON.stringify(doubles[index]));
  }
});

test("the same rows give the same bytes", async () => {
  const hashes = new Set<string>();

  for (let run = 0; run < 3; run++) {
    const path = join(freshFolder(), "same.parquet");
    const block = { rows: 50_000, columns: [Float64Array.from({ length: 50_000 }, (_, i) => Math.sin(i))] };
    await writeTable(path, [{ name: "x", type: "DOUBLE" }], [block, block, block]);
    hashes.add(createHash("sha256").update(readFileSync(path)).digest("hex"));
  }

  assert.equal(hashes.size, 1);
});

test("when the source fails, its error comes through and the old file stays as it was", async () => {
  const path = join(freshFolder(), "table.parquet");
  writeFileSync(path, "the old file");
  function* blocks(): Generator<TableBlock> {
    for (let i = 0; i < 5; i++) yield BLOCK;
    throw new RangeError("no more customers");
  }

  await assert.rejects(writeTable(path, COLUMNS, blocks()), { name: "RangeError", message: "no more customers" });

  assert.equal(readFileSync(path, "utf8"), "the old file");
  assert.deepEqual(readdirSync(join(path, "..")), ["table.parquet"]);
});

test("folders on the way are made, and removed again when the writing fails", async () => {
  const base = freshFolder();
  const failing: AsyncIterable<TableBlock> = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("no")) }),
  };

  await assert.rejects(writeTable(join(base, "a", "b", "t.csv"), COLUMNS, failing), { message: "no" });
  assert.deepEqual(readdirSync(base), []);

  await writeTable(join(base, "a", "b", "t.csv"), COLUMNS, [BLOCK]);
  assert.deepEqual(readdirSync(join(base, "a", "b")), ["t.csv"]);
});

test("another extension, a folder or a file in the way is refused with one message", async () => {
  const base = freshFolder();
  mkdirSync(join(base, "folder.csv"));
  writeFileSync(join(base, "file"), "");
  const cases = [
    { path: join(base, "table.xlsx"), code: "CHURN_ERR_OPTION_INVALID", message: /\.parquet or \.csv/ },
    { path: join(base, "folder.csv"), code: "CHURN_ERR_FILE_UNWRITABLE", message: /there is a folder/ },
    { path: join(base, "file", "table.csv"), code: "CHURN_ERR_FILE_UNWRITABLE", message: /cannot be written/ },
  ];

  for (const { path, code, message } of cases) {
    await assert.rejects(writeTable(path, COLUMNS, [BLOCK]), (error) => {
      assert.ok(error instanceof ChurnError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(path));
      return true;
    });
  }

  assert.deepEqual(readdirSync(base).sort(), ["file", "folder.csv"]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} in the middle leaves nothing behind`, async () => {
    const base = freshFolder();

    const child = startEndlessWrite(join(base, "out", "t.parquet"));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const during = readdirSync(join(base, "out"));
    child.kill(signal);
    const [code, killedBy] = await new Promise<[number | null, string | null]>((resolve) => {
      child.once("exit", (...status) => resolve(status));
    });

    assert.equal(during.length, 1);
    assert.match(during[0], /^\.t\.parquet\.new-\d+$/);
    assert.deepEqual([code, killedBy], [null, signal]);
    assert.deepEqual(readdirSync(base), []);
  });
}

test("process.exit in the middle leaves nothing behind and does not hang", async () => {
  const base = freshFolder();

  const child = startEndlessWrite(join(base, "t.csv"), "process.exit(7)");
  const code = await new Promise((resolve) => child.once("exit", resolve));

  assert.equal(code, 7);
  assert.deepEqual(readdirSync(base), []);
});

/** A process that writes without end, says so after some blocks, and then does what it is told. */
function startEndlessWrite(path: string, then = "") {
  const module = pathToFileURL(join(import.meta.dirname, "../src/data/table-writer.ts")).href;
  const script = `
    import { writeTable } from ${JSON.stringify(module)};
    function* blocks() {
      for (let i = 0; ; i++) {
        if (i === 10) { console.log("writing"); setTimeout(() => { ${then} }, 50); }
        yield { rows: 65536, columns: [Float64Array.from({ length: 65536 }, Math.sqrt)] };
      }
    }
    await writeTable(${JSON.stringify(path)}, [{ name: "x", type: "DOUBLE" }], blocks());`;
  const scriptPath = join(freshFolder(), "write.mjs");
  writeFileSync(scriptPath, script);
  return spawn(process.execPath, [scriptPath], { stdio: ["ignore", "pipe", "inherit"] });
}
