import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../src/random.ts";
import fixture from "./fixtures/random.json" with { type: "json" };

const DRAWS = 200_000;

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

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
