/** Where the customers of a retraining come from: the synthetic world's calendar, the prediction store, or a file. */
import { join } from "node:path";
import { ChurnError, type DatasetSpecification } from "@churn/contract";
import { MAX_MONTH } from "../customers/limits.ts";
import { type DataSource, findData, hashData } from "../data/source.ts";
import { generate } from "../generate.ts";
import type { Logger } from "../logger.ts";
import type { GeneratedData } from "../registry/ledger.ts";
import { openPredictions } from "../store/open-predictions.ts";
import { writeStoredCustomers } from "./stored-data.ts";

/** As the command names them. */
export type NewDataOptions =
  | { readonly source: "synthetic"; readonly customers: Omit<GeneratedData, "month"> & { readonly month?: number } }
  | { readonly source: "store"; readonly url: string; readonly graceDays: number; readonly days: number }
  | { readonly source: "file"; readonly path: string };

export interface NewData {
  readonly source: NewDataOptions["source"];
  /** What a drift check looks at: the file, or the store itself. */
  readonly current: string;
  readonly files: DataSource;
  readonly sha256: string;
  readonly generated: GeneratedData | undefined;
  /** What one must know of them, a sentence each. */
  readonly notes: readonly string[];
}

/** The data set that `churn generate` makes, and its first month. */
export const SYNTHETIC = "customers";
const EPOCH = { year: 2026, month: 0 };

/** The month of the synthetic world at a moment, from 0. */
export function monthAt(now: Date): number {
  const months = 12 * (now.getUTCFullYear() - EPOCH.year) + now.getUTCMonth() - EPOCH.month;
  return Math.min(MAX_MONTH, Math.max(0, months));
}

/**
 * @param folder For files that are made.
 * @throws CHURN_ERR_OPTION_INVALID for synthetic customers of another data set; what generating, reading files and stores throws
 */
export async function openNewData(
  options: NewDataOptions,
  dataset: DatasetSpecification,
  folder: string,
  { now, log }: { readonly now: Date; readonly log: Logger },
): Promise<NewData> {
  if (options.source === "file") return fromFile("file", options.path, {});
  if (options.source === "synthetic") {
    if (dataset.name !== SYNTHETIC) {
      const message = `--source: expected store or file for the data set "${dataset.name}", got synthetic, which makes "${SYNTHETIC}"`;
      throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
    }
    const generated = { ...options.customers, month: options.customers.month ?? monthAt(now) };
    const { month, scenario, seed, rows, from } = generated;
    const out = join(folder, `${SYNTHETIC}-month-${month}-${scenario}-from-${from}-seed-${seed}-rows-${rows}.parquet`);
    await generate({ ...generated, withTruth: false, out }, log, () => {});
    return fromFile("synthetic", out, { generated });
  }
  const reader = await openPredictions(options.url, "--store");
  const out = join(folder, `${dataset.name}-store.parquet`);
  try {
    const asOf = now.getTime();
    const { notes } = await writeStoredCustomers(reader, dataset, out, { ...options, asOf });
    return fromFile("store", out, { current: options.url, notes });
  } finally {
    await reader.close();
  }
}

async function fromFile(
  source: NewData["source"],
  path: string,
  { current = path, generated, notes = [] }: Partial<Pick<NewData, "current" | "generated" | "notes">>,
): Promise<NewData> {
  const files = findData(path);
  return { source, current, files, sha256: await hashData(files), generated, notes };
}
