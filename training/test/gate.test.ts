import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDataset } from "@churn/contract";
import { AcceptanceProfit } from "../src/gate/acceptance-profit.ts";
import { compareModels } from "../src/gate/measures.ts";
import { normalQuantile, pairedDifference } from "../src/gate/paired-difference.ts";
import { attemptLevel, decide, type GateMeasures } from "../src/gate/rule.ts";
import { calibrationVeto, DEFAULT_LIMITS, limitVetoes, schemaVetoes, sliceVetoes } from "../src/gate/vetoes.ts";
import { Random } from "../src/random.ts";

const ECONOMICS = { customerValue: 6000, contactCost: 40, offerCost: 700, offerAcceptance: 0.4 };

describe("the profit under uncertain acceptance", () => {
  const profit = new AcceptanceProfit(ECONOMICS);
  const expected = (score: number, truth: number): number =>
    truth * profit.of(score, 1) + (1 - truth) * profit.of(score, 0);

  test("is that of decisions that know γ, averaged over draws of γ", () => {
    const random = new Random(4);
    // Beta(8, 12): the 8th smallest of 19 uniform values
    const draws = Array.from(
      { length: 40_000 },
      () => Array.from({ length: 19 }, () => random.uniform()).sort((a, b) => a - b)[7],
    );
    for (const score of [0.05, 0.13, 0.3, 0.7]) {
      for (const label of [0, 1]) {
        const values = draws.map((gamma) => {
          const isContacted = score * (gamma * 5300 + 700) > 740;
          return isContacted ? (label === 1 ? gamma * 5300 - 40 : -740) : 0;
        });
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        assert.ok(
          Math.abs(profit.of(score, label) - mean) < 12,
          `${score}, ${label}: ${mean}, got ${profit.of(score, label)}`,
        );
      }
    }
  });

  test("is greatest for the true probability, and 0 for who is never contacted", () => {
    for (const truth of [0.05, 0.15, 0.22, 0.4, 0.8]) {
      for (let score = 0; score <= 1; score += 0.01) assert.ok(expected(score, truth) <= expected(truth, truth) + 0.05);
    }
    assert.equal(profit.of(0, 1), 0);
    assert.equal(profit.of(0, 0), 0);
    assert.ok(Math.abs(profit.of(1, 1) - (0.4 * 5300 - 40)) < 1e-6);
  });
});

describe("paired differences", () => {
  test("have the bounds of the normal law", () => {
    assert.ok(Math.abs(normalQuantile(0.05) - 1.6448536269514722) < 1e-12);
    const { n, differing, mean, standardDeviation, lower, upper } = pairedDifference(
      Float64Array.of(1, 0, 3, 0, -1, 3),
      0.05,
    );
    assert.deepEqual([n, differing, mean], [6, 4, 1]);
    assert.ok(Math.abs(standardDeviation - Math.sqrt(14 / 5)) < 1e-12);
    assert.ok(Math.abs(upper - lower - (2 * 1.6448536269514722 * Math.sqrt(14 / 5)) / Math.sqrt(6)) < 1e-12);
  });

  test("count several rows of one customer together", () => {
    const labels = Uint8Array.of(1, 0, 1, 0);
    const [champion, challenger] = [0.2, 0.3].map((score) => ({
      scores: new Float64Array(4).fill(score),
      threshold: 0.5,
    }));
    const single = compareModels(champion, challenger, { labels }, undefined, 0.05);
    const joined = compareModels(
      champion,
      challenger,
      { labels, customers: Uint32Array.of(0, 0, 1, 1) },
      undefined,
      0.05,
    );
    assert.equal(single.logLossGain.n, 4);
    assert.equal(joined.logLossGain.n, 2);
    assert.ok(Math.abs(joined.logLossGain.mean - 2 * single.logLossGain.mean) < 1e-12);
    assert.equal(joined.logLossGain.standardDeviation, 0);
  });
});

