/** The request that the system before this one answered, and its ranges, against the model in the repository. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Model } from "../contract/src/index.ts";
import { buildApp } from "../serving/src/app.ts";
import { createLogger } from "../serving/src/logger.ts";
import { testService } from "../serving/test/test-app.ts";

const REQUEST = {
  age: 42,
  gender: "Female",
  monthly_charges: 899.5,
  tenure_months: 3,
  support_tickets: 8,
  payment_delay_days: 9,
  avg_usage_hours: 1.2,
};

let app: Awaited<ReturnType<typeof buildApp>>;
before(async () => {
  const model = Model.load(fileURLToPath(new URL("../models/best_model", import.meta.url)));
  app = await buildApp(model, new Date(), testService(await createLogger("silent", () => {})));
});
after(() => app.close());

async function predict(change: Record<string, unknown>) {
  const response = await app.inject({ method: "POST", url: "/predict", payload: { ...REQUEST, ...change } });
  return { status: response.statusCode, body: response.json() };
}

test("the exact request is answered with its two fields, and told what was missing", async () => {
  const { status, body } = await predict({});

  assert.equal(status, 200);
  assert([0, 1].includes(body.churn_prediction));
  assert(body.churn_probability > 0 && body.churn_probability < 1);
  const missing = body.warnings.map(({ field }: { field: string }) => field);
  assert(missing.length > 0 && !missing.some((field: string) => field in REQUEST));
});

const RANGES: Readonly<Record<string, readonly unknown[]>> = {
  age: [18, 75],
  gender: ["Male", "Female"],
  monthly_charges: [250, 1800, 1234.56],
  tenure_months: [0, 1, 72, 73, 120],
  support_tickets: [0, 12],
  payment_delay_days: [0, 20],
  avg_usage_hours: [0.2, 10],
};
for (const [field, values] of Object.entries(RANGES)) {
  for (const value of values) {
    test(`${field} = ${value} is an ordinary value`, async () => {
      assert.equal((await predict({ [field]: value })).status, 200);
    });
  }
}

for (const [field, value] of [
  ["age", 900],
  ["age", "42"],
  ["age", null],
  ["monthly_charges", -1],
  ["monthly_charges", "899.5"],
  ["support_tickets", [8]],
  ["tenure_months", 3.5],
  ["gender", null],
  ["country", "Austria"],
] as const) {
  test(`${field} = ${JSON.stringify(value)} is refused, naming the field`, async () => {
    const { status, body } = await predict({ [field]: value });

    assert.equal(status, 422);
    assert.deepEqual(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      [`/${field}`],
    );
  });
}
