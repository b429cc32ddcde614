import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { customerColumns } from "../src/customers/columns.ts";
import { BlockMaker, BlockMemory, type CustomerOptions, customerBlock } from "../src/customers/customers.ts";
import { generateBlocks } from "../src/customers/generator.ts";
import { MAX_MONTH } from "../src/customers/limits.ts";
import { SCENARIOS, type ScenarioName } from "../src/customers/scenarios.ts";
import { type ColumnValues, missingValue, type TableBlock } from "../src/data/table-block.ts";

const ROWS = 30_000;
const NOW = { seed: 42, month: 0, scenario: "stable", from: 1, withTruth: true } as const;
const columns = customerColumns({ withTruth: true });
const world = customerBlock(0, new BlockMemory(ROWS), NOW);

const specification: {
  readonly key: string;
  readonly time: string;
  readonly target: { readonly column: string; readonly horizonDays: number };
  readonly columns: Readonly<Record<string, Specification>>;
} = JSON.parse(readFileSync(new URL("../../datasets/customers/dataset.json", import.meta.url), "utf8"));

interface Specification {
  readonly type: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly values?: readonly string[];
  readonly nullable?: boolean;
}

/** The numbers (or codes) of a column; missing values are NaN. */
function numbers(name: string, block: TableBlock = world): number[] {
  const index = columns.findIndex((column) => column.name === name);
  const { scale = 1 } = columns[index];
  const values: ColumnValues = block.columns[index];
  if (values instanceof Float64Array) return [...values];
  const missing = missingValue(values as Uint8Array);
  return Array.from(values as Uint8Array, (value) => (value === missing ? Number.NaN : value / scale));
}

