/**
 * What the service has scored, checked for drift from its store, in SQLite and in PostgreSQL: the same verdict as from the file
 * of the same customers.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { churn } from "../bench/command.ts";
import { customerRequests } from "../bench/customer-requests.ts";
import { killServices, ROOT, startService } from "../serving/test/service-process.ts";
import { DAY_MS } from "../training/src/drift/windows.ts";
import type { DriftResult } from "../training/src/drift-result.ts";
import { storeWithOutcomes } from "./outcome-store.ts";
import { isPostgresMissing, type PostgresServer, postgresSkip, startPostgres } from "./postgres-server.ts";

const ROWS = 3000;
const MODEL = `${ROOT}models/best_model`;

const folder = mkdtempSync(join(tmpdir(), "churn-drift-"));
let server: PostgresServer | undefined;
let requests: readonly string[];
before(async () => {
  requests = customerRequests(folder, ROWS);
  if (!isPostgresMissing) server = await startPostgres();
});
after(async () => {
  killServices();
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Checked {
  readonly code: number | null;
  readonly stderr: string;
  readonly result: DriftResult;
}

function drift(...args: readonly string[]): Checked {
  const report = join(folder, "drift.html");
  const options = ["--model", MODEL, "--report", report, "--json", "--exit-code", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}training/src/main.ts`, "drift", ...options], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, LOG_LEVEL: "silent" },
  });
  return { code: status, stderr, result: stdout === "" ? undefined : JSON.parse(stdout) };
}

/** Lets a service with this store score the customers, twice. */
async function serve(url: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const service = startService({
    PREDICTION_STORE_URL: url,
    SPOOL_DIR: join(folder, "spool"),
    MODEL_DIR: MODEL,
    ...environment,
  });
  const address = await service.url;
  for (let round = 0; round < 2; round++) {
    const body = `${requests.join("\n")}\n`;
    const headers = { "content-type": "application/x-ndjson" };
    const response = await fetch(`${address}/predict/batch`, { method: "POST", headers, body });
    assert.equal(response.status, 200);
    assert.equal((await response.text()).trimEnd().split("\n").length, ROWS);
  }
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);
}

/** What follows from the customers alone, whatever they came from. */
const facts = ({ verdict, rows, faults, columns, scores }: DriftResult) => ({
  verdict,
  rows,
  faults,
  columns: columns.map(({ column, tests, harm }) => ({ column, tests, harm })),
  scores: [scores.test?.statistic, scores.current.decisions],
});

const STORES: Readonly<Record<string, { readonly skip: string | false; readonly url: () => string }>> = {
  SQLite: { skip: false, url: () => `sqlite:${join(folder, "predictions.db")}` },
  PostgreSQL: { skip: postgresSkip, url: () => (server as PostgresServer).createDatabase("drift") },
};

for (const [name, { skip, url }] of Object.entries(STORES)) {
  describe(`a store in ${name}`, { skip }, () => {
    let store: string;
    before(async () => {
      store = url();
      await serve(store);
    });

    test("gives the verdict that the file of the same customers gives; who was scored twice counts once", () => {
      const fromFile = drift("--current", join(folder, "customers.csv"));
      const fromStore = drift("--current", store, "--since", "7d");

      assert.equal(fromStore.code, 0, fromStore.stderr);
      assert.deepEqual(facts(fromStore.result), facts(fromFile.result));
      assert.doesNotMatch(JSON.stringify(fromStore.result), /not-a-secret/);
    });

    test("has nobody yet in the last whole days, and says which these are", () => {
      const { code, stderr } = drift("--current", store);
      assert.equal(code, 2);
      assert.match(
        stderr,
        /: expected customers scored from [-\dT:]{16} to [-\dT:]{16} \(--since 1d: .*\), got none\n$/,
      );
    });
  });
}

test("columns whose values the service has hashed are named, and are not what drift is found in", async () => {
  const store = `sqlite:${join(folder, "hashed.db")}`;
  await serve(store, { STORE_HASH_SECRET: "a secret of this test, long enough" });

  const { result } = drift("--current", store, "--since", "1d");

  assert.equal(result.verdict, "ok");
  assert.ok(result.hiddenColumns.length > 0);
  assert.ok(result.columns.every(({ column }) => !result.hiddenColumns.includes(column)));
});

