/**
 * The prediction store in a SQLite file; `sqlite-database.ts` is what it does. Calls block the thread they are made in: the
 * service makes them in the delivery's own, where nobody waits for an answer.
 *
 * The file is opened by the first call, and again after one that failed: what made it fail (a full disk, a folder that was
 * moved) may have left the connection of no use.
 */
import { ChurnError, horizonMs, type LogRecord } from "@churn/contract";
import type { PredictionStore, RecentPrediction, StoreOptions, StoreSummary } from "./prediction-store.ts";
import { SqliteDatabase } from "./sqlite-database.ts";
import { removeInSteps } from "./statements.ts";

export class SqliteStore implements PredictionStore {
  readonly #path: string;
  readonly #horizonMs: number | null;
  #database: SqliteDatabase | undefined;
  #isClosed = false;

  constructor(path: string, { horizonDays }: StoreOptions = {}) {
    this.#path = path;
    this.#horizonMs = horizonMs(horizonDays);
  }

  migrate(): Promise<void> {
    return this.#ask((database) => database.migrate());
  }

  async append(records: readonly LogRecord[]): Promise<void> {
    if (records.length > 0) await this.#ask((database) => database.append(records));
  }

  recent(limit: number): Promise<RecentPrediction[]> {
    return this.#ask((database) => database.recent(limit));
  }

  summary(sinceMs: number): Promise<StoreSummary> {
    return this.#ask((database) => database.summary(sinceMs));
  }

  removeBefore(timeMs: number, mayGoOn?: () => Promise<boolean>): Promise<number> {
    return removeInSteps(
      {
        predictions: () => this.#ask((database) => database.removePredictions(timeMs)),
        outcomesByCustomer: () => this.#ask((database) => database.removeOutcomesByCustomer(timeMs)),
        outcomesOfNothing: () => this.#ask((database) => database.removeOutcomesOfNothing(timeMs)),
      },
      mayGoOn,
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#discard();
  }

  async #ask<T>(question: (database: SqliteDatabase) => T): Promise<T> {
    if (this.#isClosed) throw failed("it is closed");
    try {
      this.#database ??= new SqliteDatabase(this.#path, this.#horizonMs);
      return question(this.#database);
    } catch (cause) {
      this.#discard();
      throw cause instanceof ChurnError ? cause : failed(`${this.#path}: ${(cause as Error).message}`, cause);
    }
  }

  #discard(): void {
    try {
      this.#database?.close();
    } catch {
      // The fault that is on its way, if there is one, says why.
    }
    this.#database = undefined;
  }
}

function failed(message: string, cause?: unknown): ChurnError {
  return new ChurnError("CHURN_ERR_STORE_FAILED", `prediction store: ${message}`, { cause });
}
