import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Column, type Forest, featureColumnNames, Model, readModelDirectory, type Table } from "@churn/contract";
import { Random } from "../src/random.ts";
import { startScoring } from "../src/scoring-pool.ts";

const FILES = readModelDirectory(fileURLToPath(new URL("../../models/best_model", import.meta.url)));
const { dataset } = FILES.manifest;
const NAMES = featureColumnNames(dataset);
const LEVELS = new Map(NAMES.map((name) => [name, [...(dataset.columns[name].values ?? []), "never seen"]]));
/** More than any thread is worth. */
const ROWS = 10 ** 9;

/** Customers with any values, some of them missing. */
function randomTable(rows: number, random: Random): Table {
  const columns = NAMES.map((name): [string, Column] => {
    const levels = LEVELS.get(name) ?? [];
    if (dataset.columns[name].type !== "category") {
      return [
        name,
        Float64Array.from({ length: rows }, () => (random.uniform() < 0.1 ? Number.NaN : random.integer(60))),
      ];
    }
    return [name, { codes: Int32Array.from({ length: rows }, () => random.integer(levels.length + 1) - 1), levels }];
  });
  return { rows, columns: new Map(columns) };
}

describe("a scoring pool", () => {
  for (const threads of [1, 2, 5]) {
    test(`of ${threads} gives every table the model's own doubles`, async () => {
      const random = new Random(threads);
      const model = new Model(FILES);
      const tables = [1, 2048, 3, 700, 1, 1, 2048].map((rows) => randomTable(rows, random));
      const expected = tables.map((table) => model.predictTable(table));
      const scorer = startScoring(FILES, { rows: ROWS, levels: LEVELS }, threads);

      const answers = await Promise.all(tables.map((table) => scorer.score(table)));
      await scorer.close();

      assert.deepEqual(answers, expected);
    });
  }

  test("starts no thread for few rows", async () => {
    const scorer = startScoring(FILES, { rows: 10_000, levels: LEVELS }, 8);

    assert.equal(scorer.inFlight, 1);
    await scorer.close();
  });

  test("whose threads fail gives up every table, then and later, saying why", async () => {
    const broken = { ...FILES, forest: {} as Forest };
    const scorer = startScoring(broken, { rows: ROWS, levels: LEVELS }, 2);
    const random = new Random(1);

    const early = [1, 1, 1].map(() => scorer.score(randomTable(1, random)));
    for (const { status, reason } of (await Promise.allSettled(early)) as PromiseRejectedResult[]) {
      assert.equal(status, "rejected");
      assert.match(String(reason), /^Error: a scoring thread failed: /);
    }

    await assert.rejects(scorer.score(randomTable(1, random)), /a scoring thread failed: /);
    await scorer.close();
  });
});
