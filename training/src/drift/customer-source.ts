/** Where the customers of a check come from: a file, or what the service has scored. */
import { ChurnError, isStoreUrl, type ModelManifest, type Table } from "@churn/contract";
import { type ImpossibleRows, openCustomers } from "../data/reader.ts";
import { findData } from "../data/source.ts";
import { describeStore, openPredictions } from "../store/open-predictions.ts";
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
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
/** By so much the clocks of two machines may differ. */
const CLOCK_TOLERANCE_MS = 300_000;

/**
 * @param since Of a store: the last so many days. @throws CHURN_ERR_OPTION_INVALID for a store without it, and for a file with it;
 *   what opening files and stores throws
 */
export async function openSource(
  current: string,
  manifest: ModelManifest,
  since: number | undefined,
  now: Date,
): Promise<CustomerSource> {
  if (isStoreUrl(current)) return openStore(current, manifest, since, now);
  if (since !== undefined) {
    throw new ChurnError(
      "CHURN_ERR_OPTION_INVALID",
      "--since: expected a prediction store to look back in, got a file",
    );
  }
  const source = findData(current);
  const reader = await openCustomers(source, manifest.dataset, { labelled: false });
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
    close: async () => reader.close(),
  };
}

async function openStore(
  url: string,
  { dataset, contentSha256 }: ModelManifest,
  since: number | undefined,
  now: Date,
): Promise<CustomerSource> {
  if (since === undefined) {
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", "--since: expected how far to look back in the store, such as 7d");
  }
  const reader = await openPredictions(url, "--current");
  const customers = new StoredCustomers(dataset, contentSha256);
  const window = { from: now.getTime() - since * DAY_MS, to: now.getTime() };
  return {
    name: `${describeStore(url)}, last ${since} days`,
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
    close: () => reader.close(),
  };
}
