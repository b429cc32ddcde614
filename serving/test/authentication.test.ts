import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { ApiKeys, SCOPES } from "../src/api-keys.ts";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { MEMBER } from "./tiny-model.ts";

const ALL = "key-of-all-scopes";
const PREDICT = "key-that-predicts";
const METRICS = "key-of-prometheus";

let service: TestApp;
before(async () => {
  service = await buildTestApp({}, { keys: ApiKeys.parse(`${ALL}, predict:${PREDICT},metrics+outcomes:${METRICS}`) });
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = (user: string, key: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${key}`).toString("base64")}`,
});
const predict = (headers: Record<string, string>) =>
  service.app.inject({ method: "POST", url: "/predict", payload: MEMBER, headers });

test("a key is found by what it is, with its scopes and a name that does not tell it", () => {
  const keys = ApiKeys.parse(`${ALL}, predict:${PREDICT},metrics+outcomes:${METRICS}`);

  assert.equal(keys.size, 3);
  assert.deepEqual([...(keys.find(ALL)?.scopes ?? [])], [...SCOPES]);
  assert.deepEqual([...(keys.find(PREDICT)?.scopes ?? [])], ["predict"]);
  assert.deepEqual([...(keys.find(METRICS)?.scopes ?? [])], ["metrics", "outcomes"]);
  for (const wrong of ["", "key", `${ALL}x`, ALL.toUpperCase(), `predict:${PREDICT}`]) {
    assert.equal(keys.find(wrong), undefined, wrong);
  }
  assert.match(keys.find(ALL)?.id ?? "", /^[0-9a-f]{8}$/);
  assert.doesNotMatch(JSON.stringify([keys, keys.find(ALL)]), /key-/);
});

test("faults of a list are told by their place", () => {
  const faults = (text: string): string[] => {
    const found: string[] = [];
    ApiKeys.parse(text, (fault) => void found.push(fault));
    return found.map((fault) => fault.replace(/: .*/, ""));
  };

  assert.deepEqual(faults("one,two:key,three key,one,predict+:k,:k"), [
    "entry 2",
    "entry 3",
    "entry 4",
    "entry 5",
    "entry 6",
  ]);
  assert.deepEqual(faults("one, predict+metrics:two ,three"), []);
  assert.equal(ApiKeys.parse("short,long-enough-a-key").weak, 1);
});

test("without a key, with a wrong one, or with another scheme: 401, and how to do better", async () => {
  for (const headers of [{}, bearer("wrong"), basic("", ALL), { authorization: ALL }, { authorization: "Bearer" }]) {
    const response = await predict(headers as Record<string, string>);
    assert.equal(response.statusCode, 401);
    assert.match(String(response.headers["www-authenticate"]), /^Bearer realm=/);
    assert.equal(response.json().type, "urn:problem-type:churn:unauthenticated");
    assert.doesNotMatch(response.body, /wrong|key-of/);
  }
  assert.equal((await predict(bearer(PREDICT))).statusCode, 200);
  assert.equal((await predict({ authorization: `bearer  ${ALL}` })).statusCode, 200);
});

test("a refused request is neither read nor recorded; the log says where it came from", async () => {
  const { app, records, logs } = await buildTestApp({}, { keys: ApiKeys.parse(ALL) });
  const response = await app.inject({
    method: "POST",
    url: "/predict",
    payload: "{ no JSON",
    headers: bearer("wrong"),
  });
  assert.equal(response.statusCode, 401);
  assert.deepEqual(records, []);
  assert.equal(logs[0].remoteAddress, "127.0.0.1"); // whom to stop
});

/** Route, method, the scope that it needs (undefined: none), a body. */
const ROUTES: readonly (readonly [string, "GET" | "POST", string | undefined, object?])[] = [
  ["/", "GET", undefined],
  ["/health/live", "GET", undefined],
  ["/health/ready", "GET", undefined],
  ["/model", "GET", ""],
  ["/docs/json", "GET", ""],
  ["/docs", "GET", ""],
  ["/docs/static/swagger-ui.css", "GET", ""],
  ["/metrics", "GET", "metrics"],
  ["/predict", "POST", "predict", MEMBER],
  ["/predict/batch", "POST", "predict", [MEMBER]],
  ["/outcomes", "POST", "outcomes", { prediction_id: "01960f2e-7c5b-7000-8000-000000000000", churn_outcome: 1 }],
  ["/erasures", "POST", "erasure", { customer_key: "m-1" }],
];

describe("each route lets in those who may", () => {
  for (const [url, method, scope, payload] of ROUTES) {
    test(`${method} ${url}: ${scope === undefined ? "everybody" : scope === "" ? "any key" : scope}`, async () => {
      const ask = async (headers: object) =>
        (
          await service.app.inject({
            method,
            url,
            headers: headers as Record<string, string>,
            ...(payload && { payload }),
          })
        ).statusCode;
      const isIn = (status: number): boolean => status >= 200 && status < 400;

      assert.equal(isIn(await ask({})), scope === undefined);
      assert.ok(isIn(await ask(bearer(ALL))));
      for (const [key, scopes] of [
        [PREDICT, ["predict"]],
        [METRICS, ["metrics", "outcomes"]],
      ] as const) {
        const status = await ask(bearer(key));
        const may = !scope || (scopes as readonly string[]).includes(scope);
        assert.equal(status === 403, !may, `${key}: ${status}`);
      }
    });
  }
});

test("every route of the service is in the table above", async () => {
  const listed = new Set(ROUTES.map(([url]) => url));
  const document = (await service.app.inject({ url: "/docs/json", headers: bearer(ALL) })).json();
  assert.equal(Object.keys(document.paths).length, 9);
  for (const url of Object.keys(document.paths)) assert.ok(listed.has(url), url);
});

test("pages take the key as a browser's password, whoever the user is", async () => {
  for (const user of ["", "anybody", "a:b".split(":")[0]]) {
    const headers = basic(user, ALL);
    assert.equal((await service.app.inject({ url: "/docs/json", headers })).statusCode, 200);
    assert.equal((await service.app.inject({ url: "/dashboard", headers })).statusCode, 200);
  }
  const asked = await service.app.inject({ url: "/dashboard" });
  assert.equal(asked.statusCode, 401);
  assert.match(String(asked.headers["www-authenticate"]), /^Basic realm=/);
  assert.equal((await service.app.inject({ url: "/dashboard", headers: basic("x", PREDICT) })).statusCode, 403);
});

test("the log names the key without telling it", async () => {
  const quiet = await buildTestApp({}, { keys: ApiKeys.parse(ALL) });
  await quiet.app.inject({ method: "POST", url: "/predict", payload: MEMBER, headers: bearer(ALL) });
  await quiet.app.inject({ method: "POST", url: "/predict", payload: MEMBER, headers: bearer("a-wrong-key") });

  assert.match(String(quiet.logs[0].keyId), /^[0-9a-f]{8}$/);
  assert.equal(quiet.logs[1].keyId, undefined);
  assert.doesNotMatch(JSON.stringify(quiet.logs), /key-of|a-wrong/);
});

test("a limit is each key's own; health checks are free", async () => {
  const limited = await buildTestApp({}, { keys: ApiKeys.parse(`${ALL},${PREDICT}`), rateLimit: 3 });
  const ask = (key: string) =>
    limited.app.inject({ method: "POST", url: "/predict", payload: MEMBER, headers: bearer(key) });

  for (let i = 0; i < 3; i++) assert.equal((await ask(ALL)).statusCode, 200);
  const refused = await ask(ALL);
  assert.equal(refused.statusCode, 429);
  assert.equal(refused.json().type, "urn:problem-type:churn:rate-limited");
  assert.match(String(refused.headers["retry-after"]), /^\d+$/);
  assert.equal((await ask(PREDICT)).statusCode, 200);
  for (let i = 0; i < 9; i++) assert.equal((await limited.app.inject({ url: "/health/ready" })).statusCode, 200);
});

test("every answer tells browsers to keep it to themselves, and lets no other site read it", async () => {
  for (const [url, method] of ROUTES) {
    for (const headers of [{}, { ...bearer(ALL), origin: "https://elsewhere.example" }]) {
      const { headers: got } = await service.app.inject({ method, url, headers });
      assert.equal(got["cache-control"]?.includes("no-store") || url.startsWith("/docs"), true, url);
      assert.equal(got["x-content-type-options"], "nosniff");
      assert.equal(got["x-frame-options"], "DENY");
      assert.match(String(got["content-security-policy"]), /frame-ancestors 'none'/);
      assert.equal(got["access-control-allow-origin"], undefined);
      assert.equal(got["x-powered-by"], undefined);
    }
  }
});

test("a request's id and trace come back, or are made; nonsense is not taken over", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const known = await service.app.inject({ url: "/", headers: { "x-request-id": "abc-1", traceparent } });
  assert.equal(known.headers["x-request-id"], "abc-1");
  assert.equal(known.headers.traceparent, traceparent);

  for (const bad of ["a b", "x".repeat(129), '"']) {
    const made = await service.app.inject({ url: "/", headers: { "x-request-id": bad } });
    assert.match(String(made.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
  }
  for (const bad of [
    "00-0-0-00",
    traceparent.replace("4bf9", "4BF9"),
    `ff${traceparent.slice(2)}`,
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
  ]) {
    const { headers } = await service.app.inject({ url: "/", headers: { traceparent: bad } });
    assert.equal(headers.traceparent, undefined, bad);
  }
});

test("the trace is in the log of what happened in it", async () => {
  const quiet = await buildTestApp();
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await quiet.app.inject({
    method: "POST",
    url: "/predict",
    payload: MEMBER,
    headers: { traceparent, "x-request-id": "r-7" },
  });
  await quiet.app.inject({ method: "POST", url: "/predict", payload: {}, headers: { traceparent } });

  assert.deepEqual(
    quiet.logs.map(({ traceId }) => traceId),
    ["4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"],
  );
  assert.equal(quiet.logs[0].reqId, "r-7");
});
