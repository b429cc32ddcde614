/** The five fixed folds of the Telco data, as files. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const DATASET = pathOf("../datasets/telco/dataset.json");
export const DATA = pathOf("../datasets/telco/Telco-Customer-Churn.csv");
export const FOLDS = pathOf("telco-folds.csv");

/** Per fold, a CSV file of the customers of the others and one of its own. */
export function writeFolds(folder: string): { readonly train: string; readonly test: string }[] {
  const [header, ...customers] = lines(DATA);
  const foldOf = lines(FOLDS)
    .slice(1)
    .map((line) => Number(line.split(",")[1]));
  return Array.from({ length: Math.max(...foldOf) + 1 }, (_, fold) => {
    const write = (name: string, isIn: (row: number) => boolean): string => {
      const path = join(folder, `${fold}-${name}.csv`);
      writeFileSync(path, [header, ...customers.filter((_, row) => isIn(row))].join("\n"));
      return path;
    };
    return {
      train: write("train", (row) => foldOf[row] !== fold),
      test: write("test", (row) => foldOf[row] === fold),
    };
  });
}

function lines(path: string): string[] {
  return readFileSync(path, "utf8").trimEnd().split(/\r?\n/);
}
