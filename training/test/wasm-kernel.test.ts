import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ForestParameters } from "@churn/contract";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { fitForest } from "../src/forest/random-forest.ts";
import { BLOCK_ROWS } from "../src/forest/tree-kernel.ts";
import { shareKernel } from "../src/forest/wasm-kernel.ts";
import { Random } from "../src/random.ts";

/** A column's values by row. */
type Draw = (random: Random) => number;

const many: Draw = (random) => random.uniform() * 20 - 10;
const levels: Draw = (random) => random.integer(5);
const flag: Draw = (random) => random.integer(2);
const constant: Draw = () => 3;
const nothing: Draw = () => Number.NaN;
const sometimes =
  (draw: Draw): Draw =>
  (random) =>
    random.uniform() < 0.3 ? Number.NaN : draw(random);

interface Case {
  readonly rows: number;
  readonly draws: readonly Draw[];
  readonly parameters?: Partial<ForestParameters>;
}

const SKLEARN = { maxSamples: 1, minSamplesLeaf: 1, maxFeatures: 2 };

const CASES: Readonly<Record<string, Case>> = {
  "numbers and categories": { rows: 3000, draws: [many, many, levels, flag, many] },
  "missing values in each column": {
    rows: 3000,
    draws: [many, many, levels, flag].map(sometimes),
    parameters: SKLEARN,
  },
  "columns that tell nothing": { rows: 500, draws: [constant, nothing, sometimes(constant), levels] },
  "every feature at each split": { rows: 1000, draws: Array(9).fill(sometimes(many)), parameters: { maxFeatures: 9 } },
  "one feature": { rows: 1000, draws: [many], parameters: { maxFeatures: 1 } },
  "two bins": { rows: 2000, draws: [many, sometimes(many)], parameters: { maxBins: 2 } },
  "deep trees": { rows: 2000, draws: [many, many, many], parameters: { ...SKLEARN, maxDepth: 32 } },
  stumps: { rows: 2000, draws: [many, flag], parameters: { maxDepth: 1 } },
  "three rows": { rows: 3, draws: [many, flag], parameters: SKLEARN },
  "one row": { rows: 1, draws: [many], parameters: SKLEARN },
  "leaves larger than the data": { rows: 100, draws: [many], parameters: { minSamplesLeaf: 1_000_000 } },
  "samples too large to gather at the root": {
    rows: 2 * BLOCK_ROWS,
    draws: [sometimes(many), many, levels],
    parameters: { ...SKLEARN, nEstimators: 3 },
  },
  "more rows than are scored": { rows: 30_000, draws: [many, levels], parameters: { nEstimators: 5 } },
};

function makeData({ rows, draws }: Case) {
  const random = new Random(1);
  const columns = draws.map((draw) => Float32Array.from({ length: rows }, () => draw(random)));
  const labels = Uint8Array.from({ length: rows }, (_, row) => {
    const signal = columns.reduce((sum, column) => sum + (column[row] > 0 ? 1 : 0), 0) / columns.length;
    return random.uniform() < 0.1 + 0.6 * signal ? 1 : 0;
  });
  return { columns, labels };
}

describe("the kernel in WebAssembly grows the plain kernel's forests, and scores rows as it does, to the last bit", () => {
  for (const [name, example] of Object.entries(CASES)) {
    test(name, async () => {
      const { columns, labels } = makeData(example);
      const parameters = { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 20, ...example.parameters };
      const plain = await fitForest(columns, labels, parameters, { seed: 5, nJobs: 1, kernel: "plain" });
      assert.equal(plain.kernel, "plain");

      for (const nJobs of [1, 2]) {
        const { kernel, ...fitted } = await fitForest(columns, labels, parameters, { seed: 5, nJobs });

        assert.equal(kernel, "webassembly");
        assert.deepEqual({ ...fitted, kernel: "plain" }, plain);
      }
    });
  }
});

test("data beyond 32-bit addresses are left to the plain kernel", () => {
  const sizes = { nRows: 60_000_000, nFeatures: 20, nScored: 100_000, maxDepth: 12 };

  assert.equal(shareKernel({ ...sizes, nFeatures: 70 }, 1), undefined);
  assert.equal(shareKernel(sizes, 8), undefined);
});
