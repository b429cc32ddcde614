/** Customers with whatever may come: missing values in every nullable column and unseen levels in every category. */
import assert from "node:assert/strict";
import {
  type CategoryColumn,
  type Column,
  type DatasetSpecification,
  featureColumnNames,
  MISSING_CODE,
  type Table,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { Random } from "../training/src/random.ts";

/** One cell in so many is emptied where it may be, or given a level that no model has seen. */
const CHANGED_CELLS = 10;

/** The customers of a file, changed. */
export async function changedCustomers(dataset: DatasetSpecification, path: string): Promise<Table> {
  const random = new Random(1);
  const hit = (): boolean => random.integer(CHANGED_CELLS) === 0;
  const { rows, columns } = await customersOf(dataset, path);
  const changed = [...columns].map(([name, column]): [string, Column] => {
    const { nullable = false } = dataset.columns[name];
    if (column instanceof Float64Array) return [name, column.map((x) => (nullable && hit() ? Number.NaN : x))];
    const levels = [...column.levels, "never seen"];
    const change = (code: number): number => (nullable && hit() ? MISSING_CODE : hit() ? levels.length - 1 : code);
    return [name, { codes: column.codes.map(change), levels }];
  });
  return { rows, columns: new Map(changed) };
}

async function customersOf(dataset: DatasetSpecification, path: string): Promise<Table> {
  const reader = await openCustomers(findData(path), dataset, { labelled: false });
  const tables: Table[] = [];
  for await (const table of reader.tables()) tables.push(table);
  reader.close();
  const { rows, levels } = reader;
  assert(rows > 7000, `${rows} customers`);
  const columns = featureColumnNames(dataset).map((name): [string, Column] => {
    const parts = tables.map(({ columns }) => columns.get(name) as Column);
    const [of] = parts;
    if (of instanceof Float64Array)
      return [name, Float64Array.from(parts.flatMap((part) => [...(part as Float64Array)]))];
    const codes = Int32Array.from(parts.flatMap((part) => [...(part as CategoryColumn).codes]));
    return [name, { codes, levels: levels.get(name) as readonly string[] }];
  });
  return { rows, columns: new Map(columns) };
}

export function firstRows(table: Table, rows: number, start = 0): Table {
  const columns = [...table.columns].map(([name, column]): [string, Column] => [
    name,
    column instanceof Float64Array
      ? column.slice(start, start + rows)
      : { ...column, codes: column.codes.slice(start, start + rows) },
  ]);
  return { rows, columns: new Map(columns) };
}
