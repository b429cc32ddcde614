/** Predictions from PostgreSQL, by a cursor: however many there are, a batch is in memory. */
import postgres from "postgres";
import {
  BATCH_ROWS,
  checkVersion,
  FUTURE,
  type JudgedPrediction,
  type JudgedQuery,
  judgedParameters,
  judgedStatement,
  LATEST,
  type PredictionReader,
  type StoredBatch,
  type StoredPrediction,
  storeFailed,
  type TimeWindow,
  VERSION,
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

  async checkVersion(): Promise<void> {
    checkVersion(Number((await this.#one(VERSION)).version));
  }

  latest({ from, to }: TimeWindow): AsyncGenerator<StoredBatch> {
    return this.#batches<StoredPrediction>(LATEST, [from, to]);
  }

  async *judged(query: JudgedQuery): AsyncGenerator<readonly JudgedPrediction[]> {
    const statement = judgedStatement(query.withFeatures);
    for await (const rows of this.#batches<WireRow>(statement, judgedParameters(query))) {
      yield rows.map(({ period, since, churned_at, ...row }) => ({
        ...row,
        period: Number(period),
        since: Number(since),
        churned_at: churned_at === null ? null : Number(churned_at),
      }));
    }
  }

  async countAfter(now: number): Promise<number> {
    return Number((await this.#one(FUTURE, now)).rows);
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }

  async #one(statement: string, ...parameters: readonly number[]): Promise<Record<string, unknown>> {
    try {
      const [row] = await this.#sql.unsafe<Record<string, unknown>[]>(statement, [...parameters]);
      return row;
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async *#batches<Row extends object>(
    statement: string,
    parameters: (number | null)[],
  ): AsyncGenerator<readonly Row[]> {
    try {
      for await (const rows of this.#sql.unsafe<Row[]>(statement, parameters).cursor(BATCH_ROWS)) yield rows;
    } catch (error) {
      throw storeFailed(error);
    }
  }
}

/** The driver gives BIGINT as a text. */
type WireRow = Omit<JudgedPrediction, "period" | "since" | "churned_at"> & {
  readonly period: string;
  readonly since: string;
  readonly churned_at: string | null;
};
