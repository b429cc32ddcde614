/**
 * The prediction store in one SQLite file, by Node's own driver. Each call blocks the thread it is made in, for as
 * long as the disk or another process's transaction takes.
 *
 * A commit is safe from a killed process at once, and from a power cut at the next checkpoint (write-ahead log,
 * `synchronous = NORMAL`).
 */
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import {
  type ErasureRecord,
  type LogRecord,
  MIGRATIONS_TABLE,
  makeFolders,
  type OutcomeRecord,
  type OutcomeRow,
  outcomeRow,
  type PredictionRecord,
  predictionRow,
  storedText,
} from "@churn/contract";
import type { RecentPrediction, StoreSummary } from "./prediction-store.ts";
import {
  APPLIED_MIGRATIONS,
  CORRECT_BY_CUSTOMER,
  CORRECT_BY_PREDICTION,
  KEEP_PREDICTION,
  missingMigrations,
  OUTCOME_COLUMNS,
  PREDICTION_COLUMNS,
  RECENT,
  RECORD_MIGRATION,
  REMOVE_OUTCOMES_BY_CUSTOMER,
  REMOVE_OUTCOMES_OF_NOTHING,
  REMOVE_PREDICTIONS,
  type RecentRow,
  recentPrediction,
  SUMMARY,
  type SummaryRow,
  storeSummary,
} from "./statements.ts";

/** How long a writer waits for another one, in ms. */
const BUSY_LIMIT_MS = 5_000;
const BUSY_PAUSE_MS = 20;
/** SQLite's result code for a lock that another one holds. */
const SQLITE_BUSY = 5;
/** What the write-ahead log may keep on the disk after a checkpoint. */
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

const insert = (table: string, columns: object): string => {
  const names = Object.keys(columns);
  return `INSERT INTO ${table} (${names}) VALUES (${names.map(() => "?")})`;
};

const STATEMENTS = {
  insertPrediction: `${insert("predictions", PREDICTION_COLUMNS)} ${KEEP_PREDICTION}`,
  insertOutcome: `${insert("outcomes", OUTCOME_COLUMNS)} ${CORRECT_BY_PREDICTION} ${CORRECT_BY_CUSTOMER}`,
  eraseTheirOutcomes:
    "DELETE FROM outcomes WHERE prediction_id IN (SELECT prediction_id FROM predictions WHERE customer_key = ?)",
  eraseOutcomes: "DELETE FROM outcomes WHERE customer_key = ?",
  erasePredictions: "DELETE FROM predictions WHERE customer_key = ?",
  removeOutcome: "DELETE FROM outcomes WHERE prediction_id = ?",
};

export class SqliteDatabase {
  readonly #horizonMs: number | null;
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  /** Opens the file, and makes it and its folder as needed. */
  constructor(path: string, horizonMs: number | null) {
    this.#horizonMs = horizonMs;
    makeFolders(dirname(path));
    this.#database = new DatabaseSync(path, { timeout: BUSY_LIMIT_MS });
    try {
      this.#useWriteAheadLog();
      this.#database.exec(`PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES}`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Two processes that do this at once on a new file do not wait for each other, as they do everywhere else. */
  #useWriteAheadLog(): void {
    for (const deadline = performance.now() + BUSY_LIMIT_MS; ; ) {
      try {
        this.#database.exec("PRAGMA journal_mode = WAL");
        return;
      } catch (error) {
        if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || performance.now() > deadline) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_PAUSE_MS);
      }
    }
  }

  migrate(): void {
    this.#transaction(() => {
      this.#database.exec(MIGRATIONS_TABLE);
      const applied = this.#database.prepare(APPLIED_MIGRATIONS).all() as unknown as { version: number }[];
      for (const { version, name, statements } of missingMigrations(applied.map((row) => row.version))) {
        for (const statement of statements) this.#database.exec(statement);
        this.#database.prepare(RECORD_MIGRATION).run({ $1: version, $2: name, $3: Date.now() });
      }
    });
  }

  append(records: readonly LogRecord[]): void {
    this.#transaction(() => {
      for (const record of records) {
        if (record.kind === "prediction") this.#insertPrediction(record);
        else if (record.kind === "outcome") this.#insertOutcome(record);
        else this.#erase(record);
      }
    });
  }

  #insertPrediction(record: PredictionRecord): void {
    const row = predictionRow(record);
    this.#run(
      STATEMENTS.insertPrediction,
      row.prediction_id,
      row.predicted_at,
      row.customer_key,
      row.observed_at,
      row.features,
      row.score,
      row.decision,
      row.model_version,
      row.model_sha256,
    );
  }

  #insertOutcome(record: OutcomeRecord): void {
    const row = outcomeRow(record);
    const values = Object.keys(OUTCOME_COLUMNS).map((name) => row[name as keyof OutcomeRow]);
    this.#run(STATEMENTS.insertOutcome, ...values);
  }

  #erase({ customerKey }: ErasureRecord): void {
    const key = storedText(customerKey);
    this.#run(STATEMENTS.eraseTheirOutcomes, key);
    this.#run(STATEMENTS.eraseOutcomes, key);
    this.#run(STATEMENTS.erasePredictions, key);
  }

  recent(limit: number): RecentPrediction[] {
    const rows = this.#prepare(RECENT).all({ $1: this.#horizonMs, $2: limit }) as unknown as RecentRow[];
    return rows.map(recentPrediction);
  }

  summary(sinceMs: number): StoreSummary {
    const rows = this.#prepare(SUMMARY).all({ $1: this.#horizonMs, $2: sinceMs }) as unknown as SummaryRow[];
    return storeSummary(rows);
  }

  /** Removes some; returns how many, 0 when none is left. */
  removePredictions(timeMs: number): number {
    return this.#transaction(() => {
      const rows = this.#prepare(REMOVE_PREDICTIONS).all({ $1: timeMs }) as unknown as { prediction_id: string }[];
      for (const row of rows) this.#run(STATEMENTS.removeOutcome, row.prediction_id);
      return rows.length;
    });
  }

  /** As above. */
  removeOutcomesByCustomer(timeMs: number): number {
    return this.#prepare(REMOVE_OUTCOMES_BY_CUSTOMER).all({ $1: timeMs }).length;
  }

  /** As above. */
  removeOutcomesOfNothing(timeMs: number): number {
    return this.#prepare(REMOVE_OUTCOMES_OF_NOTHING).all({ $1: timeMs }).length;
  }

  close(): void {
    this.#database.close();
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepare(sql).run(...values);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  /** Takes the right to write at once: one that reads first may find that it cannot write any more. */
  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK"); // some faults, a full disk, have ended it
      throw error;
    }
  }
}
