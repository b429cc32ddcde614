/**
 * The prediction store in PostgreSQL. Loaded only when the URL asks for it. One connection writes and another one reads,
 * so that a long question of the dashboard does not hold up what is to be written.
 */
import {
  horizonMs,
  type LogRecord,
  MIGRATIONS_TABLE,
  type OutcomeRow,
  outcomeRow,
  type PredictionRow,
  predictionRow,
  storedText,
} from "@churn/contract";
import { failed, PostgresSession, type Run } from "./postgres-session.ts";
import type { PredictionStore, RecentPrediction, StoreOptions, StoreSummary } from "./prediction-store.ts";
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
  removeInSteps,
  SUMMARY,
  type SummaryRow,
  storeSummary,
} from "./statements.ts";

/** Rows of one statement. */
const ROWS_AT_ONCE = 1000;
/** Any number that no other program on the database uses. */
const MIGRATION_LOCK = 0x636875726e; // "churn"

/** Rows travel as one JSON text: a parameter for each value would be a thousand times more of them. */
function insert(table: string, columns: Readonly<Record<string, string>>, onConflict: string): string {
  const names = Object.keys(columns);
  const typed = names.map((name) => `${name} ${columns[name]}`);
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM json_to_recordset($1::text::json) AS r(${typed}) ${onConflict}`;
}

const KEYS = "SELECT json_array_elements_text($1::text::json)";

const STATEMENTS = {
  hasMigrations: "SELECT to_regclass('migrations') IS NOT NULL AS answer",
  encoding: "SELECT current_setting('server_encoding') AS answer",
  lockMigrations: `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`,
  insertPredictions: insert("predictions", PREDICTION_COLUMNS, KEEP_PREDICTION),
  insertOutcomesByPrediction: insert("outcomes", OUTCOME_COLUMNS, CORRECT_BY_PREDICTION),
  insertOutcomesByCustomer: insert("outcomes", OUTCOME_COLUMNS, CORRECT_BY_CUSTOMER),
  eraseTheirOutcomes: `DELETE FROM outcomes WHERE prediction_id IN
    (SELECT prediction_id FROM predictions WHERE customer_key IN (${KEYS}))`,
  eraseOutcomes: `DELETE FROM outcomes WHERE customer_key IN (${KEYS})`,
  erasePredictions: `DELETE FROM predictions WHERE customer_key IN (${KEYS})`,
  removeOutcomes: `DELETE FROM outcomes WHERE prediction_id IN (${KEYS})`,
};

export class PostgresStore implements PredictionStore {
  readonly #horizonMs: number | null;
  readonly #writing: PostgresSession;
  readonly #reading: PostgresSession;
  #isClosed = false;

  constructor(url: string, { horizonDays }: StoreOptions = {}) {
    this.#horizonMs = horizonMs(horizonDays);
    this.#writing = new PostgresSession(url);
    this.#reading = new PostgresSession(url);
  }

  migrate(): Promise<void> {
    return this.#write(async (run) => {
      if ((await missing(run)).length === 0) return; // a role that may not make tables gets by without
      await run(STATEMENTS.lockMigrations);
      const [encoding] = await run<{ answer: string }>(STATEMENTS.encoding);
      if (encoding.answer !== "UTF8") {
        throw failed(`expected a database encoded in UTF8, got ${encoding.answer}: create it with ENCODING 'UTF8'`);
      }
      await run(MIGRATIONS_TABLE);
      for (const { version, name, statements } of await missing(run)) {
        for (const statement of statements) await run(statement);
        await run(RECORD_MIGRATION, version, name, Date.now());
      }
    });
  }

  async append(records: readonly LogRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#write(async (run) => {
      for (const group of groups(records)) await appendGroup(run, group);
    });
  }

  async recent(limit: number): Promise<RecentPrediction[]> {
    const rows = await this.#read((run) => run<RecentRow>(RECENT, this.#horizonMs, limit));
    return rows.map(recentPrediction);
  }

  async summary(sinceMs: number): Promise<StoreSummary> {
    return storeSummary(await this.#read((run) => run<SummaryRow>(SUMMARY, this.#horizonMs, sinceMs)));
  }

  removeBefore(timeMs: number, mayGoOn?: () => Promise<boolean>): Promise<number> {
    const remove = (statement: string): Promise<number> =>
      this.#write(async (run) => (await run(statement, timeMs)).length);
    return removeInSteps(
      {
        predictions: () => this.#removePredictions(timeMs),
        outcomesByCustomer: () => remove(REMOVE_OUTCOMES_BY_CUSTOMER),
        outcomesOfNothing: () => remove(REMOVE_OUTCOMES_OF_NOTHING),
      },
      mayGoOn,
    );
  }

  #removePredictions(timeMs: number): Promise<number> {
    return this.#write(async (run) => {
      const rows = await run<{ prediction_id: string }>(REMOVE_PREDICTIONS, timeMs);
      if (rows.length > 0) await run(STATEMENTS.removeOutcomes, JSON.stringify(rows.map((row) => row.prediction_id)));
      return rows.length;
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.#writing.close(), this.#reading.close()]);
  }

  #write<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.#isClosed ? Promise.reject(failed("it is closed")) : this.#writing.transaction(work);
  }

  #read<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.#isClosed ? Promise.reject(failed("it is closed")) : this.#reading.transaction(work);
  }
}

async function missing(run: Run) {
  const [{ answer }] = await run<{ answer: boolean }>(STATEMENTS.hasMigrations);
  const applied = answer ? await run<{ version: number }>(APPLIED_MIGRATIONS) : [];
  return missingMigrations(applied.map(({ version }) => version));
}

/** Between two erasures order does not matter: what is there goes into few statements. */
interface Group {
  readonly erasures: string[];
  readonly predictions: PredictionRow[];
  readonly byPrediction: Map<string, OutcomeRow>;
  readonly byCustomer: Map<string, OutcomeRow>;
}

const newGroup = (): Group => ({ erasures: [], predictions: [], byPrediction: new Map(), byCustomer: new Map() });

/** Each begins with its erasures. */
function groups(records: readonly LogRecord[]): Group[] {
  const all = [newGroup()];
  let isErasing = true;
  for (const record of records) {
    if (record.kind === "erasure" && !isErasing) all.push(newGroup());
    isErasing = record.kind === "erasure";
    const group = all[all.length - 1];
    if (record.kind === "erasure") group.erasures.push(storedText(record.customerKey));
    else if (record.kind === "prediction") group.predictions.push(predictionRow(record));
    else addOutcome(group, outcomeRow(record));
  }
  return all;
}

/** One statement may not touch a row twice. */
function addOutcome({ byPrediction, byCustomer }: Group, row: OutcomeRow): void {
  const [rows, subject] =
    row.prediction_id === null
      ? [byCustomer, `${row.observed_at} ${row.customer_key}`]
      : [byPrediction, row.prediction_id];
  const other = rows.get(subject);
  if (other === undefined || row.reported_at >= other.reported_at) rows.set(subject, row);
}

async function appendGroup(run: Run, { erasures, predictions, byPrediction, byCustomer }: Group): Promise<void> {
  if (erasures.length > 0) {
    const keys = JSON.stringify(erasures);
    await run(STATEMENTS.eraseTheirOutcomes, keys);
    await run(STATEMENTS.eraseOutcomes, keys);
    await run(STATEMENTS.erasePredictions, keys);
  }
  await insertRows(run, STATEMENTS.insertPredictions, predictions);
  await insertRows(run, STATEMENTS.insertOutcomesByPrediction, sorted(byPrediction));
  await insertRows(run, STATEMENTS.insertOutcomesByCustomer, sorted(byCustomer));
}

/** Two writers that take the same rows in the same order wait for, and do not block, each other. */
function sorted(rows: ReadonlyMap<string, OutcomeRow>): OutcomeRow[] {
  return [...rows.keys()].sort().map((subject) => rows.get(subject) as OutcomeRow);
}

async function insertRows(run: Run, statement: string, rows: readonly object[]): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
    await run(statement, JSON.stringify(rows.slice(start, start + ROWS_AT_ONCE)));
  }
}
