import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calibrator, logit } from "@churn/contract";
import { chooseCalibration } from "../src/calibration/choice.ts";
import { fitIsotonic } from "../src/calibration/isotonic.ts";
import { covarianceOf, fitSigmoid, sigmoidInfluence } from "../src/calibration/sigmoid.ts";
import type { Scored } from "../src/evaluation/metrics.ts";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/calibrators.json" with { type: "json" };
import sandwich from "./fixtures/sandwich.json" with { type: "json" };

const near = (got: number, expected: number, tolerance: number): void => {
  assert(Math.abs(got - expected) <= tolerance, `expected ${expected}, got ${got}`);
};

for (const { name, scores, labels, sigmoid, isotonic } of fixture.cases) {
  const scored = { scores: Float64Array.from(scores), labels: Uint8Array.from(labels) };

  test(`the sigmoid's slope and intercept equal scikit-learn's LogisticRegression on ${name}`, () => {
    const { slope, intercept } = fitSigmoid(scored.scores, scored.labels) ?? { slope: 0, intercept: 0 };

    near(slope, sigmoid.slope, 1e-7); // where its own iterations stop
    near(intercept, sigmoid.intercept, 1e-7);
  });

  test(`the sigmoid is the most likely one on ${name}: the likelihood's derivatives are 0 to 1e-9`, () => {
    const { slope, intercept } = fitSigmoid(scored.scores, scored.labels) ?? { slope: 0, intercept: 0 };

    const x = scores.map(logit);
    const errors = x.map((value, i) => 1 / (1 + Math.exp(-(slope * value + intercept))) - labels[i]);
    near(errors.reduce((sum, error) => sum + error, 0) / x.length, 0, 1e-9);
    near(errors.reduce((sum, error, i) => sum + error * x[i], 0) / x.length, 0, 1e-9);
  });

  test(`isotonic regression equals scikit-learn's, but for half a customer at its ends, on ${name}`, () => {
    const calibrate = calibrator(fitIsotonic(scored.scores, scored.labels));

    const margin = 1 / (2 * scores.length);
    for (const [i, at] of isotonic.at.entries()) {
      const expected = Math.min(1 - margin, Math.max(margin, isotonic.predicted[i]));
      const isBetweenEnds = isotonic.predicted[i] > margin && isotonic.predicted[i] < 1 - margin;
      near(calibrate(at), expected, isBetweenEnds ? margin : 1e-12);
    }
  });
}

test("isotonic values between knots away from 0 and 1 equal scikit-learn's to 1e-12", () => {
  const { scores, labels, isotonic } = fixture.cases[1]; // every block has churners and stayers
  const calibrate = calibrator(fitIsotonic(Float64Array.from(scores), Uint8Array.from(labels)));

  for (const [i, at] of isotonic.at.entries()) near(calibrate(at), isotonic.predicted[i], 1e-12);
});

for (const [i, { weights, slope, intercept, covariance, ...rows }] of sandwich.cases.entries()) {
  test(`the sigmoid of weighted rows and its covariance are statsmodels', case ${i + 1}`, () => {
    const [scores, labels] = [Float64Array.from(rows.scores), Uint8Array.from(rows.labels)];
    const all = Float64Array.from(weights);
    const fit = fitSigmoid(scores, labels, all);
    assert.ok(fit);
    near(fit.slope, slope, 1e-9);
    near(fit.intercept, intercept, 1e-9);
    const influence = sigmoidInfluence(fit, scores, labels, all);
    assert.ok(influence);
    for (const [place, value] of covarianceOf(influence).entries()) {
      near(value, covariance[place], 1e-9 * Math.abs(covariance[place]));
    }
  });
}

describe("a sigmoid is not fitted", () => {
  for (const [name, scores, labels] of [
    ["where the scores part the outcomes without error", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]],
    ["where outcomes fall with the scores", [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [1, 1, 0, 1, 0, 0]],
    ["where all scores are the same", [0.4, 0.4, 0.4, 0.4], [0, 1, 0, 1]],
  ] as const) {
    test(name, () => {
      assert.equal(fitSigmoid(Float64Array.from(scores), Uint8Array.from(labels)), undefined);
    });
  }
});

