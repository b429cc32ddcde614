/**
 * The prediction store's records, its tables and the question that both planes ask it: what became of a prediction.
 *
 * Serving writes `predictions` and `outcomes`; training reads them. Every statement here is valid, and means the
 * same, in SQLite (3.35 or later) and in PostgreSQL (12 or later, encoded in UTF8). Each plane brings its own driver.
 */
import { createHash } from "node:crypto";

/** A customer was scored. Times here and below are epoch milliseconds. */
export interface PredictionRecord {
  readonly kind: "prediction";
  /** A UUID of version 7. */
  readonly predictionId: string;
  readonly predictedAt: number;
  readonly customerKey: string | null;
  /** The request's time column: when the customer looked like this. */
  readonly observedAt: number | null;
  /** Column → value as it was given; null when missing. */
  readonly features: Readonly<Record<string, unknown>>;
  /** The calibrated probability. */
  readonly score: number;
  readonly decision: 0 | 1;
  readonly modelVersion: string;
  readonly modelSha256: string;
}

/** What really happened. Its subject is a prediction or a customer: exactly one of the two is not null. */
export interface OutcomeRecord {
  readonly kind: "outcome";
  readonly predictionId: string | null;
  readonly customerKey: string | null;
  /** When reality was seen. */
  readonly observedAt: number;
  readonly outcome: 0 | 1;
  /** When the service was told: of two outcomes of the same subject the one reported later holds. */
  readonly reportedAt: number;
  /** Whether somebody acted on the prediction, so that the outcome may not be what it would have been; null: nobody says. */
  readonly contacted: 0 | 1 | null;
}

/** A customer asked to be forgotten: all that was logged of this key until here goes. */
export interface ErasureRecord {
  readonly kind: "erasure";
  readonly customerKey: string;
  readonly requestedAt: number;
}

export type LogRecord = PredictionRecord | OutcomeRecord | ErasureRecord;

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/** Keeps which migrations a store has had: `version`, `name`, and when (`applied_at`, epoch ms). */
export const MIGRATIONS_TABLE =
  "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/**
 * What makes an empty store one of today, in order. A migration that has been released is never changed.
 *
 * Text that came from outside is kept as `storedText` writes it.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "predictions and outcomes",
    statements: [
      `CREATE TABLE predictions (
        prediction_id TEXT NOT NULL PRIMARY KEY, -- UUID of version 7
        predicted_at  BIGINT NOT NULL,           -- epoch ms, the service's clock
        customer_key  TEXT,                      -- null: the request named no customer
        observed_at   BIGINT,                    -- epoch ms, the request's time column; null: it gave none
        features      TEXT NOT NULL,             -- JSON object, column to value as given; null where missing
        score         DOUBLE PRECISION NOT NULL, -- calibrated probability, from 0 to 1
        decision      SMALLINT NOT NULL,         -- 1: the score reached the threshold
        model_version TEXT NOT NULL,
        model_sha256  TEXT NOT NULL              -- the model's content hash
      )`,
      "CREATE INDEX predictions_by_time ON predictions (predicted_at)",
      "CREATE INDEX predictions_by_customer ON predictions (customer_key)",
      `CREATE TABLE outcomes (
        prediction_id TEXT UNIQUE,               -- the subject is this prediction, or
        customer_key  TEXT,                      -- this customer
        observed_at   BIGINT NOT NULL,           -- epoch ms, when reality was seen
        outcome       SMALLINT NOT NULL,         -- 1: the customer churned
        reported_at   BIGINT NOT NULL,           -- epoch ms, the service's clock
        UNIQUE (customer_key, observed_at),
        CHECK ((prediction_id IS NULL) <> (customer_key IS NULL))
      )`,
      "CREATE INDEX outcomes_by_time ON outcomes (observed_at)",
      "CREATE INDEX outcomes_by_report ON outcomes (reported_at)",
    ],
  },
  {
    version: 2,
    name: "contacted customers",
    statements: [
      "ALTER TABLE outcomes ADD COLUMN contacted SMALLINT", // 1: somebody acted on the prediction, 0: nobody did; null: unknown
    ],
  },
];

/** The schema that this code reads and writes. */
export const SCHEMA_VERSION = Math.max(...MIGRATIONS.map(({ version }) => version));

const DAY_MS = 86_400_000;

