import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type ChurnError,
  compileFeatures,
  type DatasetSpecification,
  decodeSafetensors,
  encodeSafetensors,
  ForestKernel,
  type Tensor,
  TreeExplainer,
} from "@churn/contract";
import { BinCounter } from "../src/drift/bin-counter.ts";
import {
  groupsOfEqualMass,
  referenceLevels,
  referenceNumbers,
  referenceQuantile,
} from "../src/drift/column-reference.ts";
import { contributionCurves } from "../src/drift/contribution-curves.ts";
import {
  type DriftReference,
  decodeReference,
  describeColumns,
  encodeReference,
  takeSample,
} from "../src/drift/reference.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { Random } from "../src/random.ts";
import { kolmogorovSmirnovDistance } from "../src/statistics/divergence.ts";

const sorted = (values: Float32Array): Float32Array => values.slice().sort();

/** Numbers of a long tail. */
function skewed(rows: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: rows }, () => (-Math.log(1 - random.uniform())) ** 3);
}

describe("a reference of numbers", () => {
  test("has every value as a cut point where there are few", () => {
    const { cuts, counts, missing } = referenceNumbers(Float32Array.of(1, 1, 2, 5, 5, 5), 3, 10);
    assert.deepEqual([...cuts], [1, 2, 5]);
    assert.deepEqual([...counts], [2, 1, 3, 0]);
    assert.equal(missing, 3);
  });

  test("has quantiles where there are many, the greatest value among them", () => {
    const values = sorted(skewed(10_000, 1));
    const { cuts, counts } = referenceNumbers(values, 0, 100);
    assert.equal(cuts.length, 100);
    assert.equal(cuts[99], values[9999]);
    assert.ok(counts.subarray(0, 100).every((count) => count === 100));
    assert.equal(referenceQuantile({ kind: "number", cuts, counts, missing: 0 }, 0.5), values[4999]);
  });

  test("gives a value of half of the rows one cut point", () => {
    const values = sorted(Float32Array.from(skewed(1000, 2), (value, i) => (i % 2 === 0 ? 0 : value)));
    const { cuts, counts } = referenceNumbers(values, 0, 20);
    assert.ok(counts[cuts.indexOf(0)] >= 500);
    assert.equal(new Set(cuts).size, cuts.length);
  });

  test("shows no larger a distance than the samples have, and one that is smaller by at most a bin", () => {
    const exact = (values: Float32Array, others: Float32Array): number => {
      const all = sorted(Float32Array.of(...values, ...others)).filter((value, i, list) => value !== list[i - 1]);
      const count = (rows: Float32Array): Uint32Array => {
        const counter = new BinCounter(all);
        counter.add(rows);
        return counter.counts;
      };
      return kolmogorovSmirnovDistance({ reference: count(values), current: count(others) });
    };
    for (const seed of [3, 4, 5]) {
      const [values, others] = [skewed(5000, seed), skewed(900, 10 * seed).map((value) => value * 1.1)];
      const reference = referenceNumbers(sorted(values), 0, 64);
      const counter = new BinCounter(reference.cuts);
      counter.add(others);
      const seen = kolmogorovSmirnovDistance({ reference: reference.counts, current: counter.counts });
      const real = exact(values, others);
      assert.ok(seen <= real + 1e-12 && seen >= real - 1 / 64, `${seen}, ${real}`);
    }
  });
});

test("levels are counted by their place", () => {
  const { counts, missing } = referenceLevels(Float32Array.of(0, 2, 2, Number.NaN), ["a", "b", "c"]);
  assert.deepEqual([...counts], [1, 0, 2, 0]);
  assert.equal(missing, 1);
});

test("groups have about as many rows each, and the last has the bin above all", () => {
  assert.deepEqual([...groupsOfEqualMass([5, 5, 5, 5, 0], 2)], [0, 0, 1, 1, 1]);
  assert.deepEqual([...groupsOfEqualMass([18, 1, 1, 0], 2)], [0, 1, 1, 1]);
});

