import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type CategoryColumn,
  ChurnError,
  type Column,
  compileFeatures,
  type DatasetSpecification,
  type ErrorCode,
  MISSING_CODE,
} from "@churn/contract";
import type { CustomerReader, CustomerTable } from "../src/data/reader.ts";
import { HOLDOUT_SHARE, isHeldOut, readTrainingSet, splitSamples, type TrainingSet } from "../src/data/training-set.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0, maximum: 40 },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
  features: { often: "visits > 4" },
};

interface Customer {
  readonly key?: string | null;
  readonly visits?: number;
  readonly plan?: string | null;
  readonly left?: 0 | 1;
  readonly truth?: number;
}

/** Four customers in ten churn; visits and plans vary. */
function customers(n: number, change: (i: number) => Customer = () => ({})): Required<Customer>[] {
  return Array.from({ length: n }, (_, i) => ({
    ...{ key: `K${i}`, visits: i % 9, plan: ["day", "full"][i % 2], left: i % 5 < 2 ? 1 : 0, truth: 0.4 },
    ...change(i),
  }));
}

/** A reader that gives customers in tables of the given size. */
function readerOf(
  all: readonly Required<Customer>[],
  size: number,
  { hasKeys = true, hasTruth = false },
): CustomerReader {
  const levels = [...new Set(all.map(({ plan }) => plan))].filter((plan) => plan !== null).sort();
  async function* tables(): AsyncGenerator<CustomerTable> {
    for (let start = 0; start < all.length; start += size) {
      const rows = all.slice(start, start + size);
      const plan: CategoryColumn = {
        codes: Int32Array.from(rows, (row) => (row.plan === null ? MISSING_CODE : levels.indexOf(row.plan))),
        levels,
      };
      yield {
        rows: rows.length,
        columns: new Map<string, Column>([
          ["visits", Float64Array.from(rows, ({ visits }) => visits)],
          ["plan", plan],
        ]),
        labels: Uint8Array.from(rows, ({ left }) => left),
        ...(hasKeys && { keys: rows.map(({ key }) => key) }),
        ...(hasTruth && { truth: Float64Array.from(rows, ({ truth }) => truth) }),
      };
    }
  }
  return {
    columns: [],
    extraColumns: [],
    missingColumns: [],
    levels: new Map(),
    rows: all.length,
    tables,
    impossibleRows: async () => ({ repeated: 0, future: 0 }),
    close: () => {},
  };
}

function readSet(
  all: readonly Required<Customer>[],
  {
    dataset = GYM,
    size = 100,
    ...has
  }: { dataset?: DatasetSpecification; size?: number; hasKeys?: boolean; hasTruth?: boolean } = {},
): Promise<TrainingSet> {
  return readTrainingSet(readerOf(all, size, has), "gym.csv", dataset, compileFeatures(dataset, "dataset.json"));
}

describe("the holdout", () => {
  test("is a fifth of the customers, whatever their keys look like", () => {
    for (const key of [
      (i: number) => `${i}`,
      (i: number) => `C${String(i).padStart(9, "0")}`,
      (i: number) => `${i}-é-名`,
    ]) {
      const held = Array.from({ length: 20_000 }, (_, i) => key(i)).filter(isHeldOut).length;

      assert(Math.abs(held / 20_000 - HOLDOUT_SHARE) < 0.012, `${held} of 20000`); // four standard deviations
    }
  });

  test("is decided by the key alone: the same in another order, file or month", async () => {
    const all = customers(1000);
    const sideOf = (set: TrainingSet, rows: readonly Customer[]): Map<unknown, number> =>
      new Map(rows.map(({ key }, i) => [key, set.isHoldout[i]]));

    const whole = sideOf(await readSet(all), all);
    const part = all.slice(300).reverse();
    const again = sideOf(await readSet(part, { size: 7 }), part);

    for (const [key, side] of again) assert.equal(side, whole.get(key));
  });

  test("keeps all rows of one customer on one side", async () => {
    const set = await readSet(customers(1000, (i) => ({ key: `K${i % 250}` })));

    for (let i = 250; i < 1000; i++) assert.equal(set.isHoldout[i], set.isHoldout[i % 250]);
  });

  test("goes by the row where there is no key, or a blank one", async () => {
    const without = await readSet(customers(1000), { hasKeys: false });
    const blank = await readSet(customers(1000, () => ({ key: null })));

    const held = without.isHoldout.reduce((sum, side) => sum + side, 0);
    assert(held > 150 && held < 250, `${held} of 1000`);
    assert.deepEqual(blank.isHoldout, without.isHoldout);
  });
});

test("the split gives each side its own customers, in their order, with everything that is theirs", async () => {
  const all = customers(1000, (i) => ({ visits: i, truth: i / 1000, left: (i % 3 === 0 ? 1 : 0) as 0 | 1 }));

  const { training, holdout } = splitSamples(await readSet(all, { hasTruth: true, size: 300 }));

  for (const [sample, side] of [
    [training, all.filter(({ key }) => !isHeldOut(key as string))],
    [holdout, all.filter(({ key }) => isHeldOut(key as string))],
  ] as const) {
    const seen = [sample.rows, [...sample.columns[0]], [...sample.labels], [...(sample.truth ?? [])]];
    const expected = [
      side.length,
      side.map(({ visits }) => visits),
      side.map(({ left }) => left),
      side.map(({ truth }) => truth),
    ];
    assert.deepEqual(seen, expected);
  }
});

