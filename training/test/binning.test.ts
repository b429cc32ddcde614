import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BinnedFeatures, binFeatures } from "../src/forest/binning.ts";
import { Random } from "../src/random.ts";

const uniform = (rows: number): Float32Array => {
  const random = new Random(1);
  return Float32Array.from({ length: rows }, () => random.uniform());
};

const cutsOf = ({ cutPoints, cutOffsets }: BinnedFeatures, feature = 0): number[] => [
  ...cutPoints.subarray(cutOffsets[feature], cutOffsets[feature + 1]),
];

describe("binning", () => {
  test("gives each value the number of cut points below it, for any number of them", async () => {
    for (const distinct of [1, 2, 3, 4, 7, 8, 9, 100, 254, 255, 400]) {
      const column = Float32Array.from(uniform(2000), (x) => Math.floor(x * distinct));

      const binned = await binFeatures([column], column.length, 255);

      const cuts = cutsOf(binned);
      assert(cuts.length <= 254 && cuts.every((cut, i) => i === 0 || cut > cuts[i - 1]));
      for (const [row, x] of column.entries()) {
        assert.equal(binned.bins[row], cuts.filter((cut) => x > cut).length);
      }
    }
  });

  test("cuts few values halfway between neighbours", async () => {
    assert.deepEqual(cutsOf(await binFeatures([Float32Array.of(4, 1, 2, 1, 4)], 5, 255)), [1.5, 3]);
  });

  test("makes bins of about the same size from many values", async () => {
    const column = uniform(200_000);

    const { bins } = await binFeatures([column], column.length, 100);

    const sizes = new Uint32Array(100);
    for (let row = 0; row < column.length; row++) sizes[bins[row]]++;
    assert(
      sizes.every((size) => Math.abs(size - 2000) < 250),
      sizes.join(),
    );
  });

  test("gives missing values a last bin of their own, beyond the largest value", async () => {
    const column = Float32Array.of(1, Number.NaN, 2, 3.4e38);

    const binned = await binFeatures([column], 4, 255);

    assert.deepEqual(
      [0, 1, 2, 3].map((row) => binned.bins[row]),
      [0, 3, 1, 2],
    );
    assert.deepEqual([...binned.hasMissing], [1]);
  });

  test("sees a feature that is filled in every other row only, in data of any size", async () => {
    // Two months per customer, and a column that the first of them did not have yet.
    const values = uniform(400_000);
    const column = values.map((x, row) => (row % 2 === 0 ? 0 : 1 + x));

    assert.equal(cutsOf(await binFeatures([column], column.length, 255)).length > 100, true);
  });
});