/** Outcomes drawn with the probability that `truth` gives each score. */
function drawn(rows: number, truth: (score: number) => number, seed: number): Scored {
  const random = new Random(seed);
  const scores = Float64Array.from({ length: rows }, () => 0.02 + 0.96 * random.uniform());
  return { scores, labels: Uint8Array.from(scores, (score) => +(random.uniform() < truth(score))) };
}

const sharper = (score: number): number => 1 / (1 + Math.exp(-(1.5 * logit(score) - 0.4)));
const stepped = (score: number): number => (score < 0.4 ? 0.1 : score < 0.45 ? 0.3 : 0.35);

describe("the calibration that is chosen", () => {
  test("is a sigmoid near the one that made the outcomes", () => {
    const { calibration: chosen } = chooseCalibration(drawn(20_000, sharper, 1), 1);

    assert(chosen.method === "sigmoid");
    near(chosen.slope, 1.5, 0.1);
    near(chosen.intercept, -0.4, 0.1);
    const { logLoss } = chosen;
    assert((logLoss.sigmoid ?? 1) < (logLoss.none ?? 0) - 0.005);
    assert(!("isotonic" in logLoss));
  });

  test("is none for most samples of scores that need none", () => {
    const methods = Array.from(
      { length: 20 },
      (_, seed) =>
        chooseCalibration(
          drawn(2000, (s) => s, seed),
          seed,
        ).calibration.method,
    );

    assert(methods.filter((method) => method === "none").length > 12, methods.join());
  });

  test("is isotonic where very many rows show what no sigmoid can follow", () => {
    const { calibration: chosen } = chooseCalibration(drawn(60_000, stepped, 2), 2);

    assert.equal(chosen.method, "isotonic");
    const calibrate = calibrator(chosen);
    for (const score of [0.1, 0.3, 0.425, 0.6, 0.9]) near(calibrate(score), stepped(score), 0.05);
  });

  test("is not isotonic, however many rows, where a sigmoid tells the truth", () => {
    const { method, logLoss } = chooseCalibration(drawn(60_000, sharper, 3), 3).calibration;

    assert.equal(method, "sigmoid");
    assert(logLoss.isotonic !== undefined);
  });

  test("comes with each row's loss under a calibration that has not seen it", () => {
    const { calibration, losses } = chooseCalibration(drawn(60_000, stepped, 6), 6);

    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    assert.equal(calibration.method, "isotonic");
    near(mean, calibration.logLoss.isotonic ?? 0, 1e-12);
  });

  test("comes with the log-loss of each fold, of nearly the same size", () => {
    const { calibration, foldLogLoss } = chooseCalibration(drawn(60_000, stepped, 6), 6);

    for (const [method, folds] of Object.entries(foldLogLoss)) {
      assert.equal(folds.length, 5);
      near(folds.reduce((sum, loss) => sum + loss, 0) / 5, calibration.logLoss[method as "none"] ?? 0, 2e-4);
      assert.equal(new Set(folds).size, 5);
    }
    assert.deepEqual(Object.keys(foldLogLoss), Object.keys(calibration.logLoss));
    assert.deepEqual(chooseCalibration(drawn(300, sharper, 4), 4).foldLogLoss, {});
  });

  test("is none for few rows, and says why", () => {
    const { method, logLoss, reason } = chooseCalibration(drawn(300, sharper, 4), 4).calibration;

    assert.deepEqual([method, logLoss], ["none", {}]);
    assert.match(reason, /takes 500 out-of-bag rows and 50 of either outcome, got 300 and \d+/);
  });

  test("does not look at rows without a score", () => {
    const { scores, labels } = drawn(3000, sharper, 5);
    const padded = {
      scores: Float64Array.from([...scores, Number.NaN, Number.NaN]),
      labels: Uint8Array.from([...labels, 1, 0]),
    };

    const [whole, own] = [chooseCalibration(padded, 5), chooseCalibration({ scores, labels }, 5)];
    assert.deepEqual(whole.calibration, own.calibration);
    assert.deepEqual(whole.losses, Float64Array.from([...own.losses, Number.NaN, Number.NaN]));
  });
});
