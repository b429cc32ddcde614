import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { type DatasetSpecification, type ModelManifest, parseDataset } from "@churn/contract";
import { openCustomers } from "../src/data/reader.ts";
import { findData } from "../src/data/source.ts";
import { describeFlips } from "../src/gate/flips.ts";
import { compareModels } from "../src/gate/measures.ts";
import { powerOfComparison } from "../src/gate/power.ts";
import { customersFactor } from "../src/gate/rule.ts";
import { Random } from "../src/random.ts";
import { Attempts } from "../src/retraining/attempts.ts";
import { noReason, reasonsToRetrain } from "../src/retraining/decision.ts";
import { monthAt } from "../src/retraining/new-data.ts";
import { writeStoredCustomers } from "../src/retraining/stored-data.ts";
import type { JudgedPrediction } from "../src/store/prediction-reader.ts";

const root = mkdtempSync(join(tmpdir(), "churn-retraining-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, "case-"));
});

test("the calendar's months count from January 2026, in UTC", () => {
  for (const [at, month] of [
    ["2026-01-01T00:00:00Z", 0],
    ["2026-12-31T23:59:59Z", 11],
    ["2027-02-01T00:00:00Z", 13],
    ["2020-05-05T00:00:00Z", 0],
    ["2090-01-01T00:00:00Z", 120],
  ] as const) {
    assert.equal(monthAt(new Date(at)), month, at);
  }
});

describe("a reason for a challenger", () => {
  const champion = { lineage: { created: "2026-01-01T00:00:00Z", data: { rows: 1000 } } } as unknown as ModelManifest;
  const settings = { staleAfterDays: 90, enoughLabels: 2, force: false };
  const facts = { now: new Date("2026-02-01T00:00:00Z"), labelledRows: 1999, alarms: [], challenged: undefined };

  test("is none of: no alarm, young, no more labels than there were", () => {
    assert.deepEqual(reasonsToRetrain(champion, facts, settings), []);
    assert.match(noReason(champion, facts, settings), /31 days ago of 90; 1999 customers .* of 2000 that would be/);
  });

  test("is an alarm, age, labels, or somebody's wish", () => {
    const reasons = (changed: Partial<typeof facts>, force = false): string[] =>
      reasonsToRetrain(champion, { ...facts, ...changed }, { ...settings, force });
    assert.deepEqual(reasonsToRetrain(champion, { ...facts, alarms: ["it shifts"] }, settings), ["it shifts"]);
    assert.match(reasons({ now: new Date("2026-04-01T00:00:00Z") })[0], /not been challenged for 90 days: 90 are/);
    assert.match(reasons({ labelledRows: 2000 })[0], /^2000 customers with an outcome, 2 times as many/);
    assert.deepEqual(reasons({}, true), ["--force"]);
  });

  test("is not the age of a champion that has stood a challenge since", () => {
    const now = new Date("2026-04-01T00:00:00Z");
    assert.deepEqual(reasonsToRetrain(champion, { ...facts, now, challenged: "2026-03-01T00:00:00Z" }, settings), []);
  });
});

describe("attempts", () => {
  const attempt = (dataSha256: string, contentSha256 = "champion", challenger = "challenger") => ({
    at: "2026-01-01",
    dataSha256,
    contentSha256,
    challenger,
  });

  test("are counted by their data, whatever the champion, and survive the process", () => {
    assert.equal(new Attempts(folder).count(attempt("a")), 1);
    assert.equal(new Attempts(folder).count(attempt("b")), 1);
    assert.equal(new Attempts(folder).count(attempt("a", "another")), 2);
  });

  test("that were killed before they were decided are made again, and are no new ones", () => {
    assert.equal(new Attempts(folder).count(attempt("a")), 1);
    assert.equal(new Attempts(folder).last("a", "champion"), undefined);
    assert.equal(new Attempts(folder).count(attempt("a")), 1);
    assert.equal(new Attempts(folder).count(attempt("a", "champion", "another challenger")), 2);
    new Attempts(folder).decide(attempt("a", "champion", "another challenger"), "kept");
    assert.equal(new Attempts(folder).last("a", "champion"), "2026-01-01");
    assert.equal(new Attempts(folder).count(attempt("a", "champion", "another challenger")), 3);
  });

  test("that were refused in a row are counted until one is promoted", () => {
    for (const [outcome, refusals] of [
      ["kept", 1],
      ["notEnoughEvidence", 2],
      ["promoted", 0],
      ["kept", 1],
    ] as const) {
      new Attempts(folder).decide(attempt("a"), outcome);
      assert.equal(new Attempts(folder).refusals(), refusals);
    }
    assert.equal(new Attempts(folder).lastDecided("champion"), "2026-01-01");
  });

  test("are read where the last line was cut short", () => {
    writeFileSync(join(folder, "attempts.jsonl"), `${JSON.stringify({ ...attempt("a"), outcome: "kept" })}\n{"at":"20`);
    assert.equal(new Attempts(folder).last("a", "champion"), "2026-01-01");
  });
});

