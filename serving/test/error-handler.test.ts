import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, test } from "node:test";
import fastify, { type InjectOptions } from "fastify";
import { createHttpServer } from "../src/http-server.ts";
import { exposition } from "../src/metrics.ts";
import { addBodyLimits } from "../src/plugins/body-limits.ts";
import { addErrorHandler, errorHandler } from "../src/plugins/error-handler.ts";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { MEMBER } from "./tiny-model.ts";

let service: TestApp;
before(async () => {
  service = await buildTestApp();
});
after(() => service.app.close());

const JSON_TYPE = { "content-type": "application/json" };

async function ask(options: InjectOptions, { app }: TestApp = service) {
  const response = await app.inject(options);
  return { response, problem: response.json() };
}

const post = (payload: string | object, headers: Record<string, string> = JSON_TYPE) =>
  ask({ method: "POST", url: "/predict", payload, headers });

const { visits: _visits, ...WITHOUT_VISITS } = MEMBER;

/** What a caller may get wrong in a well-formed body: name, body, then pointer, code and detail of each fault. */
const SCHEMA_FAULTS: readonly (readonly [string, unknown, ...(readonly [string, string, string][])])[] = [
  ["null in a required number", { ...MEMBER, visits: null }, ["/visits", "type", "visits: expected number, got null"]],
  ["text in a number", { ...MEMBER, visits: "6.5" }, ["/visits", "type", 'visits: expected number, got "6.5"']],
  ["a list for a number", { ...MEMBER, visits: [6.5] }, ["/visits", "type", "visits: expected number, got a list"]],
  ["an object for a number", { ...MEMBER, visits: {} }, ["/visits", "type", "visits: expected number, got an object"]],
  ["a boolean for a number", { ...MEMBER, visits: true }, ["/visits", "type", "visits: expected number, got true"]],
  ["a number for a boolean", { ...MEMBER, trainer: 1 }, ["/trainer", "type", "trainer: expected boolean, got 1"]],
  [
    "a fraction for an integer",
    { ...MEMBER, lockers: 1.5 },
    ["/lockers", "type", "lockers: expected integer, got 1.5"],
  ],
  ["a number for a category", { ...MEMBER, tariff: 7 }, ["/tariff", "type", "tariff: expected string or null, got 7"]],
  ["below the minimum", { ...MEMBER, visits: -1 }, ["/visits", "minimum", "visits: expected a value >= 0, got -1"]],
  ["above the maximum", { ...MEMBER, visits: 900 }, ["/visits", "maximum", "visits: expected a value <= 40, got 900"]],
  [
    "a missing required field",
    WITHOUT_VISITS,
    ["/visits", "required", "visits: expected a value: the field is required"],
  ],
  ["an extra field", { ...MEMBER, shoe: 42 }, ["/shoe", "additionalProperties", "shoe: expected no such field"]],
  [
    "a time that is no date",
    { ...MEMBER, seen_on: "soon" },
    ["/seen_on", "pattern", 'seen_on: expected a date such as 2026-01-31, with or without a time, got "soon"'],
  ],
  [
    "fields with odd names",
    { ...MEMBER, "a/b~c": 1, "": 1 },
    ["/a~1b~0c", "additionalProperties", "a/b~c: expected no such field"],
    ["/", "additionalProperties", '"": expected no such field'],
  ],
  [
    "an identity column",
    { ...MEMBER, full_name: "A" },
    ["/full_name", "additionalProperties", "full_name: expected no such field"],
  ],
  [
    "two faults at once",
    { ...MEMBER, visits: "many", shoe: 42 },
    ["/shoe", "additionalProperties", "shoe: expected no such field"],
    ["/visits", "type", 'visits: expected number, got "many"'],
  ],
  ["a list as the body", [MEMBER], ["", "type", "body: expected object, got a list"]],
  ["null as the body", null, ["", "type", "body: expected object, got null"]],
];

for (const [name, body, ...faults] of SCHEMA_FAULTS) {
  test(`422 names each fault: ${name}`, async () => {
    const { response, problem } = await post(JSON.stringify(body));

    assert.equal(response.statusCode, 422);
    assert.match(response.headers["content-type"] as string, /^application\/problem\+json/);
    assert.deepEqual(problem, {
      type: "urn:problem-type:churn:invalid-customer",
      title: "The customer does not fit the schema",
      status: 422,
      detail: faults.length === 1 ? faults[0][2] : `${faults.length} faults; the first: ${faults[0][2]}`,
      errors: faults.map(([pointer, code, detail]) => ({ pointer, code, detail })),
    });
  });
}

