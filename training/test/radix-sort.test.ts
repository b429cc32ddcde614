import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { descendingOrder, sortFloats } from "../src/radix-sort.ts";
import { Random } from "../src/random.ts";

describe("floats sorted by their bits", () => {
  test("are those that sorting by comparison gives", () => {
    const float = fc.float({ noNaN: true });
    fc.assert(
      fc.property(fc.array(float), (values) => {
        const expected = Float32Array.from(values).sort(); // JavaScript's own: -0 before 0

        const sorted = sortFloats(Float32Array.from(values));

        assert(sorted.every((value, i) => Object.is(value, expected[i])));
      }),
    );
  });

  test("are so, however many", () => {
    const random = new Random(6);
    const values = Float32Array.from(
      { length: 200_000 },
      () => (random.uniform() - 0.3) * 10 ** (10 * random.uniform()),
    );
    assert.deepEqual(sortFloats(values.slice()), values.slice().sort());
  });

  test("may be a view of a larger buffer, which stays as it is around them", () => {
    const all = Float32Array.of(9, 3, -1, 2, -7);

    sortFloats(all.subarray(1, 4));

    assert.deepEqual(all, Float32Array.of(9, -1, 2, 3, -7));
  });
});

describe("the descending order of doubles", () => {
  const byComparison = (values: Float64Array): Uint32Array =>
    Uint32Array.from(values.keys()).sort((a, b) => values[b] - values[a]); // a stable sort

  test("is that of a stable sort by comparison, also with ties and zeros of both signs", () => {
    const double = fc.oneof(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(0, -0, 0.5, 1, 5e-324, Number.MAX_VALUE),
    );
    fc.assert(
      fc.property(fc.array(double), (list) => {
        const values = Float64Array.from(list);

        assert.deepEqual(descendingOrder(values), byComparison(values));
      }),
    );
  });

  test("is that of a stable sort for many doubles", () => {
    const random = new Random(3);
    const values = Float64Array.from({ length: 100_000 }, (_, i) =>
      i % 3 === 0 ? random.integer(50) / 50 : random.uniform(),
    );

    assert.deepEqual(descendingOrder(values), byComparison(values));
  });
});
