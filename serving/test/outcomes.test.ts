import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { buildTestApp, listSink, type TestApp } from "./test-app.ts";
import { GYM, MEMBER } from "./tiny-model.ts";

let service: TestApp;
beforeEach(async () => {
  service = await buildTestApp();
});

const ID = "01960f2e-7c5b-7000-8000-00000000000A";
const post = (payload: unknown, { app }: TestApp = service, url = "/outcomes") =>
  app.inject({
    method: "POST",
    url,
    payload: JSON.stringify(payload),
    headers: { "content-type": "application/json" },
  });

test("an outcome of a prediction is accepted, and holds from now unless it says otherwise", async () => {
  const before = Date.now();
  const response = await post({ prediction_id: ID, churn_outcome: 1 });

  assert.equal(response.statusCode, 202);
  assert.deepEqual(response.json(), { accepted: 1 });
  const [record] = service.records;
  assert.ok(record.kind === "outcome");
  const { observedAt, reportedAt, ...rest } = record;
  assert.deepEqual(rest, {
    kind: "outcome",
    predictionId: ID.toLowerCase(),
    customerKey: null,
    outcome: 1,
    contacted: null,
  });
  assert.ok(observedAt >= before && observedAt === reportedAt && observedAt <= Date.now());
});

test("an outcome of a customer has a time; many come in a list, in their order", async () => {
  const byKey = {
    customer_key: "m-1",
    observed_at: "2026-11-30",
    churn_outcome: 0,
    reported_at: "2026-12-01T08:30:00+02:00",
    contacted: false,
  };
  const response = await post([byKey, { prediction_id: ID, churn_outcome: 1 }]);

  assert.deepEqual(response.json(), { accepted: 2 });
  assert.deepEqual(service.records[0], {
    kind: "outcome",
    predictionId: null,
    customerKey: "m-1",
    observedAt: Date.parse("2026-11-30T00:00:00Z"),
    outcome: 0,
    reportedAt: Date.parse("2026-12-01T06:30:00Z"),
    contacted: 0,
  });
  assert.equal(service.records.length, 2);
});

test("a correction is the later word, also when the clock has been set back since", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  await post({ prediction_id: ID, churn_outcome: 1 });
  t.mock.timers.setTime(1_800_000_000_000 - 3_600_000);
  await post({ prediction_id: ID, churn_outcome: 0 });

  const times = service.records.map((record) => record.kind === "outcome" && record.reportedAt);
  assert.deepEqual(times, [1_800_000_000_000, 1_800_000_000_000]);
});

/** Name, body, pointer and code of each fault. */
const FAULTS: readonly (readonly [string, unknown, ...(readonly [string, string])[]])[] = [
  ["no subject", { churn_outcome: 1 }, ["", "oneOf"]],
  [
    "two subjects",
    { prediction_id: ID, customer_key: "a", observed_at: "2026-01-01", churn_outcome: 1 },
    ["", "oneOf"],
  ],
  ["a customer without a time", { customer_key: "a", churn_outcome: 1 }, ["", "oneOf"]],
  ["no outcome", { prediction_id: ID }, ["/churn_outcome", "required"]],
  ["an outcome that is a text", { prediction_id: ID, churn_outcome: "yes" }, ["/churn_outcome", "type"]],
  ["a contact that is a word", { prediction_id: ID, churn_outcome: 1, contacted: "no" }, ["/contacted", "type"]],
  ["an outcome of 2", { prediction_id: ID, churn_outcome: 2 }, ["/churn_outcome", "enum"]],
  ["an id that is none", { prediction_id: "x", churn_outcome: 1 }, ["/prediction_id", "pattern"]],
  ["an empty key", { customer_key: "", observed_at: "2026-01-01", churn_outcome: 1 }, ["/customer_key", "minLength"]],
  ["an unknown field", { prediction_id: ID, churn_outcome: 1, shoe: 1 }, ["/shoe", "additionalProperties"]],
  [
    "a time without a zone",
    { prediction_id: ID, churn_outcome: 1, observed_at: "2026-01-01T10:00" },
    ["/observed_at", "pattern"],
  ],
  [
    "a day that is none",
    { customer_key: "a", observed_at: "2026-02-29", churn_outcome: 1 },
    ["/observed_at", "pattern"],
  ],
  [
    "a hour that is none",
    { prediction_id: ID, churn_outcome: 1, reported_at: "2026-01-01T24:30Z" },
    ["/reported_at", "pattern"],
  ],
  ["one of many", [{ prediction_id: ID, churn_outcome: 1 }, { churn_outcome: 0 }, 7], ["/1", "oneOf"], ["/2", "type"]],
  ["an empty list", [], ["", "minItems"]],
  ["a text", "yes", ["", "type"]],
];

