/** Predictions from PostgreSQL, by a cursor: however many there are, a batch is in memory. */
import postgres from "postgres";
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

const CONNECT_LIMIT_SECONDS = 10;

export class PostgresReader implements PredictionReader {
  readonly #sql: postgres.Sql;

  constructor(url: string) {
    this.#sql = postgres(url, {
      max: 1,
      connect_timeout: CONNECT_LIMIT_SECONDS,
      backoff: false, // one try: whoever asks can ask again
      prepare: false, // a pooler may stand between
      onnotice: () => {},
      connection: { application_name: "churn drift" },
    });
  }

  async *latest({ from, to }: TimeWindow): AsyncGenerator<StoredBatch> {
    try {
      for await (const rows of this.#sql.unsafe<StoredPrediction[]>(LATEST, [from, to]).cursor(BATCH_ROWS)) yield rows;
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async countAfter(now: number): Promise<number> {
    try {
      const [{ rows }] = await this.#sql.unsafe<{ rows: string }[]>(FUTURE, [now]);
      return Number(rows);
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }
}
