import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Discrete,
  erlang3,
  exp,
  exponential,
  gamma,
  isBelow,
  normal,
  poissonWeights,
} from "../src/customers/distributions.ts";
import { Random } from "../src/random.ts";

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

function drawFrom(random: Random, weights: readonly number[]): () => number {
  const distribution = new Discrete(weights);
  return () => distribution.draw(random);
}

test("the distributions have their means and variances", () => {
  const random = new Random(3);
  const cases = [
    { name: "normal", draw: () => normal(random), mean: 0, variance: 1 },
    { name: "exponential", draw: () => exponential(random), mean: 1, variance: 1 },
    { name: "gamma(1.3)", draw: () => gamma(random, 1.3), mean: 1.3, variance: 1.3 },
    { name: "erlang of shape 3", draw: () => erlang3(random), mean: 3, variance: 3 },
    { name: "poisson(0.4)", draw: drawFrom(random, poissonWeights(0.4, 30)), mean: 0.4, variance: 0.4 },
    { name: "poisson(20)", draw: drawFrom(random, poissonWeights(20, 80)), mean: 20, variance: 20 },
    { name: "three numbers", draw: drawFrom(random, [1, 2, 1]), mean: 1, variance: 0.5 },
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

test("an exponential draw exceeds x with probability e^-x, far into the tail", () => {
  const random = new Random(5);
  const beyond = [0.01, 0.5, 2, 5, 9];
  const counts = beyond.map(() => 0);

  for (let i = 0; i < 1_000_000; i++) {
    const x = exponential(random);
    for (const [k, limit] of beyond.entries()) if (x > limit) counts[k]++;
  }

  for (const [k, limit] of beyond.entries()) {
    const expected = 1e6 * Math.exp(-limit);
    assertNear(counts[k], expected, 5 * Math.sqrt(expected), `draws beyond ${limit}`);
  }
});

test("exp agrees with Math.exp to six digits", () => {
  for (let x = -15.99; x < 16; x += 0.00317) assertNear(exp(x) / Math.exp(x), 1, 2e-6, `exp(${x})`);
});

test("a discrete distribution draws each number as often as its weight says, and never one of weight 0", () => {
  const random = new Random(6);
  const weights = [0, 3, 0, 1e-3, 5, 0, 2, 0];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const distribution = new Discrete(weights);
  const counts = weights.map(() => 0);

  for (let i = 0; i < DRAWS; i++) counts[distribution.draw(random)]++;

  for (const [number, weight] of weights.entries()) {
    const expected = (DRAWS * weight) / total;
    assertNear(counts[number], expected, 5 * Math.sqrt(expected) + 1e-9, `draws of ${number}`);
  }
});

test("the weights of a Poisson distribution are its probabilities, the rest in the last", () => {
  const weights = poissonWeights(1.4, 3);

  const expected = [0.246597, 0.345236, 0.241665, 1 - 0.246597 - 0.345236 - 0.241665]; // e^-1.4 · 1.4^k / k!
  assert.equal(weights.length, 4);
  for (const [count, weight] of weights.entries()) assertNear(weight, expected[count], 1e-6, `weight of ${count}`);
});

test("a chance of 0 never comes true, one of 1 always", () => {
  assert.ok(!isBelow(0, 0));
  assert.ok(isBelow(0xffff, 1));
});
