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

const explain = async (customer: object, query = "?explain=true") => {
  const response = await service.app.inject({ method: "POST", url: `/predict${query}`, payload: customer });
  return { status: response.statusCode, body: response.json() };
};

test("an explained prediction names what moved the score, the largest first", async () => {
  const { status, body } = await explain(MEMBER);

  assert.equal(status, 200);
  const { reasons, base_value, other_contributions, forest_score } = body;
  // By hand: of the first tree, visits take it from 17/30 to 1/10 or, with the tariff known, from 1/2; of the second, 2/5 to 1/5.
  const expected = [
    ["visits", 6.5, -13 / 60, undefined, "Visits: 6.5 per month, which lowers the risk score by 21.7 points."],
    [
      "fading",
      false,
      -0.1,
      "visits < 2 && !trainer",
      "visits < 2 && !trainer: no, which lowers the risk score by 10.0 points.",
    ],
    ["tariff", "full", -1 / 60, undefined, "tariff: full, which lowers the risk score by 1.7 points."],
  ] as const;
  assert.equal(reasons.length, expected.length);
  for (const [i, [feature, value, contribution, expression, text]] of expected.entries()) {
    const { contribution: got, ...rest } = reasons[i];
    assert.deepEqual(rest, { feature, value, effect: "lowers", text, ...(expression && { expression }) });
    assert(Math.abs(got - contribution) < 1e-7, `${feature}: expected ${contribution}, got ${got}`); // leaves are float32
  }
  assert.equal(other_contributions, 0);
  assert.equal(forest_score, P_MEMBER);
  assert(
    Math.abs(reasons.reduce((sum: number, one: Contribution) => sum + one.contribution, base_value) - P_MEMBER) < 1e-12,
  );
});

test("a reason's value is null for what is missing, and the probability is the same to the last bit", async () => {
  const customer = { ...MEMBER, visits: 1, tariff: null, trainer: true };
  const { body } = await explain(customer);

  const plain = await predict(customer);
  assert.equal(body.churn_probability, plain.body.churn_probability);
  assert.deepEqual(body.warnings, plain.body.warnings);
  const tariff = body.reasons.find(({ feature }: Contribution) => feature === "tariff");
  assert.equal(tariff.value, null);
  assert.match(tariff.text, /^tariff: not known, which raises/);
});

test("explain=false is as if nothing was said", async () => {
  const { prediction_id: _, ...rest } = (await explain(MEMBER, "?explain=false")).body;
  const { prediction_id: __, ...expected } = (await predict(MEMBER)).body;
  assert.deepEqual(rest, expected);
});

test("a query that is not understood is refused, by the parameter's name", async () => {
  for (const [query, parameter, code, words] of [
    ["?explain=yes", "explain", "enum", 'expected one of "true", "false", got "yes"'],
    ["?explain=", "explain", "enum", 'expected one of "true", "false", got ""'],
    ["?explain", "explain", "enum", 'expected one of "true", "false", got ""'],
    ["?explain=TRUE", "explain", "enum", 'expected one of "true", "false", got "TRUE"'],
    ["?explian=true", "explian", "additionalProperties", "expected no such field"],
    ["?constructor=1", "constructor", "additionalProperties", "expected no such field"],
  ]) {
    const { status, body } = await explain(MEMBER, query);
    assert.equal(status, 422, query);
    assert.equal(body.type, "urn:problem-type:churn:invalid-query");
    assert.deepEqual(body.errors, [{ parameter, code, detail: `query parameter ${parameter}: ${words}` }]);
    assert.equal(body.detail, body.errors[0].detail);
  }
  const twice = await explain(MEMBER, "?explain=true&explain=true");
  assert.equal(twice.status, 422);
  assert.match(twice.body.detail, /query parameter explain: expected string, got a list/);
});

test("an explained prediction says so in the log, and nothing of the customer", async () => {
  const quiet = await buildTestApp();
  const marked = { ...MEMBER, tariff: "marked-tariff", visits: 31.71828 };

  await quiet.app.inject({ method: "POST", url: "/predict?explain=true", payload: marked });

  assert.equal(quiet.logs.length, 1);
  assert.equal(quiet.logs[0].explained, true);
  assert.doesNotMatch(JSON.stringify(quiet.logs), /marked|31\.7|contribution|reason/);
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

interface Contribution {
  readonly feature: string;
  readonly contribution: number;
}