test("customers who leave as the model says are no alarm; more of them are, by mature outcomes and by young ones", () => {
  const quiet = drift("--current", storeWithOutcomes(join(folder, "quiet.db"), requests, 1), "--every", "7d");
  assert.equal(quiet.result.verdict, "ok", JSON.stringify(quiet.result.reasons));
  assert.deepEqual(
    quiet.result.windows.map(({ days, verdict }) => [days, verdict]),
    [
      [7, "ok"],
      [28, "ok"],
    ],
  );
  assert.ok((quiet.result.performance?.slices.length ?? 0) > 0);
  assert.ok((quiet.result.estimate?.metrics.roc_auc?.low ?? 1) < 0.85);

  const loud = storeWithOutcomes(join(folder, "loud.db"), requests, 1.6);
  const { code, result } = drift("--current", loud, "--every", "7d", "--summary", join(folder, "summary.md"));
  assert.equal(code, 3);
  assert.match(result.reasons.join("\n"), /departures for each that was expected is 1\.[4-8]/);
  assert.match(result.reasons.join("\n"), /\d+ customers have left so far, \d+ should have/);
  assert.match(readFileSync(join(folder, "drift.html"), "utf8"), /Left, for each expected/);
  const summary = readFileSync(join(folder, "summary.md"), "utf8");
  assert.match(summary, /^## Drift check of sqlite:.*loud\.db\n\ndrift: .*\n\n(- .*\n)+\n\| days /);

  const run = result.run?.location as string;
  assert.equal(readFileSync(join(run, "artifacts/summary.md"), "utf8"), summary);
  const weeks = readFileSync(join(run, "metrics/weekly/roc_auc"), "utf8").trimEnd().split("\n");
  assert.ok(weeks.length >= 7, weeks.join());
  for (const [time, auc, week] of weeks.map((point) => point.split(" ").map(Number))) {
    assert.equal(week, Math.round(time / (7 * DAY_MS)));
    assert.ok(auc > 0.8 && auc < 1);
  }
});

for (const [what, summary, says] of [
  ["the report's own place", "drift.html", /the file would be in the way of .*drift\.html: name another one/],
  ["the customers' file", "customers.csv", /the file would be in the way of .*customers\.csv: name another one/],
  ["a folder", ".", /cannot be written/],
] as const) {
  test(`a summary in ${what} is refused, and nothing is written`, () => {
    const customers = join(folder, "customers.csv");
    const before = readFileSync(customers, "utf8");
    const { code, stderr } = drift("--current", customers, "--summary", join(folder, summary));
    assert.match(stderr, says);
    assert.ok(code === 1 || code === 2, String(code));
    assert.equal(readFileSync(customers, "utf8"), before);
  });
}

for (const [what, args, says] of [
  [
    "a store that is not there",
    ["--current", "sqlite:nowhere.db", "--since", "7d"],
    /--current: .*nowhere\.db: no such file: expected the/,
  ],
  [
    "a store that does not answer",
    ["--current", "postgres://127.0.0.1:1/churn", "--since", "7d"],
    /prediction store: .*ECONNREFUSED/,
  ],
  [
    "a URL of nothing",
    ["--current", "postgres://", "--since", "7d"],
    /--current: expected sqlite:path\/of\/a\/file or postgres:/,
  ],
  [
    "a file that is no store",
    ["--current", "sqlite:customers.csv", "--since", "7d"],
    /prediction store: file is not a database/,
  ],
  [
    "a time of a file",
    ["--current", "customers.csv", "--since", "7d"],
    /--since: expected a prediction store to look back in, got a file/,
  ],
] as const) {
  test(`${what} is one message`, () => {
    const { code, stderr } = drift(...args);
    assert.match(stderr, says);
    assert.match(stderr, /^churn: [^\n]+\n$/);
    assert.ok(code === 1 || code === 2, String(code));
  });
}

test("months of other worlds get other verdicts", () => {
  const check = (scenario: string): string => {
    const file = join(folder, `${scenario}.parquet`);
    churn(folder, "generate", "--rows", "5000", "--seed", "77", "--month", "1", "--scenario", scenario, "--out", file);
    return drift("--current", file).result.verdict;
  };
  const verdicts = ["stable", "price-increase", "service-outage", "unit-bug", "competitor-offer"].map(check);
  assert.deepEqual(verdicts, ["ok", "drift", "drift", "dataQuality", "ok"]);
});
