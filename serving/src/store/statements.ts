/**
 * What both drivers say and read: the statements that are the same in SQLite and PostgreSQL, and their rows.
 * Parameters are `$1`, `$2`: a place to PostgreSQL, a name to SQLite.
 */
import {
  ChurnError,
  MIGRATIONS,
  type Migration,
  type OutcomeRow,
  PREDICTIONS_WITH_OUTCOMES,
  type PredictionRow,
  predictionRecord,
  SCHEMA_VERSION,
} from "@churn/contract";
import type { RecentPrediction, StoreSummary } from "./prediction-store.ts";

export const SCORE_BINS = 20;

/** Column → type, in the table's order. */
export const PREDICTION_COLUMNS = {
  prediction_id: "TEXT",
  predicted_at: "BIGINT",
  customer_key: "TEXT",
  observed_at: "BIGINT",
  features: "TEXT",
  score: "DOUBLE PRECISION",
  decision: "SMALLINT",
  model_version: "TEXT",
  model_sha256: "TEXT",
} satisfies Record<keyof PredictionRow, string>;

export const OUTCOME_COLUMNS = {
  prediction_id: "TEXT",
  customer_key: "TEXT",
  observed_at: "BIGINT",
  outcome: "SMALLINT",
  reported_at: "BIGINT",
  contacted: "SMALLINT",
} satisfies Record<keyof OutcomeRow, string>;

/** What follows an INSERT of predictions: the first of an id stays. */
export const KEEP_PREDICTION = "ON CONFLICT (prediction_id) DO NOTHING";

/** What follows an INSERT of outcomes of either subject: the one reported later holds; of two at once, the later one. */
const REPLACE = `SET ${["observed_at", "outcome", "reported_at", "contacted"].map((name) => `${name} = excluded.${name}`).join(", ")}`;
const IF_LATER = "WHERE excluded.reported_at >= outcomes.reported_at";
export const CORRECT_BY_PREDICTION = `ON CONFLICT (prediction_id) DO UPDATE ${REPLACE} ${IF_LATER}`;
export const CORRECT_BY_CUSTOMER = `ON CONFLICT (customer_key, observed_at) DO UPDATE ${REPLACE} ${IF_LATER}`;

export const APPLIED_MIGRATIONS = "SELECT version FROM migrations";
export const RECORD_MIGRATION = "INSERT INTO migrations (version, name, applied_at) VALUES ($1, $2, $3)";

/** `$1` horizon, `$2` limit. Ids of one millisecond sort by time, too. */
export const RECENT = `SELECT * FROM (${PREDICTIONS_WITH_OUTCOMES}) AS joined
  ORDER BY predicted_at DESC, prediction_id DESC LIMIT $2`;

/** `$1` horizon, `$2` time. One statement, so that all of it is of one moment. */
export const SUMMARY = `SELECT FLOOR(score * ${SCORE_BINS}) AS bin, decision, outcome,
    COUNT(*) AS predictions, MIN(predicted_at) AS first_at, MAX(predicted_at) AS last_at
  FROM (${PREDICTIONS_WITH_OUTCOMES}) AS joined WHERE predicted_at >= $2 GROUP BY 1, 2, 3`;

/** How many rows one transaction of `removeBefore` takes from a table. */
export const REMOVED_AT_ONCE = 2000;

/** `$1` time. Their outcomes are to go with them. */
export const REMOVE_PREDICTIONS = `DELETE FROM predictions WHERE prediction_id IN
  (SELECT prediction_id FROM predictions WHERE predicted_at < $1 ORDER BY predicted_at LIMIT ${REMOVED_AT_ONCE})
  RETURNING prediction_id`;

/** `$1` time. */
export const REMOVE_OUTCOMES_BY_CUSTOMER = `DELETE FROM outcomes WHERE (customer_key, observed_at) IN
  (SELECT customer_key, observed_at FROM outcomes WHERE customer_key IS NOT NULL AND observed_at < $1
    ORDER BY observed_at LIMIT ${REMOVED_AT_ONCE})
  RETURNING observed_at`;

/** `$1` time. Those that name a prediction which is not there: it was removed, or never came. */
export const REMOVE_OUTCOMES_OF_NOTHING = `DELETE FROM outcomes WHERE prediction_id IN
  (SELECT prediction_id FROM outcomes o WHERE prediction_id IS NOT NULL AND reported_at < $1
    AND NOT EXISTS (SELECT 1 FROM predictions p WHERE p.prediction_id = o.prediction_id) LIMIT ${REMOVED_AT_ONCE})
  RETURNING observed_at`;

export type RecentRow = PredictionRow & { readonly outcome: 0 | 1 | null };

/** The predictions of a bin, a decision and an outcome. */
export interface SummaryRow {
  readonly bin: number;
  readonly decision: 0 | 1;
  readonly outcome: 0 | 1 | null;
  readonly predictions: number;
  readonly first_at: number;
  readonly last_at: number;
}

export function recentPrediction(row: RecentRow): RecentPrediction {
  const { kind: _, ...prediction } = predictionRecord(row);
  return { ...prediction, outcome: row.outcome };
}

export function storeSummary(rows: readonly SummaryRow[]): StoreSummary {
  const count = (isMeant: (row: SummaryRow) => boolean): number =>
    rows.reduce((total, row) => total + (isMeant(row) ? row.predictions : 0), 0);
  const confused = (decision: 0 | 1, outcome: 0 | 1): number =>
    count((row) => row.decision === decision && row.outcome === outcome);
  const scores = Array<number>(SCORE_BINS).fill(0);
  for (const { bin, predictions } of rows) scores[Math.min(bin, SCORE_BINS - 1)] += predictions;
  return {
    predictions: count(() => true),
    contacts: count(({ decision }) => decision === 1),
    outcomes: count(({ outcome }) => outcome !== null),
    confusion: {
      truePositives: confused(1, 1),
      falsePositives: confused(1, 0),
      falseNegatives: confused(0, 1),
      trueNegatives: confused(0, 0),
    },
    scores,
    firstAt: rows.length === 0 ? null : Math.min(...rows.map((row) => row.first_at)),
    lastAt: rows.length === 0 ? null : Math.max(...rows.map((row) => row.last_at)),
  };
}

/** @param applied The versions that a store has had. */
export function missingMigrations(applied: readonly number[]): readonly Migration[] {
  const latest = Math.max(0, ...applied);
  if (latest > SCHEMA_VERSION) {
    throw new ChurnError(
      "CHURN_ERR_STORE_VERSION",
      `prediction store: expected schema version ${SCHEMA_VERSION} or earlier, got ${latest}: ` +
        "a later version of this program made it; run that one, or name another store in PREDICTION_STORE_URL",
    );
  }
  return MIGRATIONS.filter(({ version }) => !applied.includes(version));
}

/** The whole of `removeBefore`; each step removes some rows in a transaction of its own and says how many. */
export async function removeInSteps(
  steps: {
    readonly predictions: () => Promise<number>;
    readonly outcomesByCustomer: () => Promise<number>;
    readonly outcomesOfNothing: () => Promise<number>;
  },
  mayGoOn: () => Promise<boolean> = async () => true,
): Promise<number> {
  const total = await untilNone(steps.predictions, mayGoOn);
  await untilNone(steps.outcomesByCustomer, mayGoOn);
  await untilNone(steps.outcomesOfNothing, mayGoOn);
  return total;
}

async function untilNone(step: () => Promise<number>, mayGoOn: () => Promise<boolean>): Promise<number> {
  let total = 0;
  while (await mayGoOn()) {
    const removed = await step();
    if (removed === 0) break;
    total += removed;
  }
  return total;
}
