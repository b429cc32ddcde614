import assert from "node:assert/strict";
import { test } from "node:test";
import { gaussLegendre } from "../src/quadrature.ts";

for (const n of [1, 2, 3, 6, 12, 16]) {
  test(`${n} nodes integrate t^k over [0, 1] to 1 / (k + 1) for all k below ${2 * n}`, () => {
    const { nodes, weights } = gaussLegendre(n);

    for (let k = 0; k < 2 * n; k++) {
      const sum = nodes.reduce((total, t, i) => total + weights[i] * t ** k, 0);
      assert(Math.abs(sum - 1 / (k + 1)) < 1e-14, `t^${k}: ${sum}`);
    }
    assert(nodes.every((t, i) => t > (nodes[i - 1] ?? 0) && t < 1));
    assert(weights.every((weight) => weight > 0));
  });
}
