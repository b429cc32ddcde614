/**
 * Models for the gate's bench: trained on generated customers as `churn train` does, with what they say of others whose true
 * probabilities of churn are known.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type CategoryColumn,
  type DatasetSpecification,
  type Economics,
  Model,
  readDataset,
} from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { customerKey, isHeldOut } from "../training/src/data/training-set.ts";
import { contactValues } from "../training/src/evaluation/economics.ts";
import { churn } from "./command.ts";

const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const POOL_SEED = 900_000;

/** Customers to compare on, and their true probabilities. */
export interface Pool {
  readonly path: string;
  readonly truth: Float64Array;
  /** The columns whose groups the gate looks at. */
  readonly groups: readonly Grouping[];
}

export interface Grouping {
  readonly column: string;
  readonly levels: readonly string[];
  /** Per customer the place of his level; beyond the last one without. */
  readonly codes: Uint8Array;
}

/** A model, and what it says of the pool. */
export interface Judged {
  readonly model: Model;
  /** The file that it was trained on. */
  readonly data: string;
  readonly scores: Float64Array;
  /** 1 is a customer whom it contacts. */
  readonly contacts: Uint8Array;
  /** True profit per customer at its threshold. */
  readonly profit: number;
}

/** Whom a model contacts: all that F1 needs. */
export interface Contacts {
  readonly rows: number;
  readonly churners: number;
  readonly contactedChurners: number;
  readonly contactedStayers: number;
}

export interface TrainOptions {
  readonly seed: number;
  readonly rows: number;
  /** A column that the model does not get. */
  readonly without?: string;
}

export async function makePool(folder: string, rows: number): Promise<Pool> {
  const path = generate(folder, "pool", POOL_SEED, rows);
  const specification = readDataset(DATASET);
  const truth = new Float64Array(rows);
  const groups = (specification.slices ?? []).map((column) => ({
    column,
    levels: specification.columns[column].values ?? [],
    codes: new Uint8Array(rows),
  }));
  for await (const { table, start } of tablesOf(path, specification)) {
    truth.set(table.truth as Float64Array, start);
    for (const { column, levels, codes } of groups) {
      const values = table.columns.get(column) as CategoryColumn;
      const places = values.levels.map((level) => levels.indexOf(level));
      codes.set(
        Array.from(values.codes, (code) => places[code] ?? levels.length),
        start,
      );
    }
  }
  return { path, truth, groups };
}

export async function trainModel(folder: string, pool: Pool, { seed, rows, without }: TrainOptions): Promise<Judged> {
  const data = generate(folder, `training-${seed}`, seed, rows);
  const [out, report] = [join(folder, `model-${seed}`), join(folder, "report.html")];
  const dataset = without === undefined ? DATASET : withoutColumn(folder, without);
  const paths = ["--dataset", dataset, "--data", data, "--out", out, "--report", report];
  churn(folder, "train", ...paths, "--seed", String(seed));
  const model = Model.load(out);
  const { threshold, dataset: specification } = model.manifest;
  const scores = new Float64Array(pool.truth.length);
  for await (const { table, start } of tablesOf(pool.path, specification)) scores.set(model.predictTable(table), start);
  const contacts = Uint8Array.from(scores, (score) => +(score >= threshold.value));
  const worth = contactValues(specification.economics as Economics);
  const earned = pool.truth.reduce(
    (sum, p, row) => sum + contacts[row] * (p * worth.churner + (1 - p) * worth.stayer),
    0,
  );
  process.stderr.write(`model of seed ${seed}: ${rows} customers\n`);
  return { model, data, scores, contacts, profit: earned / pool.truth.length };
}

/** Among the rows of a file that a model was trained on, those on the training side of the split. */
export async function contactsOfTrainingRows(model: Model, data: string): Promise<Contacts> {
  const counts = { rows: 0, churners: 0, contactedChurners: 0, contactedStayers: 0 };
  for await (const { table, start } of tablesOf(data, model.manifest.dataset)) {
    const scores = model.predictTable(table);
    const labels = table.labels as Uint8Array;
    for (let row = 0; row < table.rows; row++) {
      if (isHeldOut(customerKey(table, row, start))) continue;
      const isContacted = +(scores[row] >= model.manifest.threshold.value);
      counts.rows++;
      counts.churners += labels[row];
      counts.contactedChurners += isContacted * labels[row];
      counts.contactedStayers += isContacted * (1 - labels[row]);
    }
  }
  return counts;
}

function generate(folder: string, name: string, seed: number, rows: number): string {
  const out = join(folder, `${name}.parquet`);
  churn(folder, "generate", "--with-truth", "--seed", String(seed), "--rows", String(rows), "--out", out);
  return out;
}

async function* tablesOf(path: string, specification: DatasetSpecification) {
  const reader = await openCustomers(findData(path), specification, { labelled: true });
  let start = 0;
  for await (const table of reader.tables()) {
    yield { table, start };
    start += table.rows;
  }
  reader.close();
}

function withoutColumn(folder: string, name: string): string {
  const specification = JSON.parse(readFileSync(DATASET, "utf8"));
  delete specification.columns[name];
  const features = Object.entries(specification.features as Record<string, string>);
  specification.features = Object.fromEntries(features.filter(([, expression]) => !expression.includes(name)));
  const path = join(folder, "without.json");
  writeFileSync(path, JSON.stringify(specification));
  return path;
}