test("422 for a number beyond every double", async () => {
  const { response, problem } = await post(
    JSON.stringify({ ...MEMBER, visits: 0 }).replace('"visits":0', '"visits":1e999'),
  );
  assert.equal(response.statusCode, 422);
  assert.equal(problem.detail, "visits: expected number, got Infinity");
});

test("422 for fields that mean something to JavaScript, without harm", async () => {
  const { response, problem } = await post(`{"__proto__": {"visits": 1}, "constructor": {"prototype": {}}}`);
  const pointers = problem.errors.map(({ pointer }: { pointer: string }) => pointer);
  assert.equal(response.statusCode, 422);
  assert.deepEqual(pointers.sort(), ["/__proto__", "/constructor", "/lockers", "/trainer", "/visits"]);
});

test("422 stays small for a body that is all faults", async () => {
  const fields = Array.from({ length: 6_000 }, (_, i) => `"f${i}":0`);
  const { response, problem } = await post(`{${fields.join()}}`);

  assert.equal(response.statusCode, 422);
  assert.equal(problem.errors.length, 20);
  assert.match(problem.detail, /^6003 faults, of which 20 are listed; the first: /);
  assert.ok(response.body.length < 4_000);
});

test("400 for bad JSON says where it breaks", async () => {
  const { response, problem } = await post('{"visits": 6.5, }');
  assert.equal(response.statusCode, 400);
  assert.equal(problem.type, "urn:problem-type:churn:bad-json");
  assert.match(problem.detail, /^body: expected JSON: .*position 16/);
});

test("400 for an empty body, with or without a content type", async () => {
  for (const headers of [JSON_TYPE, {}]) {
    const { response, problem } = await post("", headers);
    assert.equal(response.statusCode, 400);
    assert.equal(problem.detail, "body: expected JSON, got nothing");
  }
});

test("413 above 64 KiB, announced or not", async () => {
  const fits = " ".repeat(64 * 1024 - 2);
  assert.equal((await post(`{${fits}}`)).response.statusCode, 422);

  const { response, problem } = await post(`{${fits} }`);
  assert.equal(response.statusCode, 413);
  assert.equal(problem.detail, "body: expected at most 65536 bytes, got 65537");
});

test("415 for anything but JSON", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/x-ndjson"]) {
    const { response, problem } = await post(JSON.stringify(MEMBER), { "content-type": type });
    assert.equal(response.statusCode, 415);
    assert.equal(problem.detail, `content-type: expected application/json, got ${type}`);
  }
});

test("415 for JSON in another encoding", async () => {
  for (const headers of [
    { ...JSON_TYPE, "content-encoding": "gzip" },
    { "content-type": "application/json; charset=latin1" },
  ]) {
    const { response, problem } = await post(JSON.stringify(MEMBER), headers);
    assert.equal(response.statusCode, 415);
    assert.match(problem.detail, /^expected plain JSON in UTF-8, got content-encoding (gzip|identity), charset /);
  }
  const named = await post(JSON.stringify(MEMBER), { "content-type": 'application/json; charset="UTF-8"' });
  assert.equal(named.response.statusCode, 200);
});

test("400 for bytes that are no UTF-8", async () => {
  const payload = Buffer.from(JSON.stringify({ ...MEMBER, tariff: "jährlich" }), "latin1");
  const { response, problem } = await post(payload);
  assert.equal(response.statusCode, 400);
  assert.match(problem.detail, /^body: expected JSON: .*encoded data was not valid/);
});

test("405 also for a page, with the methods it has", async () => {
  const { response } = await ask({ method: "DELETE", url: "/docs/" });
  assert.equal(response.statusCode, 405);
  assert.equal(response.headers.allow, "GET, HEAD");
});

test("404 for an unknown path, 405 with the allowed methods for a wrong one", async () => {
  for (const url of ["/nope", "/predict/", "/:a(", "/predict?x"]) {
    const { response, problem } = await ask({ method: "GET", url });
    const isKnown = url.startsWith("/predict?");
    assert.equal(response.statusCode, isKnown ? 405 : 404, url);
    assert.equal(response.headers.allow, isKnown ? "POST" : undefined);
    assert.equal(problem.status, response.statusCode);
  }
});

test("404 for a page's file that is not there, and for a fragment nobody sends", async () => {
  for (const url of ["/docs/static/nope.js", "/x#%", "/predict%3Fx"]) {
    const { response, problem } = await ask({ method: "GET", url });
    assert.equal(response.statusCode, 404, url);
    assert.match(problem.detail, /^no such path: /);
  }
});

