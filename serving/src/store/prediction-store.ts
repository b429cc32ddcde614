/**
 * Where predictions and outcomes are kept, and how the service asks for it: one interface, a driver for SQLite and one
 * for PostgreSQL, chosen by the URL. A call that fails rejects with a `ChurnError`, and the next one begins afresh;
 * nothing here retries.
 */
import { type LogRecord, type PredictionRecord, parseStoreUrl } from "@churn/contract";

export interface PredictionStore {
  /**
   * Brings the schema to this version; several processes may do so at once. To be called before anything else.
   *
   * @throws CHURN_ERR_STORE_VERSION when the store was made by a later version
   */
  migrate(): Promise<void>;
  /**
   * Writes all of the records or none, in order. What is there already is left as it is, so that a call that may or
   * may not have worked can be made again.
   */
  append(records: readonly LogRecord[]): Promise<void>;
  /** The newest first. */
  recent(limit: number): Promise<RecentPrediction[]>;
  /** @param sinceMs Epoch ms; earlier predictions are not counted. */
  summary(sinceMs: number): Promise<StoreSummary>;
  /**
   * Removes the predictions made before a time (epoch ms) with their outcomes, outcomes by customer that were seen
   * before it, and outcomes reported before it whose prediction is not there. In many small transactions.
   *
   * @param mayGoOn Asked before each of them; without it, it goes on to the end.
   * @returns How many predictions it removed.
   */
  removeBefore(timeMs: number, mayGoOn?: () => Promise<boolean>): Promise<number>;
  /** Ends what is under way. A closed store answers no more. */
  close(): Promise<void>;
}

export interface RecentPrediction extends Omit<PredictionRecord, "kind"> {
  /** Null while nobody knows. */
  readonly outcome: 0 | 1 | null;
}

export interface StoreSummary {
  readonly predictions: number;
  /** Predictions of decision 1. */
  readonly contacts: number;
  /** Predictions whose outcome is known. */
  readonly outcomes: number;
  /** Of these, decision against outcome. */
  readonly confusion: {
    readonly truePositives: number;
    readonly falsePositives: number;
    readonly falseNegatives: number;
    readonly trueNegatives: number;
  };
  /** How many scores lie in each of `SCORE_BINS` equal parts of [0, 1]; the last one includes 1. */
  readonly scores: readonly number[];
  /** When the first and the last of them were made, epoch ms. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
}

export interface StoreOptions {
  /** `target.horizonDays` of the dataset specification: which outcome belongs to a prediction. */
  readonly horizonDays?: number | undefined;
}

/** The variable that holds its URL. */
export const STORE_VARIABLE = "PREDICTION_STORE_URL";

/**
 * Makes the store of a URL, without touching it: a store that is away is no reason not to start.
 *
 * @throws CHURN_ERR_OPTION_INVALID when the URL is none; the message does not repeat it, as it may hold a password
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<PredictionStore> {
  const place = parseStoreUrl(url, STORE_VARIABLE);
  if (place.kind === "sqlite") {
    const { SqliteStore } = await import("./sqlite-store.ts");
    return new SqliteStore(place.path, options);
  }
  const { PostgresStore } = await import("./postgres-store.ts");
  return new PostgresStore(place.url, options);
}
