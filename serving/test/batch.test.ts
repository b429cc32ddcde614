import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep, setImmediate as yieldToOthers } from "node:timers/promises";
import { promisify } from "node:util";
import { createHttpServer } from "../src/http-server.ts";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { MEMBER, P_FADING_DAY, P_MEMBER } from "./tiny-model.ts";

let service: TestApp;
before(async () => {
  service = await buildTestApp();
});
after(() => service.app.close());

const FADING = { ...MEMBER, visits: 1, tariff: "day" };
/** 36 MB, far more than sockets hold. */
const MOST_CHUNKS = 200;
const NDJSON = { "content-type": "application/x-ndjson" };

const post = (payload: unknown, headers = { "content-type": "application/json" }, { app }: TestApp = service) =>
  app.inject({
    method: "POST",
    url: "/predict/batch",
    headers,
    payload: typeof payload === "string" || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  });

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a list is answered in its order, by what each customer alone would get", async () => {
  const response = await post([MEMBER, FADING, { ...MEMBER, tariff: "night" }]);

  assert.equal(response.statusCode, 200);
  const [first, second, third] = response.json();
  assert.equal(first.churn_probability, P_MEMBER);
  assert.deepEqual([second.churn_probability, second.churn_prediction], [P_FADING_DAY, 1]);
  assert.equal(third.warnings[0].code, "unknown_level");
  assert.equal(new Set([first, second, third].map(({ prediction_id }) => prediction_id)).size, 3);
});

test("a batch is recorded, each customer once, and logged in one line", async () => {
  const quiet = await buildTestApp();
  const list = await post([MEMBER, FADING], undefined, quiet);
  const stream = await post(`${JSON.stringify(MEMBER)}\n{}\n`, NDJSON, quiet);

  const ids = [...list.json(), linesOf(stream.body)[0]].map(({ prediction_id }) => prediction_id);
  assert.deepEqual(
    quiet.records.map((record) => record.kind === "prediction" && record.predictionId),
    ids,
  );
  assert.deepEqual(
    quiet.logs.map(({ event, rows }) => [event, rows]),
    [
      ["predict.batch", 2],
      ["predict.batch", 2],
    ],
  );
});

test("one faulty customer and none of a list is scored; each fault has its place", async () => {
  const quiet = await buildTestApp();
  const response = await post([MEMBER, { ...MEMBER, visits: 900 }, 7, { ...MEMBER, shoe: 1 }], undefined, quiet);

  assert.equal(response.statusCode, 422);
  assert.deepEqual(
    response.json().errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]),
    [
      ["/1/visits", "maximum"],
      ["/2", "type"],
      ["/3/shoe", "additionalProperties"],
    ],
  );
  assert.match(response.json().detail, /^3 faults; the first: 1\/visits: expected a value <= 40, got 900/);
  assert.deepEqual(quiet.records, []);
});

test("a list is no longer than ten thousand, and not empty", async () => {
  assert.equal((await post(Array.from({ length: 10_000 }, () => MEMBER))).json().length, 10_000);
  const tooLong = await post(Array.from({ length: 10_001 }, () => 0));
  assert.equal(tooLong.statusCode, 422);
  assert.match(tooLong.json().detail, /expected a list of 1 to 10000 customers .*, got 10001/);
  assert.equal(tooLong.json().errors.length, 1);
  for (const body of [[], {}, 1, "text", null]) assert.equal((await post(JSON.stringify(body))).statusCode, 422);
});

test("a list that is all faults costs no more than a glance", async () => {
  const response = await post(Array.from({ length: 10_000 }, () => ({})));
  assert.equal(response.json().errors.length, 20);
  assert.match(response.json().detail, /^10000 faults, of which 20 are listed/);
});

test("lists without end, in depth or width, are refused before they are read", async () => {
  const deep = await post("[".repeat(2 ** 20));
  assert.equal(deep.statusCode, 400);
  assert.match(deep.json().detail, /at most 16 levels/);
  assert.equal((await post(`[${"{},".repeat(2 ** 20)}{}]`)).statusCode, 422);
  assert.equal((await post(" ".repeat(17 * 2 ** 20))).statusCode, 413);
});

test("a text may hold as many brackets as it likes", async () => {
  const response = await post([{ ...MEMBER, tariff: `\\"${"[{".repeat(100)}` }]);
  assert.equal(response.statusCode, 200);
});

test("lines are answered one by one: faults stay with their line", async () => {
  const lines = [
    JSON.stringify(MEMBER),
    "{",
    "",
    JSON.stringify({ ...MEMBER, visits: -1 }),
    "[1]",
    JSON.stringify(FADING),
  ];
  const response = await post(lines.join("\n"), NDJSON);

  assert.equal(response.statusCode, 200);
  assert.match(String(response.headers["content-type"]), /^application\/x-ndjson/);
  const answers = linesOf(response.body);
  assert.equal(answers[0].churn_probability, P_MEMBER);
  assert.deepEqual(
    answers.slice(1, 4).map(({ line, error }) => [line, error.status, error.type.split(":").at(-1)]),
    [
      [2, 400, "bad-json"],
      [3, 422, "invalid-customer"],
      [4, 422, "invalid-customer"],
    ],
  );
  assert.equal(answers[4].churn_probability, P_FADING_DAY);
  assert.equal(answers.length, 5);
});

