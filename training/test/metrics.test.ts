import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { computeMetrics, confusionMatrix, type Scored } from "../src/evaluation/metrics.ts";
import { chooseThreshold } from "../src/evaluation/threshold.ts";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/metrics.json" with { type: "json" };

const ECONOMICS = { customerValue: 1000, contactCost: 10, offerCost: 90, offerAcceptance: 0.5 };
// A contacted churner is worth 0.5 · 910 − 10 = 445, a contacted stayer −100.

function scored(scores: readonly number[], labels: readonly number[]): Scored {
  return { scores: Float64Array.from(scores), labels: Uint8Array.from(labels) };
}

/** Calibrated scores: a row's label is 1 with just its score's probability. */
function calibrated(rows: number, seed: number): Scored {
  const random = new Random(seed);
  const scores = Float64Array.from({ length: rows }, () => random.uniform());
  return { scores, labels: Uint8Array.from(scores, (score) => +(random.uniform() < score)) };
}

describe("metrics", () => {
  for (const { name, scores, labels, threshold, expected, confusion } of fixture.cases) {
    test(`equal scikit-learn's to 1e-12 on ${name}`, () => {
      const metrics = computeMetrics(scored(scores, labels), { threshold }, 1);

      for (const [metric, value] of Object.entries(expected)) {
        assert(
          Math.abs(metrics[metric].value - value) <= 1e-12,
          `${metric}: expected ${value}, got ${metrics[metric].value}`,
        );
      }
    });

    test(`count the confusion matrix as scikit-learn does on ${name}`, () => {
      const { truePositives, falsePositives, falseNegatives, trueNegatives } = confusionMatrix(
        scored(scores, labels),
        threshold,
      );

      assert.deepEqual([truePositives, falsePositives, falseNegatives, trueNegatives], confusion);
    });
  }

  test("give profit per customer by what a contact is worth", () => {
    const four = scored([0.9, 0.8, 0.2, 0.1], [1, 0, 1, 0]);

    const { profit_per_customer: profit } = computeMetrics(four, { threshold: 0.5, economics: ECONOMICS }, 1);

    assert.equal(profit.value, (445 - 100) / 4);
  });

  test("leave out what one class alone does not define", () => {
    const metrics = computeMetrics(scored([0.1, 0.2], [0, 0]), { threshold: 0.5 }, 1);

    assert(!("roc_auc" in metrics));
    assert("log_loss" in metrics);
  });

  test("have 95 % intervals that cover the truth about as often, and of the width theory gives", () => {
    // For calibrated uniform scores the Brier score's expectation is E[s(1 − s)] = 1/6.
    const repeats = 200;
    let covered = 0;
    let width = 0;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const { brier_score_loss: brier } = computeMetrics(calibrated(400, repeat), { threshold: 0.5 }, repeat);
      covered += +(brier.low <= 1 / 6 && 1 / 6 <= brier.high);
      width += (brier.high - brier.low) / repeats;
    }

    // The variance of one row's loss (y − s)²: E[s(1 − s)⁴ + (1 − s)s⁴] − (1/6)² = 1/15 − 1/36.
    const theory = (2 * 1.96 * Math.sqrt(1 / 15 - 1 / 36)) / Math.sqrt(400);
    assert(covered >= 0.88 * repeats && covered <= 0.99 * repeats, `covered ${covered} of ${repeats}`);
    assert(Math.abs(width / theory - 1) < 0.1, `width ${width}, by theory ${theory}`);
  });

  test("have intervals of the width theory gives around the estimate of all rows, also of a million", () => {
    const rows = calibrated(1_000_000, 9);
    let squares = 0;
    for (const [i, score] of rows.scores.entries()) squares += (rows.labels[i] - score) ** 2;

    const { value, low, high } = computeMetrics(rows, { threshold: 0.5 }, 2).brier_score_loss;

    const theory = (2 * 1.96 * Math.sqrt(1 / 15 - 1 / 36)) / Math.sqrt(1_000_000);
    assert(Math.abs(value - squares / 1_000_000) < 1e-12);
    assert(low < value && value < high);
    assert(Math.abs((high - low) / theory - 1) < 0.3, `width ${high - low}, by theory ${theory}`); // of 200 resamples
  });

  test("have an interval of finite ends also where very many rows have very few churners", () => {
    const rows = 300_000;
    const random = new Random(9);
    const scores = Float64Array.from({ length: rows }, () => random.uniform());
    const labels = new Uint8Array(rows);
    for (const row of [5, 70_000, 200_001]) labels[row] = 1;

    const metrics = computeMetrics({ scores, labels }, { threshold: 0.5 }, 1);

    assert.equal(Object.keys(metrics).length, 8);
    for (const [name, { value, low, high }] of Object.entries(metrics)) {
      assert(low <= value && value <= high, `${name}: ${low} to ${high} around ${value}`);
    }
  });

  test("are the same for the same seed, and their intervals others for another", () => {
    const rows = calibrated(300, 5);
    const metrics = (seed: number) => computeMetrics(rows, { threshold: 0.5 }, seed);

    assert.deepEqual(metrics(1), metrics(1));
    assert.notDeepEqual(metrics(1).roc_auc, metrics(2).roc_auc);
  });
});

describe("the threshold", () => {
  const nobody = scored([], []);

  test("lies where contacting starts to pay, whatever the sample", () => {
    const { value, method, interval } = chooseThreshold(nobody, ECONOMICS, 1);

    // p · 445 = (1 − p) · 100
    assert.deepEqual({ value, method, interval }, { value: 100 / 545, method: "expected_profit", interval: undefined });
  });

  test("is 0 when contacting costs nothing", () => {
    const { value } = chooseThreshold(nobody, { ...ECONOMICS, contactCost: 0, offerCost: 0 }, 1);

    assert(Object.is(value, 0));
  });

  for (const [name, economics] of [
    ["an accepted offer costs what the customer is worth", { ...ECONOMICS, offerCost: 1000, contactCost: 0 }],
    ["a contact costs more than it gains", { ...ECONOMICS, contactCost: 500 }],
  ] as const) {
    test(`is out of reach when ${name}`, () => {
      const { value, reason } = chooseThreshold(nobody, economics, 1);

      assert(value > 1);
      assert.match(reason, /^no contact pays: /);
    });
  }

  test("maximises F1 without economics", () => {
    const { value, method } = chooseThreshold(scored([0.9, 0.8, 0.7, 0.6, 0.1], [1, 0, 1, 0, 0]), undefined, 1);

    assert.equal(method, "f1");
    assert(value > 0.6 && value < 0.7);
  });

  test("that was searched for has an interval, which narrows with more rows", () => {
    const width = (rows: number): number => {
      const { value, interval } = chooseThreshold(calibrated(rows, 3), undefined, 1);
      const [low, high] = interval ?? [];
      assert(low !== undefined && high !== undefined && low <= value && value <= high);
      return high - low;
    };

    assert(width(20_000) < width(500));
  });

  test("leaves rows without a score out", () => {
    const { value } = chooseThreshold(scored([0.9, Number.NaN, 0.1], [1, 1, 0]), undefined, 1);

    assert.equal(value, 0.5);
  });
});