describe("the power of a comparison", () => {
  const economics = { customerValue: 6000, contactCost: 40, offerCost: 700, offerAcceptance: 0.4 };
  const n = 20_000;
  const random = new Random(5);
  const truth = Float64Array.from({ length: n }, () => random.uniform() ** 2);
  const near = (spread: number): Float64Array =>
    truth.map((p) => Math.min(0.99, Math.max(0.01, p + spread * (random.uniform() - 0.5))));
  const [scores, others] = [near(0.2), near(0.2)];
  const champion = { scores, threshold: 0.3 };
  const challenger = { scores: others, threshold: 0.3 };

  for (const [what, known] of [
    ["in money", economics],
    ["by log-loss, without economics", undefined],
  ] as const) {
    test(`foresees the standard deviation that outcomes then show, ${what}`, () => {
      const level = 0.05;
      const { detectable, detectableShare } = powerOfComparison(champion, challenger, { economics: known }, level);
      const middle = scores.map((score, row) => (score + others[row]) / 2);
      const labels = Uint8Array.from(middle, (p) => +(random.uniform() < p));
      const compared = compareModels(champion, challenger, { labels }, known, level);
      const shown = (compared.acceptanceProfit ?? compared.logLossGain).standardDeviation;
      const expected = Math.sqrt(customersFactor(level) / n) * shown;
      assert.ok(Math.abs(detectable / expected - 1) < 0.05, `${detectable}, ${expected}`);
      assert.equal(detectableShare === null, known === undefined);
    });
  }
});

test("whose decision changes is counted, and named by kinds of customers", () => {
  const dataset = parseDataset(
    {
      name: "gym",
      target: { column: "left", positive: "yes" },
      columns: {
        visits: { type: "number" },
        trainer: { type: "boolean" },
        size: { type: "category" },
        left: { type: "text" },
      },
    },
    "test",
  );
  const rows = 1200;
  const visits = Float32Array.from({ length: rows }, (_, row) => (row % 10 === 9 ? Number.NaN : row % 10));
  const trainer = Float32Array.from({ length: rows }, (_, row) => row % 2);
  const size = Float32Array.from({ length: rows }, (_, row) => row % 3);
  const before = { scores: new Float64Array(rows).fill(0.4), threshold: 0.5 };
  const after = { scores: Float64Array.from(size, (code) => (code === 2 ? 0.6 : 0.4)), threshold: 0.5 };
  const features = ["visits", "trainer", "size"].map((name) => ({
    name,
    kind: name === "size" ? "category" : "number",
  }));

  const flips = describeFlips(
    before,
    after,
    { columns: [visits, trainer, size] },
    {
      features: features as never,
      encodings: { size: ["s", "m", "l"] },
      dataset,
    },
  );

  assert.deepEqual([flips.toContact, flips.toLeave], [400, 0]);
  assert.deepEqual(flips.kinds[0], { kind: "size l", customers: 400, toContact: 400, toLeave: 0 });
  const names = flips.kinds.map(({ kind }) => kind);
  assert.ok(names.includes("trainer true") && names.includes("visits missing"));
  assert.ok(names.some((name) => /^visits (below|from)/.test(name)));
  assert.ok(!names.includes("size s"));
});

