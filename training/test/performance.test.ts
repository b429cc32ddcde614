import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { JUDGED_PREDICTIONS, type JudgedPredictionRow, MIGRATIONS, readModelDirectory } from "@churn/contract";
import { decodeReference } from "../src/drift/reference.ts";
import { checkPerformance } from "../src/performance/check.ts";
import { type DepartureCurves, departureCurves } from "../src/performance/departure-curves.ts";
import { testEarly } from "../src/performance/early.ts";
import { judgeTests } from "../src/performance/finding.ts";
import { controlWeights, type JudgedWindow, UNKNOWN } from "../src/performance/judged-window.ts";
import { labelledScores, testOutcomes } from "../src/performance/mature.ts";
import { calibratedScores } from "../src/performance/score-calibration.ts";
import { Random } from "../src/random.ts";
import { weightedAuc } from "../src/statistics/auc.ts";
import type { JudgedPrediction, JudgedReader } from "../src/store/prediction-reader.ts";

const HORIZON = 30;
const CALIBRATION = calibratedScores({ slope: 1, intercept: 0, covariance: [1e-4, 0, 1e-4] });

/** Customers who leave `factor` times as often as their scores say, at any day of the horizon. */
function customers(rows: number, age: (row: number) => number, factor: number, seed: number): JudgedWindow {
  const random = new Random(seed);
  const scores = Float64Array.from({ length: rows }, () => 0.02 + 0.5 * random.uniform() ** 2);
  const ages = Float64Array.from({ length: rows }, (_, row) => age(row));
  const leaves = scores.map((score) => (random.uniform() < factor * score ? HORIZON * random.uniform() : Infinity));
  const departures = leaves.map((day, row) => (day <= ages[row] ? day : Infinity));
  return {
    rows,
    scores,
    decisions: Uint8Array.from(scores, (score) => +(score > 0.2)),
    labels: Uint8Array.from(departures, (day, row) => (day < Infinity ? 1 : ages[row] >= HORIZON ? 0 : UNKNOWN)),
    ages,
    departures,
    contacted: new Uint8Array(rows).fill(UNKNOWN),
  };
}

const ones = (rows: number): Float64Array => new Float64Array(rows).fill(1);

describe("the AUC of weighted rows", () => {
  test("and its error are DeLong's, by his own sums over all pairs", () => {
    const random = new Random(5);
    const scores = Float64Array.from({ length: 80 }, () => random.integer(15)); // many ties
    const labels = Uint8Array.from(scores, (score) => +(random.uniform() < score / 20));
    const rows = [...scores.keys()];
    const [churners, stayers] = [1, 0].map((label) => rows.filter((row) => labels[row] === label));
    const wins = (a: number, b: number): number => (scores[a] > scores[b] ? 1 : scores[a] === scores[b] ? 0.5 : 0);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const v10 = churners.map((a) => mean(stayers.map((b) => wins(a, b))));
    const v01 = stayers.map((b) => mean(churners.map((a) => wins(a, b))));
    const variance = (values: readonly number[]): number => {
      const center = mean(values);
      return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
    };

    const auc = weightedAuc(scores, labels, ones(80));

    assert.ok(auc);
    assert.ok(Math.abs(auc.value - mean(v10)) < 1e-12);
    const error = Math.sqrt(variance(v10) / churners.length + variance(v01) / stayers.length);
    assert.ok(Math.abs(auc.standardError - error) < 1e-12);
  });

  test("is that of rows repeated as often as they weigh; none without two of each kind", () => {
    const [scores, labels] = [Float64Array.of(1, 2, 3, 4), Uint8Array.of(0, 1, 0, 1)];
    const repeated = weightedAuc(Float64Array.of(1, 2, 2, 2, 3, 4), Uint8Array.of(0, 1, 1, 1, 0, 1), ones(6));
    assert.equal(weightedAuc(scores, labels, Float64Array.of(1, 3, 1, 1))?.value, repeated?.value);
    assert.equal(weightedAuc(scores, Uint8Array.of(0, 1, 0, 0), ones(4)), undefined);
  });
});

