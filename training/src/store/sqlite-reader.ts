/** Predictions from a SQLite file, also while a service writes to it. */
import { DatabaseSync } from "node:sqlite";
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

  async checkVersion(): Promise<void> {
    checkVersion(Number(this.#one(VERSION)?.version));
  }

  latest({ from, to }: TimeWindow): AsyncGenerator<StoredBatch> {
    return this.#batches<StoredPrediction>(LATEST, [from, to]);
  }

  judged(query: JudgedQuery): AsyncGenerator<readonly JudgedPrediction[]> {
    return this.#batches<JudgedPrediction>(judgedStatement(query.withFeatures), judgedParameters(query));
  }

  async countAfter(now: number): Promise<number> {
    return Number(this.#one(FUTURE, now)?.rows);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #one(statement: string, ...parameters: readonly number[]): Record<string, unknown> | undefined {
    try {
      return this.#database.prepare(statement).get(named(parameters));
    } catch (error) {
      throw storeFailed(error);
    }
  }

  async *#batches<Row>(statement: string, parameters: readonly (number | null)[]): AsyncGenerator<readonly Row[]> {
    try {
      let batch: Row[] = [];
      for (const row of this.#database.prepare(statement).iterate(named(parameters))) {
        batch.push(row as Row);
        if (batch.length < BATCH_ROWS) continue;
        yield batch;
        batch = [];
      }
      if (batch.length > 0) yield batch;
    } catch (error) {
      throw storeFailed(error);
    }
  }
}

/** SQLite knows `$1` as a parameter of that name. */
const named = (parameters: readonly (number | null)[]): Record<string, number | null> =>
  Object.fromEntries(parameters.map((value, i) => [`$${i + 1}`, value]));
