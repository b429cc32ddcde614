import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Model } from "@churn/contract";
import { pino } from "pino";
import { customerColumns } from "../src/customers/columns.ts";
import { BlockMemory, type CustomerOptions, customerBlock } from "../src/customers/customers.ts";
import { generateRowGroups } from "../src/customers/generator.ts";
import { conditionsOf, SCENARIOS, type ScenarioName } from "../src/customers/scenarios.ts";
import { writeRowGroups } from "../src/data/parquet-file.ts";
import { openCustomers } from "../src/data/reader.ts";
import { findData } from "../src/data/source.ts";
import { missingValue, type TableBlock } from "../src/data/table-block.ts";
import { contactValues } from "../src/evaluation/economics.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { train } from "../src/train.ts";

const ROWS = 20_000;
const STABLE: CustomerOptions = { rows: ROWS, seed: 5, month: 0, scenario: "stable", from: 1, withTruth: true };
const columns = customerColumns({ withTruth: true });

const block = (options: Partial<CustomerOptions>): TableBlock =>
  customerBlock(0, new BlockMemory(ROWS), { ...STABLE, ...options });

/** A column of a block; missing values are NaN. */
function column(name: string, { columns: values }: TableBlock): number[] {
  const index = columns.findIndex((one) => one.name === name);
  const array = values[index] as Uint8Array;
  const { scale = 1 } = columns[index];
  const missing =
    ArrayBuffer.isView(array) && !((array as unknown) instanceof Float64Array) ? missingValue(array) : NaN;
  return Array.from(array, (value) => (value === missing ? Number.NaN : value / scale));
}

