import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { MEMBER, P_FADING_DAY, P_MEMBER } from "./tiny-model.ts";

let service: TestApp;
before(async () => {
  service = await buildTestApp();
});
after(() => service.app.close());

const predict = async (customer: object, { app }: TestApp = service) => {
  const response = await app.inject({ method: "POST", url: "/predict", payload: customer });
  return { status: response.statusCode, body: response.json() };
};

test("a prediction has the seed's two fields and says what made it", async () => {
  const { status, body } = await predict(MEMBER);

  assert.equal(status, 200);
  const { prediction_id, ...rest } = body;
  assert.deepEqual(rest, {
    churn_prediction: 0,
    churn_probability: P_MEMBER,
    threshold: 0.3,
    model_version: service.model.manifest.version,
  });
  assert.match(prediction_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a probability at the threshold is a churner", async () => {
  for (const [probability, decision] of [
    [0.3, 1],
    [0.29999999999999993, 0],
  ]) {
    const fixed = await buildTestApp({ predictRow: () => probability });
    assert.equal((await predict(MEMBER, fixed)).body.churn_prediction, decision);
  }
});

test("derived features count", async () => {
  const { body } = await predict({ ...MEMBER, visits: 1, tariff: "day" });
  assert.equal(body.churn_probability, P_FADING_DAY);
});

test("key and time may come along", async () => {
  const { status, body } = await predict({ ...MEMBER, member: "m-1", seen_on: "2026-11-23" });
  assert.equal(status, 200);
  assert.equal(body.churn_probability, P_MEMBER);
});

test("the order of the fields does not matter", async () => {
  const { body } = await predict(Object.fromEntries(Object.entries(MEMBER).reverse()));
  assert.equal(body.churn_probability, P_MEMBER);
});

test("an unknown category is scored like a missing one, and named", async () => {
  const unknown = await predict({ ...MEMBER, visits: 1, tariff: "night" });
  const missing = await predict({ ...MEMBER, visits: 1, tariff: null });

  assert.equal(unknown.status, 200);
  assert.deepEqual(unknown.body.warnings, [
    { field: "tariff", code: "unknown_level", detail: 'tariff: the model has not seen "night"; scored as unknown' },
  ]);
  assert.equal(unknown.body.churn_probability, missing.body.churn_probability);
});

test("a missing nullable field is scored and named, whether null or absent", async () => {
  const { weight, tariff, ...rest } = MEMBER;
  for (const customer of [rest, { ...rest, weight: null, tariff: null }]) {
    const { status, body } = await predict(customer);
    assert.equal(status, 200);
    assert.deepEqual(body.warnings, [
      { field: "tariff", code: "missing", detail: "tariff is missing; scored as unknown" },
      { field: "weight", code: "missing", detail: "weight is missing; scored as unknown" },
    ]);
  }
});

test("the probability on the wire is the exact double", async () => {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const hard = [0, 1, 0.1 + 0.2, 1e-7, 1 / 3, 2 / 3, 5e-324, 1e-21, 1 - 2 ** -53, 0.12345678901234568];
  const many = Array.from({ length: 500 }, () => random() + random() / 2 ** 32);
  let current = 0;
  const fixed = await buildTestApp({ predictRow: () => current });

  for (current of [...hard, ...many]) {
    const { body } = await predict(MEMBER, fixed);
    assert.ok(Object.is(body.churn_probability, current), `${body.churn_probability} ≠ ${current}`);
  }
});

test("a prediction leaves one log line, with no attribute of the customer", async () => {
  const quiet = await buildTestApp();
  const marked = { ...MEMBER, member: "marked-key", tariff: "marked-tariff", weight: 98_765.4321 };

  const { body } = await predict(marked, quiet);

  assert.equal(quiet.logs.length, 1);
  const { time, reqId, durationMs, ...facts } = quiet.logs[0];
  assert.deepEqual(facts, {
    level: 30,
    plane: "serving",
    event: "predict.served",
    modelVersion: quiet.model.manifest.version,
    predictionId: body.prediction_id,
    decision: 0,
    warnings: 1,
    msg: "prediction served",
  });
  assert.ok(typeof reqId === "string" && Number(durationMs) > 0 && Number(durationMs) < 5000);
  assert.doesNotMatch(JSON.stringify(quiet.logs), /marked|98765/);
});
