import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calibrationBins, wilsonInterval } from "../src/evaluation/calibration.ts";
import { calibrationError, rmsCalibrationError } from "../src/evaluation/calibration-error.ts";
import type { Scored } from "../src/evaluation/metrics.ts";
import { computeMetrics } from "../src/evaluation/metrics.ts";
import { Random } from "../src/random.ts";
import calibrators from "./fixtures/calibrators.json" with { type: "json" };
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

describe("the calibration error", () => {
  for (const { name, scores, labels, errors } of calibrators.cases) {
    test(`equals the formula, computed elsewhere, to 1e-12 on ${name}`, async () => {
      const scored = { scores: Float64Array.from(scores), labels: Uint8Array.from(labels) };

      const { rms_calibration_error: rms } = computeMetrics(scored, { threshold: 0.5 }, 1);
      assert(Math.abs(rms.value - errors.rms) <= 1e-12, `expected ${errors.rms}, got ${rms.value}`);
      assert(Math.abs((await calibrationError(scored, 1)).ece - errors.ece) <= 1e-12);
    });
  }

  const rows = 10_000;
  /** Outcomes drawn with the probability that the score says, moved by so much. */
  function drawn(seed: number, bias: number): Scored {
    const random = new Random(seed);
    const scores = Float64Array.from({ length: rows }, () => 0.2 + 0.6 * random.uniform());
    return { scores, labels: Uint8Array.from(scores, (score) => +(random.uniform() < score + bias)) };
  }
  const repeats = Array.from({ length: 40 }, (_, seed) => seed);

  test("has a noise that the ECE of a model that is right stays within, in about 95 of 100 samples", async () => {
    const errors = await Promise.all(repeats.map((seed) => calibrationError(drawn(seed, 0), seed)));

    assert(errors.every(({ noise }) => noise.mean < noise.high));
    const within = errors.filter(({ ece, noise }) => ece <= noise.high);
    assert(within.length >= 34, `${within.length} of ${repeats.length}`); // fewer have a probability below 1 in 100
  });

  test("is about 0 for a model that is right, and the bias of one that is not, with intervals that cover it", () => {
    for (const bias of [0, 0.05]) {
      const errors = repeats.map((seed) => {
        return computeMetrics(drawn(seed, bias), { threshold: 0.5 }, seed).rms_calibration_error;
      });

      const squares = errors.map(({ value }) => Math.sign(value) * value ** 2);
      const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
      assert(Math.abs(mean - bias ** 2) < 3e-4, `bias ${bias}: mean square ${mean}`);
      const covered = errors.filter(({ low, high }) => low <= bias && bias <= high);
      assert(covered.length >= 33, `bias ${bias}: covered in ${covered.length} of ${errors.length}`);
    }
  });

  test("of no rows of weight leaves a bin out", () => {
    const scores = Float64Array.from({ length: 30 }, (_, i) => i / 30);
    const weights = new Uint8Array(30).fill(1, 0, 15);

    assert(Number.isFinite(rmsCalibrationError(scores, new Uint8Array(30), weights, 1)));
  });
});
