/**
 * The prediction store as training reads it: what serving has written, never a word into it. One question, a driver for SQLite and
 * one for PostgreSQL.
 */
import {
  ChurnError,
  JUDGED_PREDICTIONS,
  type JudgedPredictionRow,
  LATEST_PREDICTIONS,
  type PredictionRow,
  SCHEMA_VERSION,
} from "@churn/contract";

/** A window of time, from inclusive to exclusive, in epoch ms. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

export type StoredPrediction = Pick<PredictionRow, "features" | "score" | "model_sha256">;

/** Predictions that arrive together. */
export type StoredBatch = readonly StoredPrediction[];

export const BATCH_ROWS = 2048;

/** `$1` and `$2` are the window. */
export const LATEST = `SELECT features, score, model_sha256 FROM (${LATEST_PREDICTIONS}) AS latest`;

/** Predictions of a window and what became of them, the first of each customer in each period. */
export interface JudgedQuery extends TimeWindow {
  readonly horizonMs: number | null;
  readonly periodMs: number;
  /** Without them a row has `null` in their place: they are what takes long. */
  readonly withFeatures: boolean;
}

/** BIGINT as a number, whatever the driver. */
export type JudgedPrediction = Omit<JudgedPredictionRow, "features"> & { readonly features: string | null };

/** `$1` the horizon, `$2` and `$3` the window, `$4` the period. */
export const judgedStatement = (withFeatures: boolean): string =>
  `SELECT period, customer_key, since, ${withFeatures ? "features" : "NULL AS features"}, score, decision, model_sha256,
    churned_at, stayed, contacted FROM (${JUDGED_PREDICTIONS}) AS judged`;

/** As the query has it, in the statement's order. */
export const judgedParameters = ({ horizonMs, from, to, periodMs }: JudgedQuery): (number | null)[] => [
  horizonMs,
  from,
  to,
  periodMs,
];

export const VERSION = "SELECT MAX(version) AS version FROM migrations";

/** @throws CHURN_ERR_STORE_VERSION */
export function checkVersion(version: number): void {
  if (version === SCHEMA_VERSION) return;
  const advice =
    version < SCHEMA_VERSION
      ? "start the service of this version once, which brings the store up to date"
      : "a later version of this program made it; run that one";
  const message = `prediction store: expected schema version ${SCHEMA_VERSION}, got ${version}: ${advice}`;
  throw new ChurnError("CHURN_ERR_STORE_VERSION", message);
}

/** For the fault that clocks make. @param $1 now, in epoch ms */
export const FUTURE = "SELECT count(*) AS rows FROM predictions WHERE predicted_at > CAST($1 AS BIGINT)";

/** What the check of outcomes needs of a store. */
export interface JudgedReader {
  /** @throws CHURN_ERR_STORE_FAILED */
  judged(query: JudgedQuery): AsyncGenerator<readonly JudgedPrediction[]>;
}

export interface PredictionReader extends JudgedReader {
  /** @throws CHURN_ERR_STORE_VERSION for a store of another version; CHURN_ERR_STORE_FAILED */
  checkVersion(): Promise<void>;
  /** The last prediction of each customer of a window. @throws CHURN_ERR_STORE_FAILED */
  latest(window: TimeWindow): AsyncGenerator<StoredBatch>;
  /** Predictions of a time that is still to come. @throws CHURN_ERR_STORE_FAILED */
  countAfter(now: number): Promise<number>;
  close(): Promise<void>;
}

/** The server's or the file's own words, in one line. */
export function storeFailed(error: unknown): ChurnError {
  if (error instanceof ChurnError) return error;
  const { message, code } = error as Error & { readonly code?: string };
  const detail = (message || code || "no answer").split("\n", 1)[0];
  return new ChurnError("CHURN_ERR_STORE_FAILED", `prediction store: ${detail}`, { cause: error });
}
