import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Calibration, calibrationFault, calibrator } from "../src/index.ts";

const ISOTONIC: Calibration = { method: "isotonic", x: [0.1, 0.3, 0.5], y: [0.05, 0.05, 0.6] };

describe("a score becomes", () => {
  const cases: readonly (readonly [string, Calibration, number, number])[] = [
    ["itself without a calibration", { method: "none" }, 0.37, 0.37],
    ["itself under slope 1 and intercept 0", { method: "sigmoid", slope: 1, intercept: 0 }, 0.37, 0.37],
    ["σ(2 · logit 0.8 − 1)", { method: "sigmoid", slope: 2, intercept: -1 }, 0.8, 16 / (16 + Math.E)],
    ["the first value below the knots", ISOTONIC, 0.02, 0.05],
    ["the last value above the knots", ISOTONIC, 0.9, 0.6],
    ["a knot's value on it", ISOTONIC, 0.5, 0.6],
    ["halfway between two values halfway between knots", ISOTONIC, 0.4, 0.325],
    ["the value of a single knot", { method: "isotonic", x: [0.5], y: [0.2] }, 0.7, 0.2],
  ];
  for (const [name, calibration, score, expected] of cases) {
    test(name, () => {
      const got = calibrator(calibration)(score);
      assert(Math.abs(got - expected) < 1e-15, `expected ${expected}, got ${got}`);
    });
  }
});

test("a calibrated score lies in [0, 1] and never falls where the score rises", () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  const knots = fc
    .uniqueArray(unit, { minLength: 1, maxLength: 20 })
    .chain((x) =>
      fc.tuple(fc.constant(x.sort((a, b) => a - b)), fc.array(unit, { minLength: x.length, maxLength: x.length })),
    )
    .map(([x, y]): Calibration => ({ method: "isotonic", x, y: y.sort((a, b) => a - b) }));
  const sigmoid = fc
    .record({
      slope: fc.double({ min: 1e-3, max: 50, noNaN: true }),
      intercept: fc.double({ min: -50, max: 50, noNaN: true }),
    })
    .map((parts): Calibration => ({ method: "sigmoid", ...parts }));

  fc.assert(
    fc.property(fc.oneof(knots, sigmoid), fc.array(unit, { minLength: 2 }), (calibration, scores) => {
      assert.equal(calibrationFault(calibration), undefined);
      const probabilities = scores.sort((a, b) => a - b).map(calibrator(calibration));
      assert(probabilities.every((p) => p >= 0 && p <= 1));
      assert(probabilities.every((p, i) => i === 0 || p >= probabilities[i - 1]));
    }),
  );
});

describe("is refused:", () => {
  for (const [name, value, message] of [
    ["nothing", undefined, /expected the method none, sigmoid or isotonic, got none/],
    ["another method", { method: "beta" }, /got "beta"/],
    ["a slope that falls", { method: "sigmoid", slope: -1, intercept: 0 }, /slope above 0, got -1/],
    ["a slope that is no number", { method: "sigmoid", slope: "1", intercept: 0 }, /slope above 0, got "1"/],
    ["no intercept", { method: "sigmoid", slope: 1 }, /expected a finite intercept/],
    ["knots that stand still", { method: "isotonic", x: [0.1, 0.1], y: [0, 1] }, /knots x that rise/],
    ["no knots", { method: "isotonic", x: [], y: [] }, /knots x that rise/],
    ["values that fall", { method: "isotonic", x: [0.1, 0.2], y: [0.4, 0.3] }, /none below the one before/],
    ["a value too few", { method: "isotonic", x: [0.1, 0.2], y: [0.4] }, /as many values y as knots/],
    ["a value above 1", { method: "isotonic", x: [0.1], y: [1.5] }, /values y in \[0, 1\]/],
  ] as const) {
    test(name, () => {
      assert.match(calibrationFault(value) ?? "nothing is wrong", message);
    });
  }
});
