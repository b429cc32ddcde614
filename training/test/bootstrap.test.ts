import assert from "node:assert/strict";
import { test } from "node:test";
import { drawBootstrap, MAX_COUNT } from "../src/bootstrap.ts";
import { Random } from "../src/random.ts";

for (const rate of [1, 0.2, 0.03]) {
  test(`counts follow the Poisson distribution of mean ${rate}`, () => {
    const counts = new Uint8Array(400_000);

    drawBootstrap(new Random(3), rate, counts);

    let probability = Math.exp(-rate);
    for (let k = 0; k <= 6; k++) {
      const share = counts.filter((count) => count === k).length / counts.length;
      const error = Math.sqrt((probability * (1 - probability)) / counts.length);
      assert(Math.abs(share - probability) < 4.5 * error + 1e-5, `P(${k}): expected ${probability}, got ${share}`);
      probability *= rate / (k + 1);
    }
    assert(counts.every((count) => count <= MAX_COUNT));
  });
}

test("a resample replaces what was there, and follows from its generator alone", () => {
  const counts = new Uint8Array(1000).fill(9);
  const again = new Uint8Array(1000);

  drawBootstrap(new Random(3, 1), 1, counts);
  drawBootstrap(new Random(3, 1), 1, again);

  assert.deepEqual(counts, again);
});