describe("the bin counter", () => {
  const CUTS: Readonly<Record<string, readonly number[]>> = {
    even: [0, 1, 2, 3, 4],
    uneven: [-1000, -1, 0, 1e-30, 1e-20, 3, 1e30],
    one: [7],
    many: [...sorted(skewed(1024, 6))],
    "next to each other": [16777214, 16777215, 16777216],
  };
  for (const [name, cuts] of Object.entries(CUTS)) {
    test(`finds the bin that a search finds, cut points ${name}`, () => {
      const list = Float32Array.from(cuts);
      const counter = new BinCounter(list);
      const near = [...list].flatMap((cut) => [cut, cut - 1e-6, cut + 1e-6, cut * 1.0000001, cut / 2, cut * 2]);
      for (const value of [...near, ...skewed(500, 7), 0, -5].map(Math.fround)) {
        if (!Number.isFinite(value)) continue;
        const expected = list.findIndex((cut) => value <= cut);
        assert.equal(counter.binOf(value), expected === -1 ? list.length : expected, `${value}`);
      }
    });
  }

  test("counts what is no number as missing", () => {
    const counter = new BinCounter(Float32Array.of(1, 2));
    counter.add(Float64Array.from([1, 1.5, 9, Number.NaN, Number.POSITIVE_INFINITY, 1e300]));
    assert.deepEqual([...counter.counts], [1, 1, 1]);
    assert.equal(counter.missing, 3);
  });

  test("has one bin where the reference has no value", () => {
    const counter = new BinCounter(new Float32Array());
    counter.add(Float64Array.from([1, 2]));
    assert.deepEqual([...counter.counts], [2]);
  });
});

const GYM: DatasetSpecification = {
  name: "gym",
  target: { column: "left", positive: "yes" },
  columns: {
    visits: { type: "number" },
    plan: { type: "category", nullable: true },
    weight: { type: "number", nullable: true },
    left: { type: "category" },
  },
};
const ENCODINGS = { plan: ["day", "full"] };

function gymReference(rows = 500): DriftReference {
  const random = new Random(8);
  const values = new Map([
    ["visits", skewed(rows, 9)],
    ["plan", Float32Array.from({ length: rows }, (_, i) => (i % 7 === 0 ? Number.NaN : i % 2))],
    ["weight", Float32Array.from({ length: rows }, (_, i) => (i % 5 === 0 ? Number.NaN : 60 + (i % 8)))],
  ]);
  const columns = describeColumns(values, ENCODINGS, 64);
  const scores = Float64Array.from({ length: rows }, () => random.uniform());
  const curves = [...columns].map(([name, { counts }]): [string, Float32Array] => {
    return [name, Float32Array.from({ length: counts.length + 1 }, (_, bin) => bin / 100)];
  });
  return {
    columns,
    curves: new Map(curves),
    scores: {
      bins: referenceNumbers(sorted(Float32Array.from(scores)), 0, 64),
      mean: 0.5,
      standardDeviation: 0.25,
      decisions: 0.75,
    },
    sample: takeSample(columns, values, scores, new Uint8Array(rows), Uint32Array.of(3, 1, 4, 100)),
    calibration: { slope: 1.25, intercept: -0.5, covariance: [0.5, -0.125, 0.25], rows },
  };
}