test("a line that is no UTF-8, or too long, is a fault of its own", async () => {
  const latin = Buffer.from(JSON.stringify({ ...MEMBER, tariff: "jährlich" }), "latin1");
  const bytes = await post(Buffer.concat([latin, Buffer.from(`\n${JSON.stringify(MEMBER)}\n`)]), NDJSON);
  const [first, second] = linesOf(bytes.body);
  assert.equal(first.error.status, 400);
  assert.equal(second.churn_probability, P_MEMBER);

  const endless = await post(`${JSON.stringify(MEMBER)}\n${"x".repeat(200_000)}\n${JSON.stringify(MEMBER)}`, NDJSON);
  const answers = linesOf(endless.body);
  assert.equal(answers.length, 3);
  assert.equal(answers[1].error.status, 413);
  assert.equal(answers[2].churn_probability, P_MEMBER);
});

test("other types and encodings are refused", async () => {
  const refused = await post("x", { "content-type": "text/csv" });
  assert.equal(refused.statusCode, 415);
  assert.match(refused.json().detail, /expected application\/json or application\/x-ndjson, got text\/csv/);
  assert.equal((await post("x", { ...NDJSON, "content-encoding": "gzip" } as typeof NDJSON)).statusCode, 415);
  assert.equal((await post("", NDJSON)).body, "");
});

async function listen(): Promise<{ url: string; close(): void; connections(): Promise<number> }> {
  const server = createHttpServer(service.app.routing).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => void server.close(() => {}).closeAllConnections(),
    connections: promisify(server.getConnections.bind(server)),
  };
}

const stream = (url: string): ClientRequest =>
  request(`${url}/predict/batch`, { method: "POST", headers: { ...NDJSON, "transfer-encoding": "chunked" } });

test("answers come while lines are still being sent", async () => {
  const { url, close } = await listen();
  const call = stream(url);
  call.on("error", () => {});
  call.write(`${JSON.stringify(MEMBER)}\n`);
  const [response] = await once(call, "response");
  response.setEncoding("utf8");
  const [first] = await once(response, "data");
  call.write(`${JSON.stringify(FADING)}\n`);
  const [second] = await once(response, "data");
  call.end();
  await once(response, "end");
  close();

  assert.equal(JSON.parse(first).churn_probability, P_MEMBER);
  assert.equal(JSON.parse(second).churn_probability, P_FADING_DAY);
});

test("a line that is too long in many parts is one fault, and what follows is read", async () => {
  const { url, close } = await listen();
  const call = stream(url);
  const answered = once(call, "response");
  call.write(`${JSON.stringify(MEMBER)}\n`);
  for (let i = 0; i < 9; i++) {
    call.write("x".repeat(30_000));
    await sleep(5);
  }
  call.end(`x\n${JSON.stringify(FADING)}`);
  const [response] = await answered;
  const answers = linesOf((await response.setEncoding("utf8").toArray()).join(""));
  close();

  assert.deepEqual(
    answers.map((answer) => answer.error?.status ?? answer.churn_probability),
    [P_MEMBER, 413, P_FADING_DAY],
  );
});

test("a client that does not read is not read from, however long it waits", async () => {
  const { url, close } = await listen();
  const call = stream(url);
  call.on("error", () => {});
  call.on("response", () => {}); // and never reads it: without this, Node would throw it away as it comes
  const chunk = `${JSON.stringify(MEMBER)}\n`.repeat(2000); // answered by six times as much
  let taken = 0;
  const send = (): void => {
    while (taken < MOST_CHUNKS && call.write(chunk)) taken += 1;
  };
  call.on("drain", () => {
    taken += 1;
    send();
  });
  send();

  let before = -1;
  while (before !== taken) {
    before = taken;
    await sleep(2000);
  }
  call.destroy();
  close();

  assert.ok(
    taken > 0 && taken < MOST_CHUNKS,
    `expected the stream to stall, ${taken} of ${MOST_CHUNKS} chunks were taken`,
  );
});

test("a client that has sent all and reads nothing is given up after 30 seconds", async (t) => {
  const { url, close, connections } = await listen();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const call = stream(url);
  call.on("error", () => {});
  const answered = once(call, "response"); // and is never read
  call.end("1\n".repeat(25_000)); // answered by some hundred times as much
  await answered;
  const isConnectedAfter = async (ms: number): Promise<boolean> => {
    for (const end = performance.now() + ms; performance.now() < end; ) {
      await yieldToOthers();
      if ((await connections()) === 0) return false;
    }
    return true;
  };

  assert.equal(await isConnectedAfter(2000), true);
  t.mock.timers.tick(30_000);
  assert.equal(await isConnectedAfter(5000), false);
  call.destroy();
  close();
});

test("predictions go on beside a large batch", async () => {
  const { url, close } = await listen();
  const batch = fetch(`${url}/predict/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(Array.from({ length: 10_000 }, () => MEMBER)),
  }).then((response) => response.json());
  let served = 0;
  let isDone = false;
  batch.then(() => {
    isDone = true;
  });
  while (!isDone) {
    const response = await fetch(`${url}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(MEMBER),
    });
    assert.equal(response.status, 200);
    await response.arrayBuffer();
    if (!isDone) served += 1;
  }
  close();
  assert.ok(served > 2, `expected predictions in between, got ${served}`);
});
