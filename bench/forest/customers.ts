/** Generated customers: files, a model of them, and their features as the forest reads them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Column, compileFeatures, FeatureEncoder, readDataset, type Table } from "../../contract/src/index.ts";
import { openCustomers } from "../../training/src/data/reader.ts";
import { findData } from "../../training/src/data/source.ts";
import { readTrainingSet } from "../../training/src/data/training-set.ts";
import { churn } from "../command.ts";

export const DATASET = fileURLToPath(new URL("../../datasets/customers/dataset.json", import.meta.url));
/** Models learn from customers of one seed and are judged on those of another. */
export const [FIT_SEED, JUDGE_SEED] = [42, 43];

const dataset = readDataset(DATASET);

/** @returns the path of a Parquet file with the true probabilities */
export function generate(folder: string, rows: number, seed: number): string {
  const path = join(folder, `customers-${seed}-${rows}.parquet`);
  churn(folder, "generate", "--rows", String(rows), "--seed", String(seed), "--with-truth", "--out", path);
  return path;
}

/** @returns the directory of a model with default parameters */
export function train(folder: string, data: string): string {
  const directory = `${data}.model`;
  churn(folder, "train", "--dataset", DATASET, "--data", data, "--out", directory);
  return directory;
}

export async function readTables(path: string): Promise<Table[]> {
  const reader = await openCustomers(findData(path), dataset, { labelled: false });
  const tables: Table[] = [];
  try {
    for await (const table of reader.tables()) tables.push(table);
  } finally {
    reader.close();
  }
  return tables;
}

export function firstRows({ columns, rows }: Table, most: number): Table {
  const few = Math.min(rows, most);
  const cut = [...columns].map(([name, column]): [string, Column] => {
    if (column instanceof Float64Array) return [name, column.subarray(0, few)];
    return [name, { ...column, codes: column.codes.subarray(0, few) }];
  });
  return { rows: few, columns: new Map(cut) };
}

/** Both files' features; what there is to learn for that is learned from the first, whose customers are all fitted. */
export async function readFeatures(fitFile: string, judgeFile: string) {
  const features = compileFeatures(dataset, DATASET);
  const reader = await openCustomers(findData(fitFile), dataset, { labelled: true });
  const { columns, labels, encodings } = await readTrainingSet(reader, fitFile, dataset, features).finally(
    reader.close,
  );
  const encoder = new FeatureEncoder(features, encodings);
  const tables = await readTables(judgeFile);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const judgeColumns = features.map(() => new Float32Array(rows));
  let start = 0;
  for (const table of tables) {
    for (const [f, values] of encoder.encodeTable(table).entries()) judgeColumns[f].set(values, start);
    start += table.rows;
  }
  return { columns, labels, judgeColumns };
}

/** One column's bytes after the other's. */
export function writeBytes(path: string, columns: readonly (Float32Array | Float64Array)[]): string {
  writeFileSync(path, "");
  for (const column of columns) writeFileSync(path, column, { flag: "a" });
  return path;
}