test("400 for a path that cannot be decoded", async () => {
  const { response, problem } = await ask({ method: "GET", url: "/%zz" });
  assert.equal(response.statusCode, 400);
  assert.equal(problem.type, "urn:problem-type:churn:bad-url");
  assert.equal(response.headers["cache-control"], "no-store");
  assert.equal(typeof response.headers["x-request-id"], "string");
});

test("404 for a target that names a host, whatever that is made of", async () => {
  const answer = await converse(service, "GET http://u%zz@h/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/);
});

/** What a connection answers to some text, until it closes. */
async function converse({ app }: TestApp, ...texts: readonly string[]): Promise<string> {
  const server = createHttpServer(app.routing).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  const closed = once(socket, "close");
  for (const text of texts) {
    socket.write(text);
    await Promise.race([once(socket, "data"), closed]);
  }
  await closed;
  server.close();
  return answer;
}

test("what breaks off in the middle of an answer is not answered again", async () => {
  const line = `${JSON.stringify(MEMBER)}\n`;
  const head = "POST /predict/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson";
  const chunk = `${line.length.toString(16)}\r\n${line}\r\n`;
  const answer = await converse(service, `${head}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`, "no size\r\n");
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, answer);
  assert.match(answer, /churn_probability/);
});

test("a client that leaves is counted as one that left", async () => {
  let release = (): void => {};
  const held = new Promise<string>((resolve) => {
    release = () => resolve("");
  });
  const slow = await buildTestApp(
    {},
    { everybody: { exposition: () => held, traffic: async () => [], erase: async () => true } },
  );
  const server = createHttpServer(slow.app.routing).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const [[, reply]] = (await Promise.all([once(server, "request")])) as [[unknown, ServerResponse]];
  socket.destroy();
  await once(reply, "close");
  release();
  server.close();

  const snapshot = await slow.metrics.snapshot();
  assert.match(await exposition([snapshot]), /duration_seconds_count\{method="GET",route="\/metrics",status="499"\} 1/);
});

test("500 says nothing of what broke; the log does", async () => {
  const broken = await buildTestApp({
    decide: () => {
      throw new Error("secret inside");
    },
  });
  const { response, problem } = await ask({ method: "POST", url: "/predict", payload: MEMBER }, broken);

  assert.deepEqual(problem, {
    type: "urn:problem-type:churn:internal",
    title: "The service failed",
    status: 500,
    detail: "an unexpected error; the service's log says more",
  });
  assert.doesNotMatch(response.body, /secret|at /);
  assert.match(JSON.stringify(broken.logs), /secret inside/);
});

test("a refused request leaves one log line, with no value of it", async () => {
  const quiet = await buildTestApp();
  await ask({ method: "POST", url: "/predict", payload: { ...MEMBER, visits: "marked" } }, quiet);

  const [{ time, reqId, ...facts }, ...others] = quiet.logs;
  assert.deepEqual(others, []);
  assert.deepEqual(facts, {
    level: 30,
    plane: "serving",
    event: "request.failed",
    statusCode: 422,
    code: "CHURN_ERR_ROW_INVALID",
    msg: "request failed",
  });
});

test("408 for a body that takes too long, and the connection is closed", async () => {
  const app = fastify();
  addErrorHandler(app, errorHandler(service.logger));
  addBodyLimits(app, 100);
  app.post("/", () => "done");
  await app.ready();
  const server = createHttpServer(app.routing).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = (body: string): Promise<string> =>
    new Promise((resolve) => {
      let text = "";
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(
          `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n${body}`,
        );
      });
      socket.on("data", (chunk) => {
        text += chunk;
        if (text.includes("done")) socket.destroy();
      });
      socket.on("close", () => resolve(text));
    });

  const [slow, whole] = await Promise.all([ask('{"a":'), ask('{"a":"b"}')]);
  server.close();

  assert.match(slow, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.match(slow, /connection: close/i);
  assert.match(slow, /"detail":"expected the body within 100 ms"/);
  assert.match(whole, /^HTTP\/1\.1 200 OK\r\n/);
});

test("headers that never end are not waited for, and there are not too many of them", () => {
  const server = createHttpServer(() => {});
  assert.deepEqual(
    [server.headersTimeout, server.requestTimeout, server.timeout, server.maxHeadersCount],
    [30_000, 0, 60_000, 100],
  );
});

test("what is not even HTTP gets a problem document too", async () => {
  const answer = await converse(service, "GARBAGE\r\n\r\n");

  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
  assert.equal(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))).status, 400);
});
