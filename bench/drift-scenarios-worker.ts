/** A thread of the scenario bench: customers of one seed, month and scenario, and what a check says of them. */
import { join } from "node:path";
import { parentPort, threadId, workerData } from "node:worker_threads";
import { Model, REFERENCE_FILE, readModelDirectory } from "../contract/src/index.ts";
import type { ScenarioName } from "../training/src/customers/scenarios.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { checkLevel } from "../training/src/drift/budget.ts";
import { type DriftCheck, judgeWindow, measureWindow } from "../training/src/drift/check.ts";
import { DEFAULT_FLOORS } from "../training/src/drift/harm.ts";
import { decodeReference } from "../training/src/drift/reference.ts";
import { WindowCounter } from "../training/src/drift/window.ts";
import { generate } from "../training/src/generate.ts";
import { createLogger } from "../training/src/logger.ts";
import { applyChange, TABLE_CHANGES } from "./table-changes.ts";

export interface ScenarioInput {
  readonly model: string;
  readonly folder: string;
}

export interface ScenarioTask {
  readonly scenario: ScenarioName;
  readonly month: number;
  readonly seed: number;
  readonly rows: number;
  /** One of `TABLE_CHANGES`. */
  readonly change?: string | undefined;
}

const { model: directory, folder }: ScenarioInput = workerData;
const LEVEL = checkLevel(1, 28);
const files = readModelDirectory(directory);
const model = new Model(files);
const { dataset, threshold } = files.manifest;
const reference = decodeReference(files.reference as Uint8Array, files.manifest, join(directory, REFERENCE_FILE));
const path = join(folder, `customers-${threadId}.parquet`);
const log = createLogger({ LOG_LEVEL: "silent" });

let last: Promise<unknown> = Promise.resolve(); // one after the other: they share a file
parentPort?.on("message", (task: ScenarioTask) => {
  last = last.then(async () => parentPort?.postMessage(await check(task)));
});

/** Like `churn drift`, but for rows of a time that is still to come: months of the made-up world are. */
async function check({ scenario, month, seed, rows, change }: ScenarioTask): Promise<DriftCheck> {
  await generate({ out: path, rows, seed, month, scenario, from: month, withTruth: false, nJobs: 1 }, log, () => {});
  const reader = await openCustomers(findData(path), dataset, { labelled: false });
  const counter = new WindowCounter(model, reference, seed);
  for await (const table of reader.tables()) {
    const columns = new Map(table.columns);
    if (change !== undefined) applyChange(columns, TABLE_CHANGES[change], seed);
    counter.add({ rows: table.rows, columns });
  }
  reader.close();
  const isNullable = (name: string): boolean => dataset.columns[name].nullable === true;
  const measurement = measureWindow(reference, counter.finish(), { threshold: threshold.value, isNullable, seed });
  return judgeWindow(measurement, { level: LEVEL, floors: DEFAULT_FLOORS });
}
