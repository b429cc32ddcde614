import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Curve,
  f1Curve,
  gainsCurve,
  liftCurve,
  operatingPoints,
  precisionRecallCurve,
  profitCurve,
  rocCurve,
  thin,
} from "../src/evaluation/curves.ts";
import { computeMetrics, type Scored } from "../src/evaluation/metrics.ts";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/curves.json" with { type: "json" };

const ECONOMICS = { customerValue: 1000, contactCost: 10, offerCost: 90, offerAcceptance: 0.5 };
// A contacted churner is worth 0.5 · 910 − 10 = 445, a contacted stayer −100.

function scored(scores: readonly number[], labels: readonly number[]): Scored {
  return { scores: Float64Array.from(scores), labels: Uint8Array.from(labels) };
}

function assertClose(actual: Iterable<number>, expected: readonly number[], name: string): void {
  const values = [...actual];
  assert.equal(values.length, expected.length, `${name}: how many`);
  for (const [i, value] of values.entries()) {
    assert(Math.abs(value - expected[i]) <= 1e-12, `${name}[${i}]: expected ${expected[i]}, got ${value}`);
  }
}

describe("operating points", () => {
  for (const { name, scores, labels, roc, precision_recall, f1 } of fixture.cases) {
    test(`give scikit-learn's roc_curve to 1e-12 on ${name}`, () => {
      const points = operatingPoints(scored(scores, labels));

      const { x, y } = rocCurve(points);
      assertClose(x, roc.fpr, "fpr");
      assertClose(y, roc.tpr, "tpr");
      assertClose(points.thresholds.subarray(1), roc.thresholds, "thresholds");
    });

    test(`give scikit-learn's precision_recall_curve, in falling thresholds, to 1e-12 on ${name}`, () => {
      const { x, y } = precisionRecallCurve(operatingPoints(scored(scores, labels)));

      assertClose(x, precision_recall.recall.toReversed(), "recall");
      assertClose(y, precision_recall.precision.toReversed(), "precision");
    });

    test(`give scikit-learn's f1_score at every threshold to 1e-12 on ${name}`, () => {
      const { x, y } = f1Curve(operatingPoints(scored(scores, labels)));

      for (const [i, threshold] of precision_recall.thresholds.entries()) {
        const at = x.indexOf(threshold, 1);
        assert(Math.abs(y[at] - f1[i]) <= 1e-12, `at ${threshold}: expected ${f1[i]}, got ${y[at]}`);
      }
    });
  }

  test("begin with nobody and end with everybody", () => {
    const { thresholds, truePositives, falsePositives } = operatingPoints(scored([0.5, 0.5, 0.9], [1, 0, 1]));

    assert.deepEqual([...thresholds], [Number.POSITIVE_INFINITY, 0.9, 0.5]);
    assert.deepEqual([...truePositives], [0, 1, 2]);
    assert.deepEqual([...falsePositives], [0, 0, 1]);
  });

  test("do not depend on the order of the rows", () => {
    const [{ scores, labels }] = fixture.cases;

    assert.deepEqual(
      operatingPoints(scored(scores.toReversed(), labels.toReversed())),
      operatingPoints(scored(scores, labels)),
    );
  });
});

describe("curves over customers contacted", () => {
  const points = operatingPoints(scored([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0]));

  test("gain from none to all of the churners", () => {
    const { x, y } = gainsCurve(points);

    assert.deepEqual([...x], [0, 0.25, 0.5, 0.75, 1]);
    assert.deepEqual([...y], [0, 0.5, 0.5, 1, 1]);
  });

  test("lift churners by precision over the base rate, to 1 when everybody is contacted", () => {
    const { x, y } = liftCurve(points);

    assert.deepEqual([...x], [0.25, 0.5, 0.75, 1]);
    assertClose(y, [1 / 0.5, 0.5 / 0.5, 2 / 3 / 0.5, 1], "lift");
  });
});