describe("departures so far", () => {
  const learn = (seed: number): DepartureCurves => {
    const curves = departureCurves(
      customers(8000, () => HORIZON + 1, 1, seed),
      () => true,
    );
    assert.ok(curves);
    return curves;
  };
  const curves = learn(1);
  const young = (factor: number, seed: number, by = curves) => {
    const window = customers(6000, (row) => row % 14, factor, seed);
    return testEarly(window, ones(window.rows), by, CALIBRATION, 0.1);
  };

  test("are what scores promise while nothing has changed: the test finds no more than it says", () => {
    const found = Array.from({ length: 200 }, (_, seed) => young(1, 100 + seed, learn(1000 + seed))?.test.pValue ?? 0);
    const share = found.filter((p) => p < 0.05).length / found.length;
    assert.ok(share < 0.1, String(share)); // 0.1 is 3 standard errors above 0.05
  });

  test("tell in half of the horizon that a third more leave", () => {
    const tested = young(1.33, 7);
    assert.ok(tested && tested.observed > 1.1 * tested.expected);
    assert.equal(judgeTests([tested.test], 0.001)[0].tier, "alarm");
  });

  test("are not asked for before enough should have left, nor without churners to learn from", () => {
    const window = customers(200, () => 1, 1, 3);
    assert.equal(testEarly(window, ones(200), curves, CALIBRATION, 0.1), undefined);
    assert.equal(
      departureCurves(
        customers(100, () => HORIZON, 1, 4),
        () => true,
      ),
      undefined,
    );
  });
});

describe("mature outcomes", () => {
  const settings = {
    reference: { roc_auc: { value: 0.75, low: 0.74, high: 0.76 }, log_loss: { value: 0.37, low: 0.36, high: 0.38 } },
    economics: undefined,
    calibration: CALIBRATION,
    floors: { rocAuc: 0.02, logLoss: 0.01, profit: 0.02, observedExpected: 0.1 },
  };

  test("alarm when people leave otherwise than the scores say, with what is worse and by how much", () => {
    const window = customers(8000, () => HORIZON + 1, 1.4, 9);
    const findings = judgeTests(testOutcomes(labelledScores(window, ones(8000)), settings), 0.01);
    const observed = findings.find(({ metric }) => metric === "observed_expected");
    assert.equal(observed?.tier, "alarm");
    assert.ok(observed && observed.low > 1.3 && observed.high < 1.5, JSON.stringify(observed));
  });

  test("of unknown customers do not count", () => {
    const window = customers(500, (row) => (row < 250 ? HORIZON : 3), 1, 2);
    assert.ok(labelledScores(window, ones(500), (row) => window.ages[row] >= HORIZON).labels.length === 250);
  });

  test("of customers who were left alone stand for all of the same decision", () => {
    const window = customers(4000, () => HORIZON + 1, 1, 11);
    const contacted = Uint8Array.from(window.decisions, (decision, row) => (decision === 1 ? +(row % 10 !== 0) : 0));
    const { weights, basis, controls } = controlWeights({ ...window, contacted });
    assert.equal(basis, "control");
    const above = window.decisions.reduce((sum, decision) => sum + decision, 0);
    const total = weights.reduce((sum, weight, row) => sum + window.decisions[row] * weight, 0);
    assert.ok(Math.abs(total - above) < 1e-6 && controls < above);
    const all = { ...window, contacted: window.decisions.slice() };
    assert.equal(controlWeights(all).basis, "tooFew");
    assert.equal(controlWeights(window).basis, "untouched");
  });
});