describe("a training set", () => {
  test("does not depend on the size of the tables it is read in", async () => {
    const all = customers(500, (i) => ({
      visits: i % 7 === 0 ? Number.NaN : i,
      plan: i % 11 === 0 ? null : `p${i % 6}`,
    }));

    assert.deepEqual(
      await readSet(all, { size: 1, hasTruth: true }),
      await readSet(all, { size: 500, hasTruth: true }),
    );
  });

  test("holds float32 features in their order, labels, and truth where it is known", async () => {
    const all = customers(200, (i) => ({ truth: i / 200 }));

    const set = await readSet(all, { hasTruth: true });

    assert.equal(set.rows, 200);
    assert.deepEqual(
      [...set.columns[0]],
      all.map(({ visits }) => visits),
    );
    assert.deepEqual(
      [...set.columns[2]],
      all.map(({ visits }) => +(visits > 4)),
    );
    assert.deepEqual(
      [...set.labels],
      all.map(({ left }) => left),
    );
    assert.deepEqual(
      [...(set.truth ?? [])],
      all.map(({ truth }) => truth),
    );
    assert.equal((await readSet(all)).truth, undefined);
  });

  test("orders levels by their share of churners", async () => {
    const share = { safe: 0.1, middle: 0.5, risky: 0.9 };
    const plans = Object.keys(share) as (keyof typeof share)[];

    const { encodings } = await readSet(
      customers(900, (i) => ({
        plan: plans[i % 3],
        left: (Math.floor(i / 3) % 10) / 10 < share[plans[i % 3]] ? 1 : 0,
      })),
    );

    assert.deepEqual(encodings, { plan: ["safe", "middle", "risky"] });
  });

  test("learns that order from the training rows only", async () => {
    // What the held-out customers do is turned around, and one level is theirs alone.
    const label = (i: number): 0 | 1 => (i % 10 < (i % 2 === 0 ? 2 : 8) ? 1 : 0);
    const honest = customers(2000, (i) => ({ plan: i % 2 === 0 ? "day" : "full", left: label(i) }));
    const turned = honest.map((customer, i) =>
      isHeldOut(customer.key ?? "")
        ? { ...customer, left: (1 - customer.left) as 0 | 1, plan: i % 3 === 0 ? "guest" : customer.plan }
        : customer,
    );

    const { encodings, columns, isHoldout } = await readSet(turned);

    assert.deepEqual(encodings, (await readSet(honest)).encodings);
    for (const [i, { plan }] of turned.entries()) {
      assert.equal(Number.isNaN(columns[1][i]), plan === "guest");
      if (plan === "guest") assert.equal(isHoldout[i], 1);
    }
  });

  test("knows declared levels that nobody has, and puts them in the middle", async () => {
    const dataset = { ...GYM, columns: { ...GYM.columns, plan: { type: "category", values: ["student"] } } } as const;
    const left = (i: number): 0 | 1 => (i % 20 < (i % 2 === 0 ? 4 : 16) ? 1 : 0);

    const { encodings } = await readSet(
      customers(1000, (i) => ({ left: left(i) })),
      { dataset },
    );

    assert.deepEqual(encodings.plan, ["day", "student", "full"]);
  });

  test("counts findings by column, and keeps their rows", async () => {
    const { findings, rows } = await readSet(
      customers(200, (i) => ({ visits: [-1, 41, 2.5, Number.NaN][i] ?? i % 9, plan: i < 3 ? null : "full" })),
    );

    assert.deepEqual([findings, rows], [{ visits: 4 }, 200]);
  });
});

const USELESS: readonly (readonly [string, (i: number) => Customer, RegExp])[] = [
  [
    "a constant number",
    () => ({ visits: 5 }),
    /column "visits": expected at least two .*, got 5 in every row \(numbers count to seven digits\): mend/,
  ],
  ["a number nobody has", () => ({ visits: Number.NaN }), /column "visits": .*, got no value at all: mend the data/],
  ["numbers that are all too large", () => ({ visits: 1e300 }), /column "visits": .*, got no value at all/],
  ["a constant category", () => ({ plan: "full" }), /column "plan": .*, got "full" in every row: mend .* "ignore"$/],
  ["a category nobody has", () => ({ plan: null }), /column "plan": .*, got no value at all: mend the data, or give/],
];

async function fails(all: readonly Required<Customer>[], code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(readSet(all), (error) => {
    assert(error instanceof ChurnError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, /^gym\.csv: /);
    assert.match(error.message, message);
    return true;
  });
}

describe("a training set is refused with", () => {
  for (const [name, change, message] of USELESS) {
    test(name, () => fails(customers(200, change), "CHURN_ERR_DATA_INVALID", message));
  }

  test("too few churners", () =>
    fails(
      customers(1000, (i) => ({ left: i < 12 ? 1 : 0 })),
      "CHURN_ERR_DATA_INSUFFICIENT",
      /expected at least 10 customers of each class among the \w+ rows, got \d who churned and \d+ who stayed$/,
    ));

  test("too few stayers", () =>
    fails(
      customers(1000, (i) => ({ left: i < 5 ? 0 : 1 })),
      "CHURN_ERR_DATA_INSUFFICIENT",
      /among the training rows, got \d+ who churned and \d who stayed$/,
    ));

  test("too few customers to hold any out", () =>
    fails(customers(60), "CHURN_ERR_DATA_INSUFFICIENT", /of each class among the holdout rows, got \d+ who churned/));
});

for (const [name, change] of [
  ["a column that is constant but for missing values", (i: number) => ({ plan: i % 2 ? "full" : null })],
  ["a derived feature that is constant", (i: number) => ({ visits: i % 3 })],
] as const) {
  test(`a training set may have ${name}`, async () => {
    assert.equal((await readSet(customers(200, change))).rows, 200);
  });
}