test("a time's pattern lets in each day of the calendar, and no other", async () => {
  const { paths } = (await service.app.inject({ url: "/docs/json" })).json();
  const [{ properties }] = paths["/outcomes"].post.requestBody.content["application/json"].schema.anyOf[0].oneOf;
  const pattern = new RegExp(properties.observed_at.pattern);
  for (const year of [1600, 1900, 1904, 1999, 2000, 2023, 2024, 2096, 2100, 2400]) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
        const date = new Date(Date.UTC(year, month - 1, day));
        const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
        assert.equal(pattern.test(text), isDay, text);
      }
    }
  }
});

for (const [name, body, ...faults] of FAULTS) {
  test(`422, and nothing is kept: ${name}`, async () => {
    const response = await post(body);

    assert.equal(response.statusCode, 422);
    assert.equal(response.json().type, "urn:problem-type:churn:invalid-outcome");
    assert.deepEqual(
      response.json().errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]),
      faults,
    );
    assert.deepEqual(service.records, []);
  });
}

test("what cannot be kept is not called accepted", async () => {
  const full = await buildTestApp(
    {},
    { sink: { ...listSink(), flushed: async () => false, erase: async () => false } },
  );
  const narrow = await buildTestApp({}, { sink: { ...listSink(), record: () => false } });
  assert.equal((await post({ prediction_id: ID, churn_outcome: 1 }, narrow)).statusCode, 503);
  const outcome = await post({ prediction_id: ID, churn_outcome: 1 }, full);
  const erasure = await post({ customer_key: "m-1" }, full, "/erasures");
  for (const response of [outcome, erasure]) {
    assert.equal(response.statusCode, 503);
    assert.equal(response.json().type, "urn:problem-type:churn:store-full");
  }
});

test("a customer is forgotten by his key, which stands in no log", async () => {
  const response = await post({ customer_key: "marked-key" }, service, "/erasures");

  assert.equal(response.statusCode, 202);
  assert.deepEqual(response.json(), { status: "accepted" });
  assert.ok(service.records[0].kind === "erasure" && service.records[0].customerKey === "marked-key");
  assert.doesNotMatch(JSON.stringify(service.logs), /marked/);
  for (const body of [{}, { customer_key: "" }, { customer_key: 7 }, { customer_key: "a", all: true }]) {
    assert.equal((await post(body, service, "/erasures")).json().status, 422);
  }
});

test("a prediction is recorded as it was asked and answered, without what the schema has no field for", async () => {
  const before = Date.now();
  const customer = { ...MEMBER, member: "m-1", seen_on: "2026-11-23", tariff: null };
  const { prediction_id, churn_probability } = (await post(customer, service, "/predict")).json();

  const [record] = service.records;
  assert.ok(record.kind === "prediction");
  const { predictedAt, ...rest } = record;
  assert.ok(predictedAt >= before && predictedAt <= Date.now());
  assert.deepEqual(rest, {
    kind: "prediction",
    predictionId: prediction_id,
    customerKey: "m-1",
    observedAt: Date.parse("2026-11-23T00:00:00Z"),
    features: { visits: 6.5, lockers: 1, trainer: false, tariff: null, weight: 71.3 },
    score: churn_probability,
    decision: 0,
    modelVersion: service.model.manifest.version,
    modelSha256: service.model.manifest.contentSha256,
  });
});

test("with a secret, sensitive values are hashed: equal ones stay equal, nobody reads them back", async () => {
  const hashSecret = "sixteen letters.";
  const hashed = await buildTestApp({}, { hashSecret });
  const other = await buildTestApp({}, { hashSecret: "sixteen LETTERS." });
  const weights = async (app: TestApp): Promise<unknown[]> => {
    for (const weight of [71.3, 71.3, 80, null]) await post({ ...MEMBER, weight }, app, "/predict");
    return app.records.map((record) => record.kind === "prediction" && record.features.weight);
  };

  const [first, second, third, missing] = await weights(hashed);
  assert.match(String(first), /^[0-9a-f]{32}$/);
  assert.equal(first, second);
  assert.notEqual(first, third);
  assert.equal(missing, null);
  assert.notEqual((await weights(other))[0], first);
});

test("a sensitive key is hashed in predictions, outcomes and erasures alike", async () => {
  const dataset = { ...GYM, columns: { ...GYM.columns, member: { ...GYM.columns.member, sensitive: true } } };
  const { model } = await buildTestApp();
  const app = await buildTestApp({ manifest: { ...model.manifest, dataset } }, { hashSecret: "sixteen letters." });
  await post({ ...MEMBER, member: "m-1" }, app, "/predict");
  await post({ customer_key: "m-1", observed_at: "2026-11-30", churn_outcome: 0 }, app);
  await post({ customer_key: "m-1" }, app, "/erasures");

  const keys = app.records.map(({ customerKey }) => customerKey);
  assert.match(String(keys[0]), /^[0-9a-f]{32}$/);
  assert.deepEqual(keys, [keys[0], keys[0], keys[0]]);
});