/**
 * Every prediction with its outcome: 1, 0, or null while nobody knows. To be read from, as a table:
 *
 *     SELECT … FROM (${PREDICTIONS_WITH_OUTCOMES}) AS joined WHERE predicted_at >= $2
 *
 * `$1` is the horizon in milliseconds, as `horizonMs` gives it, or null. (SQLite knows `$1` as a parameter of that
 * name.) The outcome is
 *
 *   1. the one that names the prediction; if there is none,
 *   2. of those that name its customer and were seen after the prediction's time (`observed_at`, else `predicted_at`):
 *      1 if one within the horizon is 1; else 0 if one at or after the horizon's end is 0. Without a horizon, any.
 *
 * PostgreSQL looks for it anew wherever a statement says `outcome`, so one that says it once (GROUP BY) is fastest.
 * "Did not churn" counts only once the horizon is over, and "churned" only if it happened within.
 */
export const PREDICTIONS_WITH_OUTCOMES = `
  SELECT p.*, COALESCE(
    own.outcome,
    (SELECT MAX(o.outcome) FROM outcomes o
      WHERE o.customer_key = p.customer_key
        AND o.observed_at > COALESCE(p.observed_at, p.predicted_at)
        AND (CAST($1 AS BIGINT) IS NULL
          OR o.outcome = 1 AND o.observed_at <= COALESCE(p.observed_at, p.predicted_at) + CAST($1 AS BIGINT)
          OR o.outcome = 0 AND o.observed_at >= COALESCE(p.observed_at, p.predicted_at) + CAST($1 AS BIGINT)))
  ) AS outcome
  FROM predictions p LEFT JOIN outcomes own ON own.prediction_id = p.prediction_id`;

/**
 * The last prediction of each customer in a window of time, `$1` ≤ `predicted_at` < `$2` (epoch ms): a customer that is
 * scored every day is one customer. To be read from, as a table. A prediction without a customer's key is a customer.
 */
export const LATEST_PREDICTIONS = `
  SELECT * FROM (
    SELECT p.*, ROW_NUMBER() OVER (
      PARTITION BY COALESCE(customer_key, prediction_id) ORDER BY predicted_at DESC, prediction_id DESC
    ) AS place
    FROM predictions p WHERE predicted_at >= CAST($1 AS BIGINT) AND predicted_at < CAST($2 AS BIGINT)
  ) AS ranked WHERE place = 1`;

const SINCE = "COALESCE(p.observed_at, p.predicted_at)";
const OF_CUSTOMER = `FROM outcomes o WHERE o.customer_key = p.customer_key AND o.observed_at > ${SINCE}`;

/**
 * The first prediction of each customer in each of some periods of time, with what became of it: who leaves is not scored any
 * more, so that the last one is chosen by what is to be told, and too many have left. To be read from, as a table:
 * `$1` is the horizon as above; the periods are `$4` milliseconds each, the first begins at `$2` and the last ends before `$3`.
 * The columns are those of `JudgedPredictionRow`.
 */
export const JUDGED_PREDICTIONS = `
  SELECT p.period, p.customer_key, ${SINCE} AS since, p.features, p.score, p.decision, p.model_sha256,
    COALESCE(
      CASE WHEN own.outcome = 1 THEN own.observed_at END,
      CASE WHEN own.outcome IS NULL THEN (SELECT MIN(o.observed_at) ${OF_CUSTOMER} AND o.outcome = 1
        AND (CAST($1 AS BIGINT) IS NULL OR o.observed_at <= ${SINCE} + CAST($1 AS BIGINT))) END
    ) AS churned_at,
    COALESCE(
      own.outcome,
      (SELECT MAX(o.outcome) ${OF_CUSTOMER} AND o.outcome = 0
        AND (CAST($1 AS BIGINT) IS NULL OR o.observed_at >= ${SINCE} + CAST($1 AS BIGINT)))
    ) AS stayed,
    COALESCE(own.contacted, (SELECT MAX(o.contacted) ${OF_CUSTOMER})) AS contacted
  FROM (
    SELECT q.*, (predicted_at - CAST($2 AS BIGINT)) / CAST($4 AS BIGINT) AS period, ROW_NUMBER() OVER (
      PARTITION BY COALESCE(customer_key, prediction_id), (predicted_at - CAST($2 AS BIGINT)) / CAST($4 AS BIGINT)
      ORDER BY predicted_at, prediction_id
    ) AS place
    FROM predictions q WHERE predicted_at >= CAST($2 AS BIGINT) AND predicted_at < CAST($3 AS BIGINT)
  ) AS p LEFT JOIN outcomes own ON own.prediction_id = p.prediction_id WHERE p.place = 1`;

