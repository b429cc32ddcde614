import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import {
  horizonMs,
  MIGRATIONS,
  MIGRATIONS_TABLE,
  type OutcomeRecord,
  outcomeRow,
  PREDICTIONS_WITH_OUTCOMES,
  type PredictionRecord,
  predictionRecord,
  predictionRow,
  SCHEMA_VERSION,
  storedText,
  textFromStored,
} from "../src/index.ts";

/** Any sequence of UTF-16 units, often of those that matter. */
const anyText = fc
  .array(fc.oneof(fc.constantFrom("\\", "u", "0", "\0", "\ud83d", "\ude00"), fc.string({ unit: "binary" })))
  .map((parts) => parts.join(""));

const PREDICTION: PredictionRecord = {
  kind: "prediction",
  predictionId: "01970000-0000-7000-8000-000000000001",
  predictedAt: 1,
  customerKey: "member\0",
  observedAt: null,
  features: { plan: "\ud800", coach: null, visits_per_week: 0.1 },
  score: 0.25,
  decision: 0,
  modelVersion: "v",
  modelSha256: "s",
};

function emptyStore(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec(MIGRATIONS_TABLE);
  for (const { statements } of MIGRATIONS) for (const statement of statements) database.exec(statement);
  return database;
}

const columns = (database: DatabaseSync, table: string): unknown[] =>
  database
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map(({ name }) => name);

test("stored text holds neither NUL nor half a character, and is read back as it was", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const stored = storedText(text);

      assert(stored.isWellFormed() && !stored.includes("\0"));
      if (!stored.includes("...sha256:")) assert.equal(textFromStored(stored), text);
    }),
  );
});

test("ordinary text is stored as it is", () => {
  for (const text of ["", "member-1", "O'Brien", "C:\\temp", "😀", "a\nb"]) assert.equal(storedText(text), text);
});

test("what cannot be stored is written as in JSON", () => {
  assert.equal(storedText("a\0b"), "a\\u0000b");
  assert.equal(storedText("\ud83d!"), "\\ud83d!");
  assert.equal(storedText("\\u0000"), "\\u005cu0000");
});

test("long text is its beginning and its hash, short enough for an index of PostgreSQL's", () => {
  for (const unit of ["x", "é", "漢", "😀", "\0"]) {
    const stored = storedText(unit.repeat(5000));

    assert.match(stored, /\.\.\.sha256:[0-9a-f]{64}$/);
    assert(stored.isWellFormed());
    assert(Buffer.byteLength(stored) < 2704, `${unit}: ${Buffer.byteLength(stored)} bytes`);
    assert.notEqual(stored, storedText(`${unit.repeat(5000)}.`));
  }
  assert(Buffer.byteLength(storedText("漢".repeat(512))) < 2704);
});

test("a prediction is read back from its row as it was", () => {
  const row = predictionRow(PREDICTION);

  assert.equal(row.features, '{"plan":"\\ud800","coach":null,"visits_per_week":0.1}');
  assert.deepEqual(predictionRecord(row), PREDICTION);
});

test("rows have the columns of their tables, in order", () => {
  const database = emptyStore();
  const outcome: OutcomeRecord = {
    kind: "outcome",
    predictionId: null,
    customerKey: "member",
    observedAt: 1,
    outcome: 1,
    reportedAt: 2,
    contacted: 0,
  };

  assert.deepEqual(Object.keys(predictionRow(PREDICTION)), columns(database, "predictions"));
  assert.deepEqual(Object.keys(outcomeRow(outcome)), columns(database, "outcomes"));
  database.close();
});

test("migrations are numbered from 1 without a gap", () => {
  assert.deepEqual(
    MIGRATIONS.map(({ version }) => version),
    Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1),
  );
});

test("predictions with outcomes are read by indexes", () => {
  const database = emptyStore();

  const plan = database
    .prepare(`EXPLAIN QUERY PLAN SELECT * FROM (${PREDICTIONS_WITH_OUTCOMES}) AS joined WHERE predicted_at >= $2`)
    .all({ $1: horizonMs(30), $2: 0 })
    .map(({ detail }) => detail);

  assert(
    plan.every((step) => !String(step).startsWith("SCAN")),
    plan.join("\n"),
  );
  database.close();
});

test("a horizon is days in milliseconds, or none", () => {
  assert.equal(horizonMs(30), 2_592_000_000);
  assert.equal(horizonMs(undefined), null);
});
