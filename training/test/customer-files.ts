/**
 * Files of a made-up gym's customers, in a folder that each test has for itself, and what a reader makes of them. For
 * the tests of reading.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach } from "node:test";
import { ChurnError, type DatasetSpecification, type ErrorCode } from "@churn/contract";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { countValues, type ValueCounts, violations } from "../src/data/findings.ts";
import { type Labelled, openCustomers } from "../src/data/reader.ts";
import { findData } from "../src/data/source.ts";

export const GYM: DatasetSpecification = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "number" },
    trainer: { type: "boolean" },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
};

export const HEADER = "id,visits,trainer,plan,left\n";
export const ROWS = "a,1,true,day,yes\nb,2.5,false,full,no\nc,,,,no\n";

export let folder: string;
export let duckdb: DuckDBConnection;
before(async () => {
  duckdb = await (await DuckDBInstance.create()).connect();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-reader-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
after(() => duckdb.closeSync());

export function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export async function parquet(name: string, sql: string): Promise<string> {
  const path = join(folder, name);
  await duckdb.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
  return path;
}

/** Everything a reader gives, with levels for codes. */
export interface Customers {
  readonly columns: readonly string[];
  readonly extraColumns: readonly string[];
  readonly rows: number;
  readonly labels: number[];
  readonly keys: (string | null)[];
  readonly truth: number[];
  readonly values: Record<string, (number | string | null)[]>;
  readonly levels: Record<string, readonly string[]>;
  readonly findings: Record<string, number>;
}

export async function read(
  path: string,
  dataset: DatasetSpecification = GYM,
  labelled: Labelled = true,
): Promise<Customers> {
  const reader = await openCustomers(findData(path), dataset, { labelled });
  try {
    const { columns, extraColumns, rows } = reader;
    const found: Customers = {
      ...{ columns, extraColumns, rows, labels: [], keys: [], truth: [], values: {}, levels: {} },
      findings: {},
    };
    const counts: ValueCounts = new Map();
    for await (const table of reader.tables()) {
      countValues(dataset, table, counts);
      found.labels.push(...(table.labels ?? []));
      found.keys.push(...(table.keys ?? []));
      found.truth.push(...(table.truth ?? []));
      for (const [name, column] of table.columns) {
        const isNumeric = column instanceof Float64Array;
        const values = isNumeric ? [...column] : Array.from(column.codes, (code) => column.levels[code] ?? null);
        found.values[name] = [...(found.values[name] ?? []), ...values];
        if (!isNumeric) found.levels[name] = column.levels;
      }
    }
    return { ...found, findings: violations(dataset, counts) };
  } finally {
    reader.close();
  }
}

export async function fails(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert(error instanceof ChurnError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    assert(!error.message.includes("\n"), "expected one line");
    return true;
  });
}

/** A member on the day tariff, by what became of it. */
export const row = (left: string): string => `a,1,true,day,${left}\n`;
