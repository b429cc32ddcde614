import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Random } from "../src/random.ts";
import type { Scores } from "../src/scores.ts";
import { topScores } from "../src/top-scores.ts";

interface Customer {
  readonly key: string;
  readonly probability: number;
}

async function* blocksOf(customers: readonly Customer[], size: number): AsyncGenerator<Scores> {
  for (let start = 0; start < customers.length; start += size) {
    const block = customers.slice(start, start + size);
    const probabilities = Float64Array.from(block, ({ probability }) => probability);
    yield { keys: block.map(({ key }) => key), probabilities };
  }
}

async function top(customers: readonly Customer[], size: number, worth?: (probability: number) => number) {
  const found: Customer[] = [];
  for await (const { keys = [], probabilities } of topScores(blocksOf(customers, 1000), size, worth)) {
    found.push(...keys.map((key, i) => ({ key: key as string, probability: probabilities[i] })));
  }
  return found;
}

/** All of them, sorted: of equal ones the first stays first. */
function sorted(customers: readonly Customer[], worth = (probability: number) => probability): Customer[] {
  return customers.toSorted((a, b) => worth(b.probability) - worth(a.probability));
}

const falling = (probability: number): number => 100 * (1 - probability) - 20 * probability;

describe("the top scores are the head of all scores, sorted with ties in input order,", () => {
  test("for any scores with many ties and any size", async () => {
    const probabilities = fc.array(
      fc.integer({ min: 0, max: 5 }).map((n) => n / 5),
      { minLength: 0, maxLength: 50 },
    );
    await fc.assert(
      fc.asyncProperty(probabilities, fc.integer({ min: 1, max: 60 }), fc.boolean(), async (values, size, falls) => {
        const customers = values.map((probability, i) => ({ key: `K${i}`, probability }));
        const worth = falls ? falling : undefined;

        assert.deepEqual(await top(customers, size, worth), sorted(customers, worth).slice(0, size));
      }),
    );
  });

  const random = new Random(5);
  const many = Array.from({ length: 300_000 }, (_, i) => ({ key: `K${i}`, probability: random.integer(5000) / 5000 }));
  for (const size of [1, 1000, 66_000, 300_000, 10 ** 9]) {
    test(`for ${size} of 300000`, async () => {
      assert.deepEqual(await top(many, size), sorted(many).slice(0, size));
    });
  }
});

test("the top scores of data without keys have none", async () => {
  async function* scores(): AsyncGenerator<Scores> {
    yield { probabilities: Float64Array.of(0.1, 0.9, 0.5) };
  }

  const found = await Array.fromAsync(topScores(scores(), 2));

  assert.deepEqual(found, [{ keys: undefined, probabilities: Float64Array.of(0.9, 0.5) }]);
});
