import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { requestSchema } from "@churn/contract";
import { ApiKeys } from "../src/api-keys.ts";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { GYM, MEMBER } from "./tiny-model.ts";

let service: TestApp;
before(async () => {
  service = await buildTestApp();
});
after(() => service.app.close());

const openApi = async () => (await service.app.inject({ url: "/docs/json" })).json();

test("the OpenAPI document is 3.1 and describes every route that is meant for callers", async () => {
  const document = await openApi();
  assert.match(document.openapi, /^3\.1\./);
  assert.equal(document.info.version, service.model.manifest.version);
  assert.deepEqual(Object.keys(document.paths).sort(), [
    "/",
    "/erasures",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/model",
    "/outcomes",
    "/predict",
    "/predict/batch",
  ]);
});

test("the request schema is the data set's own", async () => {
  const { requestBody } = (await openApi()).paths["/predict"].post;
  assert.equal(requestBody.required, true);
  assert.deepEqual(requestBody.content["application/json"].schema, requestSchema(GYM));
});

test("the example is filled in and works", async () => {
  const { example } = (await openApi()).paths["/predict"].post.requestBody.content["application/json"];
  assert.deepEqual(example, MEMBER);
  assert.equal((await service.app.inject({ method: "POST", url: "/predict", payload: example })).statusCode, 200);
});

test("/predict documents its one query parameter", async () => {
  const { parameters } = (await openApi()).paths["/predict"].post;
  assert.equal(parameters.length, 1);
  const { name, in: place, required, schema } = parameters[0];
  assert.deepEqual(
    [name, place, required, schema],
    ["explain", "query", false, { type: "string", enum: ["true", "false"], default: "false" }],
  );
});

test("every operation has an id of its own, a tag that is explained, and a summary", async () => {
  const { paths, tags } = await openApi();
  const operations = Object.values(paths).flatMap((path) => Object.values(path as Record<string, Operation>));
  const explained = tags.map(({ name }: { name: string }) => name);
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const { operationId, tags: own, summary } of operations) {
    assert.ok(operationId && summary && own.every((tag) => explained.includes(tag)));
  }
});

test("/predict documents its answer and every problem document", async () => {
  const { paths, components } = await openApi();
  const { responses } = paths["/predict"].post;
  assert.deepEqual(Object.keys(responses), ["200", "400", "408", "413", "415", "422", "500"]);
  assert.deepEqual(Object.keys(responses[200].content["application/json"].schema.properties).sort(), [
    "base_value",
    "churn_prediction",
    "churn_probability",
    "forest_score",
    "model_version",
    "other_contributions",
    "prediction_id",
    "reasons",
    "threshold",
    "warnings",
  ]);
  for (const status of [400, 408, 413, 415, 422, 500]) {
    assert.deepEqual(responses[status].content["application/problem+json"].schema, {
      $ref: "#/components/schemas/Problem",
    });
  }
  assert.deepEqual(Object.keys(components.schemas), ["Problem"]);
});

test("a service with keys and a limit says where they count, and what happens without", async () => {
  const { app } = await buildTestApp({}, { keys: ApiKeys.parse("predict:one-key"), rateLimit: 100 });
  const { paths, components } = (
    await app.inject({ url: "/docs/json", headers: { authorization: "Bearer one-key" } })
  ).json();

  assert.deepEqual(components.securitySchemes.key.scheme, "bearer");
  for (const [path, operations] of Object.entries<Record<string, Operation>>(paths)) {
    for (const { security, responses } of Object.values(operations)) {
      const isFree = path === "/" || path.startsWith("/health");
      assert.deepEqual(security, isFree ? [] : [{ key: [] }], path);
      for (const status of ["401", "403", "429"]) assert.equal(status in responses, !isFree, `${path} ${status}`);
    }
  }
});

test("the examples of every body work", async () => {
  const { paths } = await openApi();
  let count = 0;
  for (const [url, { post }] of Object.entries<{ post?: Operation }>(paths)) {
    for (const [type, { example, examples = {} }] of Object.entries(post?.requestBody.content ?? {})) {
      for (const payload of [example, ...Object.values(examples).map(({ value }) => value)]) {
        if (payload === undefined) continue;
        const body = typeof payload === "string" ? payload : JSON.stringify(payload);
        const { statusCode } = await service.app.inject({
          method: "POST",
          url,
          payload: body,
          headers: { "content-type": type },
        });
        assert(statusCode === 200 || statusCode === 202, `${url} ${type}: ${statusCode}`);
        count += 1;
      }
    }
  }
  assert.equal(count, 6);
});

test("the page and what it loads name no other host", async () => {
  const page = await service.app.inject({ url: "/docs" });
  const parts = [...page.body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => path);
  assert.equal(page.statusCode, 200);
  assert.ok(parts.length >= 5 && parts.every((path) => path.startsWith("/docs/")), parts.join());

  for (const path of parts) {
    const { statusCode, body } = await service.app.inject({ url: path });
    assert.equal(statusCode, 200, path);
    if (path.endsWith(".css")) assert.doesNotMatch(body, /url\(["']?(https?:)?\/\//);
  }
  const start = (await service.app.inject({ url: "/docs/static/swagger-initializer.js" })).body;
  assert.match(start, /validatorUrl: null/);
  assert.doesNotMatch(start, /["'`](https?:)?\/\//);
});

test("the page's security policy lets nothing in from elsewhere", async () => {
  for (const url of ["/docs", "/docs/static/swagger-ui.css"]) {
    const policy = (await service.app.inject({ url })).headers["content-security-policy"] as string;
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe/);
  }
});

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, object>>;
  readonly requestBody: {
    readonly content: Readonly<
      Record<string, { readonly example?: unknown; readonly examples?: Readonly<Record<string, { value: unknown }>> }>
    >;
  };
}
