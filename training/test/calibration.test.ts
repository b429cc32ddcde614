import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calibrationBins, wilsonInterval } from "../src/evaluation/calibration.ts";
import fixture from "./fixtures/curves.json" with { type: "json" };

describe("calibration bins", () => {
  for (const { name, scores, labels, calibration } of fixture.cases) {
    test(`equal scikit-learn's calibration_curve(strategy="quantile") to 1e-12 on ${name}`, () => {
      const bins = calibrationBins({ scores: Float64Array.from(scores), labels: Uint8Array.from(labels) });

      assert.equal(bins.length, calibration.observed.length);
      for (const [i, { predicted, observed }] of bins.entries()) {
        assert(Math.abs(predicted - calibration.predicted[i]) <= 1e-12, `predicted ${i}`);
        assert(Math.abs(observed - calibration.observed[i]) <= 1e-12, `observed ${i}`);
      }
    });

    test(`hold every customer once on ${name}`, () => {
      const bins = calibrationBins({ scores: Float64Array.from(scores), labels: Uint8Array.from(labels) });

      assert.equal(
        bins.reduce((sum, { rows }) => sum + rows, 0),
        scores.length,
      );
    });
  }
});

test("Wilson's interval solves the equation that defines it", () => {
  for (const [count, rows] of [
    [3, 10],
    [400, 1000],
    [1, 7],
  ]) {
    const { observed, low, high } = wilsonInterval(count, rows);

    // At either end p, the observed share is 1.96 standard errors of p away.
    for (const p of [low, high]) {
      const z = Math.abs(observed - p) / Math.sqrt((p * (1 - p)) / rows);
      assert(Math.abs(z - 1.959963984540054) < 1e-9, String(z));
    }
  }
});

test("Wilson's interval of none and of all stays within [0, 1] and has a width", () => {
  const [none, all] = [wilsonInterval(0, 20), wilsonInterval(20, 20)];

  assert.equal(none.low, 0);
  assert(none.high > 0.1 && none.high < 0.2);
  assert(all.low > 0.8 && all.low < 0.9);
  assert(Math.abs(all.high - 1) < 1e-12);
});
