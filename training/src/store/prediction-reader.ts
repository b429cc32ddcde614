/**
 * The prediction store as training reads it: what serving has written, never a word into it. One question, a driver for SQLite and
 * one for PostgreSQL.
 */
import { ChurnError, LATEST_PREDICTIONS, type PredictionRow } from "@churn/contract";

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

/** For the fault that clocks make. @param $1 now, in epoch ms */
export const FUTURE = "SELECT count(*) AS rows FROM predictions WHERE predicted_at > CAST($1 AS BIGINT)";

export interface PredictionReader {
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