describe("a reference as a file", () => {
  const read = (file: Uint8Array): DriftReference =>
    decodeReference(file, { dataset: GYM, encodings: ENCODINGS }, "reference.safetensors");

  test("reads back as it was", () => {
    const reference = gymReference();
    assert.deepEqual(read(encodeReference(reference)), reference);
    const uncalibrated = { ...reference, calibration: undefined };
    assert.deepEqual(read(encodeReference(uncalibrated)), uncalibrated);
  });

  const CHANGES: Readonly<Record<string, (tensors: Record<string, Tensor>) => Record<string, Tensor>>> = {
    "without a tensor": ({ curves: _, ...rest }) => rest,
    "with a tensor of another type": (tensors) => ({ ...tensors, counts: Float32Array.from(tensors.counts) }),
    "with too few counts": (tensors) => ({ ...tensors, counts: tensors.counts.slice(0, -1) }),
    "with too many counts": (tensors) => ({ ...tensors, counts: Uint32Array.of(...tensors.counts, 1) }),
    "with cut points out of order": (tensors) => ({ ...tensors, cuts: tensors.cuts.slice().reverse() }),
    "with a cut point that is no number": (tensors) => ({ ...tensors, cuts: tensors.cuts.slice().fill(Number.NaN) }),
    "with a curve that is no number": (tensors) => ({ ...tensors, curves: tensors.curves.slice().fill(Number.NaN) }),
    "with a calibration that is not whole": (tensors) => ({ ...tensors, calibration: Float32Array.of(1, 0) }),
    "of other columns": (tensors) => ({ ...tensors, cut_offsets: tensors.cut_offsets.slice(0, -1) }),
  };
  for (const [what, change] of Object.entries(CHANGES)) {
    test(`${what} is refused`, () => {
      const tensors = [...decodeSafetensors(encodeReference(gymReference()), "test")].filter(
        ([name]) => !name.endsWith(".pad"),
      );
      const file = encodeSafetensors(change(Object.fromEntries(tensors)));
      assert.throws(
        () => read(file),
        (error: ChurnError) =>
          error.code === "CHURN_ERR_MODEL_INVALID" &&
          /^reference.safetensors: .*train the model anew$/.test(error.message),
      );
    });
  }

  test("that is none is refused", () => {
    assert.throws(() => read(Uint8Array.of(1, 2, 3)), { code: "CHURN_ERR_MODEL_INVALID" });
  });
});

describe("the curves of what a model makes of columns", () => {
  const ROWS = 600;
  const random = new Random(12);
  const visits = Float32Array.from({ length: ROWS }, () => random.integer(20));
  const plan = Float32Array.from({ length: ROWS }, () => random.integer(2));
  const weight = Float32Array.from({ length: ROWS }, (_, i) => (i % 4 === 0 ? Number.NaN : 50 + 40 * random.uniform()));
  const labels = Uint8Array.from(visits, (value, i) => +(value < 8 && (plan[i] === 1 || random.uniform() < 0.3)));
  const dataset: DatasetSpecification = { ...GYM, features: { fading: "visits < 2", both: "visits + weight" } };
  const features = compileFeatures(dataset, "test");
  const columns = [
    visits,
    plan,
    weight,
    visits.map((value) => +(value < 2)),
    visits.map((value, i) => value + weight[i]),
  ];

  test("sum to what the scores are above the base, each column's and what is derived from it", async () => {
    const parameters = { nEstimators: 20, maxDepth: 6, minSamplesLeaf: 5, maxSamples: 1, maxFeatures: 2, maxBins: 255 };
    const { forest } = await fitForest(columns, labels, parameters, { seed: 3, nJobs: 1 });
    const named = new Map(Object.entries({ visits, plan, weight }));
    const references = describeColumns(named, ENCODINGS, 256);
    const squash = (score: number): number => score / 2 + 0.1;

    const curves = await contributionCurves({ dataset, features, forest, calibrate: squash, columns }, references);

    let sum = 0;
    for (const [name, { counts, missing }] of references) {
      const curve = curves.get(name) as Float32Array;
      assert.equal(curve.length, counts.length + 1);
      assert.ok(curve.every(Number.isFinite), name);
      for (let bin = 0; bin < curve.length; bin++) sum += (curve[bin] * (counts[bin] ?? missing)) / ROWS;
    }
    const scores = new ForestKernel(forest).predictColumns(columns, ROWS);
    const mean = scores.reduce((total, score) => total + squash(score), 0) / ROWS;
    const base = squash(new TreeExplainer(forest).baseValue);
    assert.ok(Math.abs(sum - (mean - base)) < 1e-6, `${sum}, ${mean - base}`);
  });
});