function keys({ rows, columns: [bytes] }: TableBlock): string[] {
  const text = Buffer.from(bytes as Uint8Array).toString("latin1");
  return Array.from({ length: rows }, (_, row) => text.slice(10 * row, 10 * row + 10));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Pearson's correlation over the rows where both are known. */
function correlation(nameX: string, nameY: string): number {
  const [x, y] = [numbers(nameX), numbers(nameY)];
  const rows = x.keys().filter((row) => !Number.isNaN(x[row] + y[row]));
  const known = rows.toArray();
  const meanX = mean(known.map((row) => x[row]));
  const meanY = mean(known.map((row) => y[row]));
  let [xy, xx, yy] = [0, 0, 0];
  for (const row of known) {
    xy += (x[row] - meanX) * (y[row] - meanY);
    xx += (x[row] - meanX) ** 2;
    yy += (y[row] - meanY) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

/** Area under the ROC curve of a score that has no ties. */
function rocAuc(outcomes: readonly number[], scores: readonly number[]): number {
  const order = [...scores.keys()].sort((a, b) => scores[a] - scores[b]);
  let [ranks, positives] = [0, 0];
  for (const [rank, row] of order.entries()) {
    if (outcomes[row] === 1) {
      ranks += rank + 1;
      positives++;
    }
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (scores.length - positives));
}

async function digest(options: Partial<CustomerOptions>, count = Number.POSITIVE_INFINITY): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of generateBlocks({ ...NOW, rows: 1000, withTruth: false, ...options })) {
    for (const values of block.columns.slice(0, count)) hash.update(values as Uint8Array);
  }
  return hash.digest("hex");
}

test("the same seed and options give the same customers, another seed, month or scenario others", async () => {
  const options = { rows: 70_000, seed: 7, month: 1 };

  const one = await digest(options);

  assert.equal(await digest(options), one);
  for (const change of [{ seed: 8 }, { month: 2 }, { scenario: "price-increase" }] as const) {
    assert.notEqual(await digest({ ...options, ...change }), one);
  }
});

test("the true probability comes as one more column and changes no other", async () => {
  const plain = customerColumns().length;

  assert.deepEqual(columns.slice(0, plain), customerColumns());
  assert.deepEqual(
    columns.slice(plain).map(({ name }) => name),
    ["churn_truth"],
  );
  assert.equal(await digest({}), await digest({ withTruth: true }, plain));
});

test("blocks follow each other without gap, and a block needs no other before it", async () => {
  const blocks: TableBlock[] = [];
  for await (const block of generateBlocks({ ...NOW, rows: 140_000, seed: 3 })) blocks.push(structuredClone(block));

  assert.deepEqual(
    blocks.map(({ rows }) => rows),
    [65_536, 65_536, 8928],
  );
  const all = blocks.flatMap(keys);
  for (const row of [0, 9, 10, 65_535, 65_536, 99_999, 100_000, 139_999]) {
    assert.equal(all[row], `AA${String(row).padStart(8, "0")}`);
  }
  assert.deepEqual(new BlockMaker({ ...NOW, rows: 140_000, seed: 3 }).make(2), blocks[2]);
});

test("who is in a file does not depend on how many are, in any month", () => {
  for (const month of [0, 2]) {
    const few = new BlockMaker({ ...NOW, month, rows: 1000 }).make(0);
    const many = new BlockMaker({ ...NOW, month, rows: 2000 }).make(0);

    for (const [index, values] of few.columns.entries()) {
      assert.deepEqual(values, many.columns[index].slice(0, values.length), columns[index].name);
    }
  }
});

test("the specification declares every column, and every value keeps to it", () => {
  assert.deepEqual(
    columns.map(({ name }) => name).filter((name) => name !== "churn_truth"),
    Object.keys(specification.columns),
  );
  for (const { name, values } of columns) {
    const declared = specification.columns[name];
    if (declared === undefined || declared.type === "text" || declared.type === "date") continue;
    const known = numbers(name).filter((value) => !Number.isNaN(value));

    if (declared.nullable !== true) assert.equal(known.length, ROWS, `${name} is never missing`);
    if (declared.type === "category") assert.deepEqual(values, declared.values, `levels of ${name}`);
    if (declared.type === "integer") assert.ok(known.every(Number.isInteger), `${name} is whole`);
    const { minimum = 0, maximum = declared.type === "boolean" ? 1 : (values?.length ?? Number.NaN) - 1 } = declared;
    const outside = known.filter((value) => value < minimum || value > maximum);
    assert.deepEqual(outside, [], `${name} lies in [${minimum}, ${maximum}]`);
  }
});

test("every block keeps to the ranges that its columns promise, in every scenario", () => {
  for (const scenario of Object.keys(SCENARIOS) as ScenarioName[]) {
    const block = customerBlock(0, new BlockMemory(2000), { ...NOW, month: MAX_MONTH, scenario });
    for (const [index, { name, range }] of columns.entries()) {
      if (range === undefined) continue;
      const values = block.columns[index] as Uint8Array;
      const missing = missingValue(values);
      const [lowest, highest] = range;
      assert.ok(
        values.every((value) => value === missing || (value >= lowest && value <= highest)),
        name,
      );
    }
  }
});

test("the outcome is known on the day a customer leaves, or after the thirty days of the horizon", () => {
  const { horizonDays } = specification.target;
  const [observed, known, churn] = [numbers("observed_at"), numbers("outcome_at"), numbers("churn")];

  const days = known.map((day, row) => day - observed[row]);
  const leaving = days.filter((_, row) => churn[row] === 1);
  assert.ok(leaving.every((day) => day >= 1 && day <= horizonDays));
  assert.ok(days.every((day, row) => churn[row] === 1 || day === horizonDays + 1));
  assert.equal(new Set(leaving).size, horizonDays);
  // Those at high risk leave earlier.
  const truth = numbers("churn_truth");
  const dayOf = (isWanted: (p: number) => boolean) =>
    mean(days.filter((_, row) => churn[row] === 1 && isWanted(truth[row])));
  assert.ok(dayOf((p) => p > 0.7) < dayOf((p) => p < 0.3) - 1);
});

test("names, e-mails and cities come from pools without repetition", () => {
  for (const name of ["name", "email", "city"]) {
    const pool = columns.find((column) => column.name === name)?.values ?? [];

    assert.ok(pool.length >= 500);
    assert.equal(new Set(pool).size, pool.length);
    assert.ok(Math.max(...numbers(name)) < pool.length);
  }
  const emails = columns.find(({ name }) => name === "email")?.values ?? [];
  assert.deepEqual(
    emails.filter((email) => !/^[a-z]+\.[a-z]+@example\.com$/.test(email)),
    [],
  );
});

test("tenure counts the complete months from signup to observation", () => {
  const day = 86_400_000;
  const [signups, tenures] = [numbers("signup_date"), numbers("tenure_months")];
  const observed = new Date(numbers("observed_at")[0] * day);

  assert.equal(observed.toISOString().slice(0, 10), "2026-01-01");
  for (const [row, signup] of signups.entries()) {
    const date = new Date(signup * day);
    const months = 12 * (2026 - date.getUTCFullYear()) - date.getUTCMonth();
    assert.equal(tenures[row], date.getUTCDate() > 1 ? months - 1 : months);
  }
});

test("customers behave like customers", () => {
  const cases = [
    { x: "support_tickets", y: "usage_trend_percent", low: -0.7, high: -0.3 },
    { x: "support_tickets", y: "avg_usage_hours", low: -0.5, high: -0.1 },
    { x: "support_tickets", y: "satisfaction_score", low: -0.8, high: -0.4 },
    { x: "support_tickets", y: "churn", low: 0.2, high: 0.6 },
    { x: "usage_trend_percent", y: "churn", low: -0.6, high: -0.2 },
    { x: "tenure_months", y: "churn", low: -0.4, high: -0.1 },
    { x: "payment_delay_days", y: "monthly_charges", low: 0.02, high: 0.3 },
    { x: "payment_delay_days", y: "auto_pay", low: -0.3, high: -0.05 },
    { x: "price_change_percent", y: "churn", low: 0.1, high: 0.4 },
    { x: "contract", y: "tenure_months", low: 0.1, high: 0.5 },
    { x: "contract", y: "age", low: 0.1, high: 0.5 },
  ];

  for (const { x, y, low, high } of cases) {
    const r = correlation(x, y);
    assert.ok(r > low && r < high, `correlation of ${x} and ${y}: ${r.toFixed(3)} outside ${low} … ${high}`);
  }
  assert.ok(numbers("tenure_months").includes(0));
  assert.ok(numbers("tenure_months").filter((tenure) => tenure > 72).length > 0.1 * ROWS);
});

test("values are missing where real systems have none", () => {
  const share = (name: string) => mean(numbers(name).map((value) => (Number.isNaN(value) ? 1 : 0)));
  const [contract, left, tenure, trend] = [
    numbers("contract"),
    numbers("contract_months_left"),
    numbers("tenure_months"),
    numbers("usage_trend_percent"),
  ];

  assert.ok(share("satisfaction_score") > 0.6 && share("satisfaction_score") < 0.8);
  assert.ok(share("days_since_login") > 0.05 && share("days_since_login") < 0.15);
  for (let row = 0; row < ROWS; row++) {
    assert.equal(Number.isNaN(left[row]), !(contract[row] > 0));
    assert.equal(Number.isNaN(trend[row]), tenure[row] < 3);
  }
  assert.deepEqual(numbers("auto_pay").map(Number.isNaN), numbers("payment_method").map(Number.isNaN));
});

test("churn happens as often as its probability says, and is as predictable as documented", () => {
  const [churn, truth] = [numbers("churn"), numbers("churn_truth")];

  assert.ok(truth.every((p) => p > 0 && p < 1));
  const baseRate = mean(churn);
  assert.ok(baseRate > 0.2 && baseRate < 0.26, `base rate ${baseRate}`);
  for (const [low, high] of [
    [0, 0.05],
    [0.05, 0.2],
    [0.2, 0.5],
    [0.5, 0.8],
    [0.8, 1],
  ]) {
    const rows = [...truth.keys()].filter((row) => truth[row] >= low && truth[row] < high);
    const expected = mean(rows.map((row) => truth[row]));
    const tolerance = 4.5 * Math.sqrt((expected * (1 - expected)) / rows.length);
    assert.ok(Math.abs(mean(rows.map((row) => churn[row])) - expected) < tolerance, `between ${low} and ${high}`);
  }
  const auc = rocAuc(churn, truth);
  assert.ok(auc > 0.84 && auc < 0.875, `Bayes AUC ${auc}`);
});
