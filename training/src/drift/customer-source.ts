/** Where the customers of a check come from: a file, or what the service has scored. */
import type { ModelManifest, Table } from "@churn/contract";
import { type ImpossibleRows, openCustomers } from "../data/reader.ts";
import { findData } from "../data/source.ts";
import type { PredictionReader, TimeWindow } from "../store/prediction-reader.ts";
import { StoredCustomers } from "../store/stored-customers.ts";

export interface CustomerSource {
  /** For people; without what is secret. */
  readonly name: string;
  /** Files that are read. */
  readonly files: readonly string[];
  readonly missingColumns: readonly string[];
  readonly extraColumns: readonly string[];
  /** Columns of which only hashes are known; complete once the tables have been read. */
  readonly hiddenColumns: ReadonlySet<string>;
  /** With P(churn) where it is known. */
  tables(): AsyncGenerator<{ readonly table: Table; readonly scores?: Float64Array }>;
  impossibleRows(now: Date): Promise<ImpossibleRows>;
}

/** By so much the clocks of two machines may differ. */
const CLOCK_TOLERANCE_MS = 300_000;

/** @throws What reading files throws */
export async function openFile(
  current: string,
  { dataset }: ModelManifest,
): Promise<CustomerSource & { readonly close: () => void }> {
  const source = findData(current);
  const reader = await openCustomers(source, dataset, { labelled: false });
  return {
    name: source.path,
    files: source.files,
    missingColumns: reader.missingColumns,
    extraColumns: reader.extraColumns,
    hiddenColumns: new Set(),
    tables: async function* () {
      for await (const table of reader.tables()) yield { table };
    },
    impossibleRows: reader.impossibleRows,
    close: () => reader.close(),
  };
}

/** What was scored in a window of time. The reader is the caller's, who closes it. */
export function openWindow(
  name: string,
  reader: PredictionReader,
  window: TimeWindow,
  { dataset, contentSha256 }: ModelManifest,
): CustomerSource {
  const customers = new StoredCustomers(dataset, contentSha256);
  return {
    name,
    files: [],
    missingColumns: [],
    extraColumns: [],
    hiddenColumns: customers.hashed,
    tables: async function* () {
      for await (const batch of reader.latest(window)) {
        const table = customers.table(batch);
        yield { table, scores: table.scores };
      }
    },
    // A customer is in it once, whatever happened.
    impossibleRows: async (time) => ({
      repeated: 0,
      future: await reader.countAfter(time.getTime() + CLOCK_TOLERANCE_MS),
    }),
  };
}
