/** Predictions from a SQLite file, also while a service writes to it. */
import { DatabaseSync } from "node:sqlite";
import {
  BATCH_ROWS,
  FUTURE,
  LATEST,
  type PredictionReader,
  type StoredBatch,
  type StoredPrediction,
  storeFailed,
  type TimeWindow,
} from "./prediction-reader.ts";

/** How long a writer is waited for, in ms. */
const BUSY_LIMIT_MS = 5_000;

export class SqliteReader implements PredictionReader {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    try {
      this.#database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_LIMIT_MS });
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async *latest({ from, to }: TimeWindow): AsyncGenerator<StoredBatch> {
    try {
      let batch: StoredPrediction[] = [];
      for (const row of this.#database.prepare(LATEST).iterate({ $1: from, $2: to })) {
        batch.push(row as unknown as StoredPrediction);
        if (batch.length < BATCH_ROWS) continue;
        yield batch;
        batch = [];
      }
      if (batch.length > 0) yield batch;
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async countAfter(now: number): Promise<number> {
    try {
      return Number(this.#database.prepare(FUTURE).get({ $1: now })?.rows);
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
