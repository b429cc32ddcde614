/** Retraining from what the service has scored and what became of it, in SQLite and in PostgreSQL. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { customerRequests } from "../bench/customer-requests.ts";
import { MIGRATIONS, MIGRATIONS_TABLE } from "../contract/src/index.ts";
import { ROOT } from "../serving/test/service-process.ts";
import { storeWithOutcomes } from "./outcome-store.ts";
import { isPostgresMissing, type PostgresServer, postgresSkip, startPostgres } from "./postgres-server.ts";
import { RetrainingFolder } from "./retraining-folder.ts";

const ROWS = 3000;
const SMALL = ["--source", "store", "--every", "7d", "--n-estimators", "40"];

const folder = new RetrainingFolder();
let requests: readonly string[];
let server: PostgresServer | undefined;
before(async () => {
  cpSync(`${ROOT}models/best_model`, folder.in("models", "best_model"), { recursive: true });
  requests = customerRequests(folder.path, ROWS);
  if (!isPostgresMissing) server = await startPostgres();
});
after(async () => {
  await server?.remove();
  folder.remove();
});

/** So many fit into one argument of psql. */
const ROWS_AT_ONCE = 100;

/** The same rows in PostgreSQL. */
function copyToPostgres(file: string, { query }: PostgresServer, url: string): void {
  const migrations = MIGRATIONS.flatMap(({ version, name, statements }) => [
    ...statements,
    `INSERT INTO migrations VALUES (${version}, '${name}', 0)`,
  ]);
  query(url, `${[MIGRATIONS_TABLE, ...migrations].join(";\n")};`);
  const from = new DatabaseSync(file, { readOnly: true });
  for (const table of ["predictions", "outcomes"]) {
    const rows = from.prepare(`SELECT * FROM ${table}`).all();
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      const json = JSON.stringify(rows.slice(start, start + ROWS_AT_ONCE)).replaceAll("'", "''");
      query(url, `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, '${json}')`);
    }
  }
  from.close();
}

describe("customers who leave as the champion says", () => {
  test("are no reason for a challenger", () => {
    const url = storeWithOutcomes(folder.in("quiet.db"), requests, 1);
    const { code, result, stderr } = folder.retrain(...SMALL, "--store", url);
    assert.equal(code, 0, stderr);
    assert.deepEqual([result.outcome, result.drift?.verdict, result.data.source], ["skipped", "ok", "store"]);
    assert.match(result.reason, /; \d{3,4} customers with an outcome of 400000 that would be a reason by themselves$/);
  });
});

describe("more of them leave than the champion says: a challenger from mature outcomes takes its place", () => {
  let dataSha256: string | null;
  test("from SQLite", () => {
    const url = storeWithOutcomes(folder.in("loud.db"), requests, 1.8);
    const { code, result, stderr } = folder.retrain(...SMALL, "--store", url);
    assert.equal(code, 0, stderr);
    assert.equal(result.outcome, "promoted", JSON.stringify(result.reason));
    assert.match(result.why.join("\n"), /departures for each that was expected is 1\.[5-9]/);
    // 28 of 84 days, of four times so many customers; a fifth judges
    const expected = 0.2 * ((4 * ROWS * 28) / 84);
    assert.ok(Math.abs((result.evidence?.customers ?? 0) / expected - 1) < 0.25);
    dataSha256 = result.data.sha256;
  });

  test("and the same from PostgreSQL", { skip: postgresSkip }, () => {
    cpSync(`${ROOT}models/best_model`, folder.in("models", "best_model"), { recursive: true });
    const url = (server as PostgresServer).createDatabase("retrain");
    copyToPostgres(folder.in("loud.db"), server as PostgresServer, url);
    const { code, result, stderr } = folder.retrain(...SMALL, "--store", url, "--state", "data/other");
    assert.equal(code, 0, stderr);
    assert.equal(result.outcome, "promoted");
    assert.equal(result.data.sha256, dataSha256);
    assert.doesNotMatch(JSON.stringify(result), /password|postgres:\/\/[^/]*@/);
  });
});

test("a store in which nobody's outcome is known yet says so", () => {
  const path = folder.in("young.db");
  const url = storeWithOutcomes(path, requests.slice(0, 100), 1);
  const database = new DatabaseSync(path);
  database.exec("DELETE FROM outcomes");
  database.close();
  const { code, result, stderr } = folder.retrain(...SMALL, "--store", url);
  assert.equal(code, 4, stderr);
  assert.equal(result.outcome, "notEnoughEvidence");
  assert.match(result.reason, /: expected predictions of [-\d]{10} to [-\d]{10} whose outcome is known, got none$/);
});