function keys({ rows, columns: [bytes] }: TableBlock): string[] {
  const text = Buffer.from(bytes as Uint8Array).toString("latin1");
  return Array.from({ length: rows }, (_, row) => text.slice(10 * row, 10 * row + 10));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = <T>(values: readonly T[], is: (value: T, row: number) => boolean): number =>
  values.filter(is).length / values.length;

test("who stays is met again under the same key, a month older; who left is not", () => {
  const [before, after] = [block({ month: 3 }), block({ month: 4 })];
  const [oldKeys, newKeys] = [keys(before), keys(after)];
  const rowOf = new Map(newKeys.map((key, row) => [key, row]));
  const churn = column("churn", before);

  const met = oldKeys.map((key) => rowOf.get(key));
  assert.equal(
    met.filter((row, i) => row !== undefined && churn[i] === 1).length,
    0,
    "no one who churned is met again",
  );
  const stayers = met.filter((_, i) => churn[i] === 0);
  assert.ok(share(stayers, (row) => row !== undefined) > 0.9);
  for (const name of ["gender", "name", "email", "city", "signup_date", "plan", "product_count"]) {
    const [a, b] = [column(name, before), column(name, after)];
    assert.ok(
      met.every((row, i) => row === undefined || a[i] === b[row]),
      `${name} is theirs`,
    );
  }
  const [tenureBefore, tenureAfter] = [column("tenure_months", before), column("tenure_months", after)];
  assert.ok(met.every((row, i) => row === undefined || tenureAfter[row] === tenureBefore[i] + 1));
});

test("nobody shares a key, in a month or over the months", () => {
  const people = new Map<string, string>();
  for (const month of [0, 1, 2, 6]) {
    const now = block({ month });
    const names = column("name", now);
    const signups = column("signup_date", now);
    const all = keys(now);
    assert.equal(new Set(all).size, ROWS);
    for (const [row, key] of all.entries()) {
      const person = `${names[row]} ${signups[row]}`;
      assert.equal(people.get(key) ?? person, person, `${key} is one person`);
      people.set(key, person);
    }
  }
});

test("newcomers come every month, and the age of contracts stays as it was", () => {
  const [first, last] = [column("tenure_months", block({})), column("tenure_months", block({ month: 24 }))];

  for (const limit of [0, 1, 6, 12, 36, 100]) {
    const [before, now] = [first, last].map((tenures) => share(tenures, (tenure) => tenure <= limit));
    const tolerance = 4 * Math.sqrt((before * (1 - before) * 2) / ROWS);
    assert.ok(Math.abs(before - now) < tolerance, `share of tenures up to ${limit}: ${before}, after two years ${now}`);
  }
});

test("people have one birthday a year", () => {
  const ages = [0, 12].map((month) => {
    const now = block({ month });
    const age = column("age", now);
    return new Map(keys(now).map((key, row) => [key, age[row]]));
  });

  let met = 0;
  for (const [key, age] of ages[1]) {
    const before = ages[0].get(key);
    if (before === undefined) continue;
    assert.equal(age, before + 1, key);
    met++;
  }
  assert.ok(met > 100, `${met} met after a year`);
});

test("before its first month a scenario changes nothing", () => {
  for (const scenario of Object.keys(SCENARIOS) as ScenarioName[]) {
    assert.deepEqual(block({ month: 2, scenario, from: 3 }), block({ month: 2 }), scenario);
  }
});

test("with a price increase bills rise by 15 %, and that is on record for half a year", () => {
  const charges = (options: Partial<CustomerOptions>) => mean(column("monthly_charges", block(options)));
  const change = (month: number, options: Partial<CustomerOptions> = {}) =>
    mean(column("price_change_percent", block({ month, ...options })));
  const increase = { scenario: "price-increase", from: 2 } as const;

  assert.ok(Math.abs(charges({ month: 2, ...increase }) / charges({ month: 2 }) - 1.15) < 0.01);
  assert.ok(Math.abs(change(7, increase) - change(7) - 15) < 0.2);
  assert.ok(Math.abs(change(8, increase) - change(8)) < 0.2);
});

test("an outage raises tickets and lowers use, opinion and its trend", () => {
  const [calm, outage] = [block({ month: 1 }), block({ month: 1, scenario: "service-outage" })];
  const known = (name: string, of: TableBlock) => mean(column(name, of).filter((value) => !Number.isNaN(value)));

  assert.ok(known("support_tickets", outage) > 2 * known("support_tickets", calm));
  for (const name of ["avg_usage_hours", "usage_trend_percent", "satisfaction_score"]) {
    assert.ok(known(name, outage) < 0.95 * known(name, calm), name);
  }
});

test("one customer in ten is of the new segment, for as long as it lasts", () => {
  for (const month of [1, 6]) {
    const now = block({ month, scenario: "new-segment" });
    const [age, plan, contract, entered] = [
      column("age", now),
      column("plan", now),
      column("contract", now),
      keys(now).map((key) => key.slice(0, 2)),
    ];
    const isStudent = (_: unknown, row: number) => age[row] <= 26 && plan[row] === 3 && contract[row] === 0;

    assert.ok(share(entered, (letters, row) => row % 10 === 0 && letters === "AA") === 0, "they are all new");
    assert.ok(Math.abs(share(age, (_, row) => row % 10 === 0 && isStudent(_, row)) - 0.1) < 0.001);
  }
});

test("a marketing campaign changes who comes, and nothing about how they react", () => {
  const [before, now] = [block({ month: 1 }), block({ month: 1, scenario: "marketing-mix" })];
  const isYoungWithWallet = (of: TableBlock) => {
    const [age, method] = [column("age", of), column("payment_method", of)];
    return share(age, (years, row) => years < 30 && method[row] === 2);
  };
  const reactions = (scenario: ScenarioName) => {
    const { priceRiseWeight, ticketWeight, outageWeight, billWeight, offerWeight, studentWeight } = conditionsOf(
      scenario,
      1,
      1,
    );
    return { priceRiseWeight, ticketWeight, outageWeight, billWeight, offerWeight, studentWeight };
  };

  assert.ok(isYoungWithWallet(now) > 2.5 * isYoungWithWallet(before));
  assert.deepEqual(reactions("marketing-mix"), reactions("stable"));
});

test("a competitor's offer changes no input, to the last bit, but who churns", () => {
  for (const month of [1, 4]) {
    const [calm, offer] = [block({ month }), block({ month, scenario: "competitor-offer" })];

    // Who has left was replaced by another of the same kind: by another name, and another birthday.
    const personal = new Set(["customer_id", "name", "email", "signup_date", "age"]);
    for (const [index, { name }] of columns.entries()) {
      if (personal.has(name) || name.startsWith("churn") || name === "outcome_at") continue;
      assert.deepEqual(offer.columns[index], calm.columns[index], name);
    }
    assert.ok(mean(column("churn", offer)) > mean(column("churn", calm)) + 0.02);
  }
});

test("the unit bug multiplies the hours of three rows in ten by sixty, and that is all", () => {
  const [right, wrong] = [block({ month: 1 }), block({ month: 1, scenario: "unit-bug" })];

  for (const [index, { name }] of columns.entries()) {
    if (name !== "avg_usage_hours") assert.deepEqual(wrong.columns[index], right.columns[index], name);
  }
  const [hours, minutes] = [column("avg_usage_hours", right), column("avg_usage_hours", wrong)];
  for (const [row, value] of minutes.entries()) {
    assert.ok(Math.abs(value - hours[row] * (row % 10 < 3 ? 60 : 1)) < 1e-9, `row ${row}`);
  }
});

// --- what it means for a model ----------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "churn-scenarios-"));
after(() => rmSync(folder, { recursive: true }));
const DATASET = new URL("../../datasets/customers/dataset.json", import.meta.url).pathname;

async function file(options: Partial<CustomerOptions>): Promise<string> {
  const all = { ...STABLE, rows: 30_000, ...options };
  const out = join(folder, `${all.scenario}-${all.month}-${all.seed}.parquet`);
  await writeRowGroups(out, columns, generateRowGroups(columns, all, 1));
  return out;
}

async function fit(data: string): Promise<Model> {
  const out = `${data}.model`;
  await train({
    ...{ dataset: DATASET, data, out, seed: 1, now: () => new Date(0), log: pino({ level: "silent" }) },
    parameters: { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 100 },
    tracking: { folder: join(folder, "runs"), experiment: "churn" },
  });
  return Model.load(out);
}

interface Worth {
  readonly logLoss: number;
  readonly profit: number;
}

/** What a model is worth per customer, in expectation under the truth: no luck of outcomes. */
async function worth(model: Model, path: string): Promise<Worth> {
  const { dataset } = model.manifest;
  const { churner, stayer } = contactValues(dataset.economics as NonNullable<typeof dataset.economics>);
  const reader = await openCustomers(findData(path), dataset, { labelled: true });
  let [logLoss, profit, rows] = [0, 0, 0];
  for await (const table of reader.tables()) {
    for (const [row, p] of model.predictTable(table).entries()) {
      const truth = table.truth?.[row] ?? Number.NaN;
      logLoss -= truth * Math.log(p) + (1 - truth) * Math.log(1 - p);
      profit += model.decide(p) * (truth * churner + (1 - truth) * stayer);
      rows++;
    }
  }
  reader.close();
  return { logLoss: logLoss / rows, profit: profit / rows };
}

test("after a change of how people react, and only then, a new model is worth more", async () => {
  const old = await fit(await file({ seed: 1 }));
  const gains = new Map<ScenarioName, { logLoss: number; profit: number }>();
  for (const scenario of Object.keys(SCENARIOS) as ScenarioName[]) {
    const fresh = await fit(await file({ scenario, month: 1, seed: 1 }));
    const now = await file({ scenario, month: 1, seed: 2 });
    const [before, after] = [await worth(old, now), await worth(fresh, now)];
    gains.set(scenario, { logLoss: before.logLoss - after.logLoss, profit: after.profit / before.profit - 1 });
  }

  for (const scenario of ["price-increase", "service-outage", "new-segment", "competitor-offer"] as const) {
    const { logLoss, profit } = gains.get(scenario) as Worth;
    assert.ok(logLoss > 0.01 && profit > 0.02, `${scenario}: log-loss ${logLoss}, profit ${profit}`);
  }
  for (const scenario of ["stable", "marketing-mix", "unit-bug"] as const) {
    const { logLoss, profit } = gains.get(scenario) as Worth;
    assert.ok(logLoss < 0.005 && profit < 0.01, `${scenario}: log-loss ${logLoss}, profit ${profit}`);
  }
});