describe("the rule", () => {
  const difference = (mean: number, error: number, differing = 1000) => ({
    n: 10_000,
    differing,
    mean,
    standardDeviation: 100 * error,
    lower: mean - 1.645 * error,
    upper: mean + 1.645 * error,
  });
  const measures = (profit: number, gain: number, { own = profit, differing = 1000 } = {}): GateMeasures => ({
    acceptanceProfit: difference(profit, 0.5, differing),
    profit: difference(own, 1, differing),
    logLossGain: difference(gain, 0.0005, differing),
  });
  const settings = { championProfit: 250, hasAlarm: false };

  for (const [what, found, hasAlarm, outcome] of [
    ["promotes what is worth more", measures(1.2, 0.001), false, "promote"],
    [
      "does not promote a profit that comes with worse probabilities",
      measures(1.2, -0.0002),
      false,
      "notEnoughEvidence",
    ],
    [
      "does not promote what loses at the thresholds that decide",
      measures(1.2, 0.001, { own: -3 }),
      false,
      "notEnoughEvidence",
    ],
    ["keeps the champion when no gain that is worth it is left possible", measures(-1, -0.0001), false, "keep"],
    ["keeps the champion when probabilities are worse", measures(0.3, -0.002), false, "keep"],
    ["asks for more customers when nothing is shown", measures(0.5, 0.0003), false, "notEnoughEvidence"],
    [
      "asks for more customers when the models hardly differ",
      measures(1.2, 0.001, { differing: 49 }),
      false,
      "notEnoughEvidence",
    ],
    ["with an alarm promotes better probabilities that earn no less", measures(0.2, 0.002), true, "promote"],
    ["without one it does not", measures(0.2, 0.002), false, "notEnoughEvidence"],
    ["with an alarm still refuses a loss beyond the margin", measures(-2, 0.002), true, "keep"],
  ] as const) {
    test(what, () => assert.equal(decide(found, { ...settings, hasAlarm }).outcome, outcome));
  }

  test("goes by log-loss alone without economics", () => {
    const without = (gain: number): GateMeasures => ({
      ...measures(0, gain),
      acceptanceProfit: undefined,
      profit: undefined,
    });
    for (const hasAlarm of [false, true]) {
      assert.equal(decide(without(0.002), { championProfit: 0, hasAlarm }).outcome, "promote");
      assert.equal(decide(without(-0.002), { championProfit: 0, hasAlarm }).outcome, "keep");
    }
  });

  test("says how many customers more would show the difference", () => {
    const { moreCustomers } = decide(measures(0.5, 0.0003), settings);
    assert.equal(moreCustomers, Math.ceil((1.6953977102721358 + 0.8416212335729143) ** 2 * (50 / 0.625) ** 2) - 10_000);
  });

  test("lets all attempts on the same customers together have 5 %", () => {
    const levels = Array.from({ length: 10_000 }, (_, i) => attemptLevel(i + 1));
    const sum = levels.reduce((total, level) => total + level, 0);
    assert.ok(sum < 0.05 && sum > 0.0499);
  });
});

describe("vetoes", () => {
  const metric = (value: number, low: number) => ({ value, low, high: value + (value - low) });

  test("calibration: only an error that is large for sure, and larger than the champion's", () => {
    assert.equal(calibrationVeto(metric(0.01, 0), metric(0.05, 0.04)).length, 1);
    assert.deepEqual(calibrationVeto(metric(0.01, 0), metric(0.05, 0.02)), []);
    assert.deepEqual(calibrationVeto(metric(0.06, 0.05), metric(0.05, 0.04)), []);
  });

  test("groups: a group that is worse is named; equal models are refused in no more than one comparison of twenty", () => {
    const rows = 20 * 400;
    const slices = Array.from({ length: 20 }, (_, i) => ({
      column: "group",
      level: String(i),
      rows: Uint32Array.from({ length: 400 }, (__, k) => 400 * i + k),
    }));
    const labels = Uint8Array.from({ length: rows }, (_, row) => +(row % 5 === 0));
    const gains = (random: Random): Float64Array => new Float64Array(rows).map(() => random.uniform() - 0.5);
    const refused = Array.from(
      { length: 300 },
      (_, seed) => sliceVetoes(slices, gains(new Random(seed)), labels).length > 0,
    );
    assert.ok(refused.filter(Boolean).length / 300 < 0.09); // 3 standard errors above 0.05

    const worse = gains(new Random(1)).map((gain, row) => gain - (row < 400 ? 0.1 : 0));
    assert.deepEqual(
      sliceVetoes(slices, worse, labels).map(({ reason }) => reason.replace(/[\d.]+ where/, "… where")),
      ["its log-loss is worse by … where group is 0"],
    );
    const few = [{ ...slices[0], rows: slices[0].rows.subarray(0, 199) }];
    assert.deepEqual(sliceVetoes(few, worse, labels), []);
  });

  test("size, time, and requests that were right and would not be any more", () => {
    assert.deepEqual(
      limitVetoes({ bytes: 3e7, microseconds: 2000 }, DEFAULT_LIMITS).map(({ kind }) => kind),
      ["size", "latency"],
    );
    assert.deepEqual(limitVetoes({ bytes: 3e6, microseconds: 20 }, DEFAULT_LIMITS), []);
    const before = parseDataset(
      {
        name: "d",
        target: { column: "y", positive: 1 },
        columns: { a: { type: "number" }, b: { type: "number", nullable: true }, y: { type: "integer" } },
      },
      "before",
    );
    const after = { ...before, columns: { ...before.columns } };
    assert.deepEqual(schemaVetoes(before, after), []);
    const { a: _, ...rest } = before.columns;
    const changed = { ...before, columns: { ...rest, b: { type: "number" as const }, c: { type: "number" as const } } };
    assert.deepEqual(
      schemaVetoes(before, changed).map(({ reason }) => reason),
      ["a is no longer known, and a request with it would be refused", "b is now required", "c is now required"],
    );
  });
});
