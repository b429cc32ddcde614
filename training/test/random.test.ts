import assert from "node:assert/strict";
import { test } from "node:test";
import { choice, exponential, gamma, normal, poisson } from "../src/data/distributions.ts";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/random.json" with { type: "json" };

const DRAWS = 200_000;

/** Mean and variance of many draws. */
function moments(draw: () => number): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < DRAWS; i++) {
    const x = draw();
    sum += x;
    squares += x * x;
  }
  const mean = sum / DRAWS;
  return { mean, variance: squares / DRAWS - mean * mean };
}

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) < tolerance, `${what}: expected ${expected} ± ${tolerance}, got ${actual}`);
}

test("a seed and stream give the numbers that another implementation gives", () => {
  assert(fixture.cases.length > 5);
  for (const { names, numbers } of fixture.cases) {
    const [seed, ...stream] = names;
    const random = new Random(seed, ...stream);

    assert.deepEqual(
      numbers.map(() => random.uint32()),
      numbers,
      `${names}`,
    );
  }
});

test("streams that differ in one number, its sign, its high bits or its place are unrelated", () => {
  const names = [[0], [1], [-1], [0, 0], [0, 1], [1, 0], [2 ** 32], [2 ** 53 - 1], [-(2 ** 40)]];

  const firsts = names.map(([seed, ...stream]) => new Random(seed, ...stream).uint32());

  assert.equal(new Set(firsts).size, names.length);
  const [a, b] = [new Random(1, 5), new Random(1, 6)];
  let agreeingBits = 0;
  for (let i = 0; i < 1000; i++) agreeingBits += 32 - bitCount(a.uint32() ^ b.uint32());
  assertNear(agreeingBits, 16_000, 450, "agreeing bits of 32,000"); // five standard deviations
});

test("uniform stays in [0, 1) and fills it evenly", () => {
  const random = new Random(1);
  const counts = new Array<number>(100).fill(0);

  for (let i = 0; i < DRAWS; i++) counts[Math.floor(100 * random.uniform())]++;

  const expected = DRAWS / 100;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  assert.ok(chiSquare < 160, `chi-square on 99 degrees of freedom: ${chiSquare}`); // p < 1e-4 above
});

test("integer reaches every value below n and none beyond", () => {
  const random = new Random(2);
  const counts = new Array<number>(7).fill(0);

  for (let i = 0; i < 70_000; i++) counts[random.integer(7)]++;

  assert.equal(counts.length, 7);
  for (const count of counts) assertNear(count, 10_000, 470, "count");
  assert.equal(random.integer(1), 0);
});

test("the distributions have their means and variances", () => {
  const random = new Random(3);
  const cases = [
    { name: "normal", draw: () => normal(random), mean: 0, variance: 1 },
    { name: "exponential", draw: () => exponential(random), mean: 1, variance: 1 },
    { name: "gamma(1.3)", draw: () => gamma(random, 1.3), mean: 1.3, variance: 1.3 },
    { name: "gamma(3)", draw: () => gamma(random, 3), mean: 3, variance: 3 },
    { name: "poisson(0.4)", draw: () => poisson(random, 0.4), mean: 0.4, variance: 0.4 },
    { name: "poisson(20)", draw: () => poisson(random, 20), mean: 20, variance: 20 },
    { name: "choice", draw: () => choice(random, [0.25, 0.5, 0.25]), mean: 1, variance: 0.5 },
  ];

  for (const { name, draw, mean, variance } of cases) {
    const measured = moments(draw);

    assertNear(measured.mean, mean, 5 * Math.sqrt(variance / DRAWS), `mean of ${name}`);
    assertNear(measured.variance, variance, 0.06 * Math.max(variance, 0.5), `variance of ${name}`);
  }
});

test("normal has the tails of a normal distribution", () => {
  const random = new Random(4);
  const beyond = [1, 2, 3, 3.5];
  const expected = [0.3173105, 0.0455003, 0.0026998, 0.00046526];
  const counts = [0, 0, 0, 0];

  for (let i = 0; i < 1_000_000; i++) {
    const x = Math.abs(normal(random));
    for (let k = 0; k < 4; k++) if (x > beyond[k]) counts[k]++;
  }

  for (let k = 0; k < 4; k++) {
    assertNear(counts[k], 1e6 * expected[k], 5 * Math.sqrt(1e6 * expected[k]), `draws beyond ${beyond[k]}`);
  }
});

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
