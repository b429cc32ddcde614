/** Generated customers as bodies of `POST /predict`, with key and time: what the benches of the service send. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ColumnSpecification, featureColumnNames, readDataset } from "../contract/src/index.ts";
import { churn } from "./command.ts";

const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));

/** @param folder For the file they are read from. */
export function customerRequests(folder: string, rows: number): string[] {
  const data = join(folder, "customers.csv");
  churn(folder, "generate", "--rows", String(rows), "--seed", "2026", "--out", data);
  const dataset = readDataset(DATASET);
  const columns = [dataset.key, dataset.time, ...featureColumnNames(dataset)].filter((name) => name !== undefined);
  const [header, ...lines] = readFileSync(data, "utf8").trimEnd().split("\n");
  const names = header.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    if (cells.length !== names.length) throw new Error(`a cell with a comma: ${line}`);
    const fields = columns.map((name) => [name, fromCell(cells[names.indexOf(name)], dataset.columns[name])]);
    return JSON.stringify(Object.fromEntries(fields));
  });
}

function fromCell(text: string, { type }: ColumnSpecification): unknown {
  if (text === "") return null;
  if (type === "boolean") return text === "true";
  return type === "number" || type === "integer" ? Number(text) : text;
}