describe("the profit curve", () => {
  test("of half a million customers is drawn, too", () => {
    const random = new Random(8);
    const scores = Float64Array.from({ length: 500_000 }, () => random.uniform());
    const labels = Uint8Array.from(scores, (score) => +(random.uniform() < score));

    const { x, y } = thin(profitCurve(operatingPoints({ scores, labels }), ECONOMICS));

    assert(x.length < 1000, `${x.length} points`);
    // Break-even at p · 445 = (1 − p) · 100.
    assert(Math.abs(x[y.indexOf(y.toSorted().at(-1) as number)] - 100 / 545) < 0.05);
  });

  test("says at each threshold what profit_per_customer is there", () => {
    const [rows] = fixture.cases.map(({ scores, labels }) => scored(scores, labels));
    const { x, y } = profitCurve(operatingPoints(rows), ECONOMICS);

    for (const i of [1, 50, 150]) {
      const { profit_per_customer: profit } = computeMetrics(rows, { threshold: x[i], economics: ECONOMICS }, 1);
      assert(Math.abs(y[i] - profit.value) < 1e-9, `at ${x[i]}: expected ${profit.value}, got ${y[i]}`);
    }
  });

  test("runs from contacting everybody, at 0, to contacting nobody, at 1", () => {
    const { x, y } = profitCurve(operatingPoints(scored([0.8, 0.2], [1, 0])), ECONOMICS);

    assert.deepEqual([x[0], y[0]], [0, (445 - 100) / 2]);
    assert.deepEqual([x.at(-1), y.at(-1)], [1, 0]);
    assert(x.every((value, i) => i === 0 || value >= x[i - 1]));
  });

  test("ends with those who score 1, when there are any", () => {
    const { x, y } = profitCurve(operatingPoints(scored([1, 0.2], [1, 0])), ECONOMICS);

    assert.deepEqual([x.at(-1), y.at(-1)], [1, 445 / 2]);
  });
});

describe("a curve that is thinned", () => {
  /** A bumpy curve of many points. */
  function bumpy(points: number, seed: number): Curve {
    const random = new Random(seed);
    const x = Float64Array.from({ length: points }, (_, i) => i / (points - 1));
    return { x, y: x.map((value) => Math.sqrt(value) + 0.01 * random.uniform()) };
  }

  /** Distance of a point from the line through the points of a curve, by going over all its pieces. */
  function distance({ x, y }: Curve, px: number, py: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 1; i < x.length; i++) {
      const [dx, dy] = [x[i] - x[i - 1], y[i] - y[i - 1]];
      const along = ((px - x[i - 1]) * dx + (py - y[i - 1]) * dy) / (dx ** 2 + dy ** 2 || 1);
      const t = Math.min(1, Math.max(0, along));
      least = Math.min(least, Math.hypot(px - x[i - 1] - t * dx, py - y[i - 1] - t * dy));
    }
    return least;
  }

  test("keeps its ends, and its points in order", () => {
    const curve = bumpy(500, 1);
    const { x, y } = thin(curve);

    assert.deepEqual([x[0], y[0], x.at(-1), y.at(-1)], [curve.x[0], curve.y[0], curve.x.at(-1), curve.y.at(-1)]);
    assert(x.every((value, i) => i === 0 || value > x[i - 1]));
  });

  test("lies nowhere farther from what it leaves out than the tolerance", () => {
    for (const tolerance of [0.001, 0.02]) {
      const curve = bumpy(400, 2);
      const kept = thin(curve, tolerance);

      const [width, height] = [1, Math.max(...curve.y) - Math.min(...curve.y)];
      const scaled = { x: kept.x.map((value) => value / width), y: kept.y.map((value) => value / height) };
      for (const [i, value] of curve.x.entries()) {
        const off = distance(scaled, value / width, curve.y[i] / height);
        assert(off <= tolerance + 1e-12, `point ${i} is ${off} away`);
      }
      assert(kept.x.length < curve.x.length);
    }
  });

  test("has a few hundred points left of the ROC curve of 50,000 customers", () => {
    const random = new Random(3);
    const truth = Float64Array.from({ length: 50_000 }, () => random.uniform() ** 2);
    const labels = Uint8Array.from(truth, (probability) => +(random.uniform() < probability));

    const { x } = thin(rocCurve(operatingPoints({ scores: truth, labels })));

    assert(x.length < 400, `got ${x.length}`);
  });

  test("of two points, or of points on top of each other, stays", () => {
    const two = { x: Float64Array.of(0, 1), y: Float64Array.of(0, 1) };
    assert.deepEqual(thin(two), two);
    const same = { x: Float64Array.of(1, 1, 1), y: Float64Array.of(2, 2, 2) };
    assert.deepEqual(thin(same), { x: Float64Array.of(1, 1), y: Float64Array.of(2, 2) });
  });
});