/** A prediction with what became of it. */
export interface JudgedPredictionRow {
  /** The period's place, from 0. */
  readonly period: number;
  readonly customer_key: string | null;
  /** From when on the outcome counts, epoch ms. */
  readonly since: number;
  readonly features: string;
  readonly score: number;
  readonly decision: 0 | 1;
  readonly model_sha256: string;
  /** When the customer was seen to have left, within the horizon; null: not that anybody knows. */
  readonly churned_at: number | null;
  /** 0: known to have stayed until the horizon's end, where `churned_at` is null. */
  readonly stayed: 0 | 1 | null;
  readonly contacted: 0 | 1 | null;
}

/** @param horizonDays `target.horizonDays` of the dataset specification. */
export function horizonMs(horizonDays: number | undefined): number | null {
  return horizonDays === undefined ? null : Math.round(horizonDays * DAY_MS);
}

/** PostgreSQL indexes no text above 2,704 bytes; a UTF-16 unit takes at most three. */
const MAX_STORED_LENGTH = 512;
const KEPT_LENGTH = 256;

/** A lone surrogate is half of a character: UTF-8 has no bytes for it. */
const NOT_STORABLE = /\\(?=u)|\0|\p{Surrogate}/gu;
const ESCAPED = /\\u([0-9a-f]{4})/g;

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * Text as both databases can hold, index and compare it. Nearly always it is the text itself. A NUL and half a
 * surrogate pair are written as in JSON (`\u0000`, `\ud83d`), and so is a backslash before a `u` (`\u005c`), so that
 * two texts stay two. What is longer than 512 is its first 256 and the SHA-256 of all of it.
 */
export function storedText(text: string): string {
  const escaped = text.replace(NOT_STORABLE, escapeUnit);
  if (escaped.length <= MAX_STORED_LENGTH) return escaped;
  const kept = escaped.slice(0, KEPT_LENGTH).replace(/\p{Surrogate}$/u, "");
  return `${kept}...sha256:${createHash("sha256").update(escaped).digest("hex")}`;
}

/** The way back, for text that was not shortened. */
export function textFromStored(stored: string): string {
  return stored.replace(ESCAPED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** A row of `predictions`, its columns in the table's order. */
export interface PredictionRow {
  readonly prediction_id: string;
  readonly predicted_at: number;
  readonly customer_key: string | null;
  readonly observed_at: number | null;
  readonly features: string;
  readonly score: number;
  readonly decision: 0 | 1;
  readonly model_version: string;
  readonly model_sha256: string;
}

/** A row of `outcomes`, its columns in the table's order. */
export interface OutcomeRow {
  readonly prediction_id: string | null;
  readonly customer_key: string | null;
  readonly observed_at: number;
  readonly outcome: 0 | 1;
  readonly reported_at: number;
  readonly contacted: 0 | 1 | null;
}

export function predictionRow(record: PredictionRecord): PredictionRow {
  return {
    prediction_id: storedText(record.predictionId),
    predicted_at: record.predictedAt,
    customer_key: record.customerKey === null ? null : storedText(record.customerKey),
    observed_at: record.observedAt,
    features: JSON.stringify(record.features), // escapes what is not storable by itself
    score: record.score,
    decision: record.decision,
    model_version: storedText(record.modelVersion),
    model_sha256: storedText(record.modelSha256),
  };
}

/** The way back from a row, in which a driver gives BIGINT as a number. */
export function predictionRecord(row: PredictionRow): PredictionRecord {
  return {
    kind: "prediction",
    predictionId: textFromStored(row.prediction_id),
    predictedAt: row.predicted_at,
    customerKey: row.customer_key === null ? null : textFromStored(row.customer_key),
    observedAt: row.observed_at,
    features: JSON.parse(row.features),
    score: row.score,
    decision: row.decision,
    modelVersion: textFromStored(row.model_version),
    modelSha256: textFromStored(row.model_sha256),
  };
}

export function outcomeRow(record: OutcomeRecord): OutcomeRow {
  return {
    prediction_id: record.predictionId === null ? null : storedText(record.predictionId),
    customer_key: record.customerKey === null ? null : storedText(record.customerKey),
    observed_at: record.observedAt,
    outcome: record.outcome,
    reported_at: record.reportedAt,
    contacted: record.contacted ?? null, // a record that a spool has kept since before there was this
  };
}