describe("customers of the store as data", () => {
  const DAY = 86_400_000;
  const now = Date.parse("2026-06-01T00:00:00Z");
  const SCORED = Date.parse("2026-04-01T00:00:00Z"); // the last mature window is that of March 12 to April 9
  const gym = (positive: string | number | boolean): DatasetSpecification => ({
    name: "gym",
    key: "id",
    target: { column: "left", positive, horizonDays: 30 },
    columns: {
      id: { type: "text" },
      visits: { type: "number" },
      trainer: { type: "boolean" },
      size: { type: "category", sensitive: true },
      left: { type: "text" },
    },
  });
  const prediction = (key: string | null, more: Partial<JudgedPrediction> = {}): JudgedPrediction => ({
    period: 0,
    customer_key: key,
    since: SCORED,
    features: JSON.stringify({ visits: 2.5, trainer: true, size: "m" }),
    score: 0.2,
    decision: 0,
    model_sha256: "x",
    churned_at: null,
    stayed: 0,
    contacted: null,
    ...more,
  });

  /** Customers above the threshold whom nobody has contacted. */
  const alone = (count: number): JudgedPrediction[] =>
    Array.from({ length: count }, (_, i) => prediction(`alone ${i}`, { decision: 1, contacted: 0 }));

  test("are refused where nearly all whom the model would contact were contacted", async () => {
    const rows = [prediction("contacted", { decision: 1, contacted: 1 }), ...alone(49)];
    await assert.rejects(
      read(rows, gym("yes")),
      /expected 50 customers above the threshold whom nobody contacted, got 49/,
    );
  });

  async function read(rows: readonly JudgedPrediction[], dataset: DatasetSpecification) {
    const out = join(folder, "store.parquet");
    const reader = {
      async *judged({ from, to }: { readonly from: number; readonly to: number }) {
        yield rows.filter(({ since }) => since >= from && since < to);
      },
    };
    const { notes } = await writeStoredCustomers(reader, dataset, out, { asOf: now, graceDays: 1, days: 28 });
    const customers = await openCustomers(findData(out), dataset, { labelled: "partly" });
    const tables = [];
    for await (const table of customers.tables()) tables.push(table);
    customers.close();
    return { notes, table: tables[0] };
  }

  for (const positive of ["yes", 1, 0, true, false]) {
    test(`have labels as a file of a target that is ${JSON.stringify(positive)} has them`, async () => {
      const { table } = await read(
        [prediction("a"), prediction("b", { churned_at: SCORED + 10 * DAY, stayed: null })],
        gym(positive),
      );
      assert.deepEqual([...(table.labels as Uint8Array)], [0, 1]);
      assert.deepEqual(table.keys, ["a", "b"]);
      assert.deepEqual([...(table.columns.get("visits") as Float64Array)], [2.5, 2.5]);
      assert.deepEqual([...(table.columns.get("trainer") as Float64Array)], [1, 1]);
    });
  }

  test("are the mature ones whom nobody has contacted; what is left out is said", async () => {
    const hash = "0123456789abcdef0123456789abcdef";
    const { table, notes } = await read(
      [
        prediction(hash, { features: JSON.stringify({ visits: 1, trainer: null, size: hash }) }),
        prediction("left", { churned_at: SCORED + 5 * DAY }),
        prediction("young", { since: now - 30.5 * DAY, churned_at: now - 2 * DAY }),
        prediction("contacted", { contacted: 1 }),
        prediction("unknown", { stayed: null }),
        ...alone(50),
      ],
      gym("yes"),
    );
    assert.deepEqual((table.keys ?? []).slice(0, 2), [hash, "left"]);
    assert.equal(table.rows, 52);
    assert.deepEqual(notes, [
      "1 customers who were contacted are left out",
      "of 1 mature predictions nobody has reported what became of them",
      "keys are hashed: a champion that was trained on files may have seen customers who judge it here",
      "columns that the store has hashed are empty: size",
    ]);
  });
});