describe("the check of a store's outcomes", () => {
  const DAY = 86_400_000;
  const [PER_DAY, DAYS, GRACE] = [1000, 80, 1];
  const directory = fileURLToPath(new URL("../../models/best_model", import.meta.url));
  const files = readModelDirectory(directory);
  const { slices: _, ...dataset } = files.manifest.dataset; // predictions here have no customers to group
  const manifest = { ...files.manifest, dataset };
  const reference = decodeReference(files.reference as Uint8Array, manifest, directory);
  const { sample } = reference;
  const start = Date.UTC(2026, 0, 1);
  const end = start + DAYS * DAY;

  /** A service of customers as the training held out, unless somebody contacts them, which keeps half of those who would have left. */
  function service(contact: (random: Random) => boolean): JudgedReader {
    const random = new Random(21);
    const all = Array.from({ length: DAYS * PER_DAY }, (_, i): JudgedPrediction => {
      const since = start + (i / PER_DAY) * DAY;
      const customer = random.integer(sample.scores.length);
      const score = sample.scores[customer];
      const decision = score >= manifest.threshold.value ? 1 : 0;
      const isContacted = decision === 1 && contact(random);
      const leaves = sample.labels[customer] === 1 && !(isContacted && random.uniform() < 0.5);
      const churnedAt = leaves ? since + random.uniform() * HORIZON * DAY : null;
      const isSeen = churnedAt !== null && churnedAt <= end;
      const stayed = churnedAt === null && since + HORIZON * DAY <= end ? 0 : null;
      return {
        period: 0,
        customer_key: null,
        since,
        features: null,
        score,
        decision,
        model_sha256: manifest.contentSha256,
        churned_at: isSeen ? churnedAt : null,
        stayed,
        contacted: isSeen || stayed !== null ? (isContacted ? 1 : 0) : null,
      };
    });
    return {
      async *judged({ from, to, periodMs }) {
        yield all
          .filter(({ since }) => from <= since && since < to)
          .map((one) => ({ ...one, period: Math.floor((one.since - from) / periodMs) }));
      },
    };
  }

  const check = (reader: JudgedReader) =>
    checkPerformance(reader, manifest, reference, {
      falseAlarmsPerYear: 1,
      everyDays: 1,
      graceDays: GRACE,
      now: new Date(end),
    });

  test("finds nothing while all is as the model says; young predictions are looked at a third and half of the horizon back", async () => {
    const { reasons, early, mature } = await check(service(() => false));
    assert.deepEqual(reasons, []);
    assert.deepEqual(
      early.map(({ days, rows, finding }) => [days, rows, finding !== null]),
      [
        [10, 10 * PER_DAY, true],
        [15, 15 * PER_DAY, true],
      ],
    );
    assert.ok(mature.every(({ basis, findings }) => basis === "untouched" && findings.length > 0));
  });

  test("takes no customer who was contacted for one who stayed by himself", async () => {
    const { reasons, early, mature, notes } = await check(service((random) => random.uniform() < 0.9));
    assert.deepEqual(reasons, []);
    assert.ok([...early, ...mature].every(({ basis }) => basis !== "untouched"));
    assert.ok(early.every(({ finding }) => finding !== null));
    assert.ok(notes.some((note) => note.includes("those above the threshold who were not stand for them")));
  });
});

describe("predictions with what became of them, by week", () => {
  const DAY = 86_400_000;
  const database = new DatabaseSync(":memory:");
  for (const { statements } of MIGRATIONS) for (const statement of statements) database.exec(statement);
  const predict = (id: string, day: number, key: string | null): void => {
    database
      .prepare("INSERT INTO predictions VALUES (?, ?, ?, NULL, '{}', 0.5, 1, 'v', 'sha')")
      .run(id, day * DAY, key);
  };
  const report = (id: string | null, key: string | null, day: number, outcome: number, contacted: number | null) => {
    database
      .prepare("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?)")
      .run(id, key, day * DAY, outcome, day * DAY, contacted);
  };
  const judged = (): JudgedPredictionRow[] =>
    database
      .prepare(`SELECT * FROM (${JUDGED_PREDICTIONS}) AS judged ORDER BY since`)
      .all({ $1: 30 * DAY, $2: 0, $3: 28 * DAY, $4: 7 * DAY }) as unknown as JudgedPredictionRow[];

  test("the first of each customer in each, with when he left, whether he stayed, whether he was contacted", () => {
    predict("a1", 1, "a");
    predict("a2", 2, "a"); // the later of the same week: who has left by then is not scored
    predict("a3", 8, "a");
    predict("b", 9, "b");
    predict("c", 10, null);
    predict("d", 11, "d");
    predict("late", 29, "e");
    report(null, "a", 20, 1, 1);
    report(null, "b", 45, 0, null);
    report("c", null, 12, 1, 0);
    report(null, "d", 20, 0, null); // before the horizon's end it says nothing
    const rows = judged().map(({ period, since, churned_at, stayed, contacted }) => [
      period,
      since / DAY,
      churned_at === null ? null : churned_at / DAY,
      stayed,
      contacted,
    ]);
    assert.deepEqual(rows, [
      [0, 1, 20, null, 1],
      [1, 8, 20, null, 1],
      [1, 9, null, 0, null],
      [1, 10, 12, 1, 0],
      [1, 11, null, null, null],
    ]);
  });
});
