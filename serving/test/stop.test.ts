import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createHttpServer } from "../src/http-server.ts";
import { stopGracefully } from "../src/stop.ts";
import { buildTestApp, type TestApp } from "./test-app.ts";
import { MEMBER } from "./tiny-model.ts";

const answer = (url: string, agent?: Agent): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (response) => resolve(response.resume())).on("error", reject);
  });

async function listen({ app }: TestApp): Promise<{ server: Server; url: string }> {
  const server = createHttpServer(app.routing);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("a service that is stopping is not ready, still answers, and asks clients to leave", async () => {
  const service = await buildTestApp();
  const { drain, logger, logs } = service;
  const { server, url } = await listen(service);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.equal((await answer(`${url}/health/ready`, agent)).headers.connection, "keep-alive");

  const stopped = stopGracefully(server, drain, logger, { drainDelayMs: 1000 });
  const ready = await answer(`${url}/health/ready`, agent);
  const others = await Promise.all(["/", "/health/live", "/nope", "/docs"].map((path) => answer(`${url}${path}`)));

  assert.equal(ready.statusCode, 503);
  assert.deepEqual(
    others.map(({ statusCode }) => statusCode),
    [200, 200, 404, 200],
  );
  for (const { headers } of [ready, ...others]) assert.equal(headers.connection, "close");
  await stopped;
  await assert.rejects(answer(url), { code: "ECONNREFUSED" });
  assert.deepEqual(
    logs.map(({ event }) => event),
    ["service.draining", "request.failed", "service.closed"],
  );
});

test("a request whose body is still on its way is answered before the service ends", async () => {
  const service = await buildTestApp();
  const { drain, logger } = service;
  const { server, url } = await listen(service);
  const body = JSON.stringify(MEMBER);
  const headers = { "content-type": "application/json", "content-length": body.length };

  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    const slow = request(`${url}/predict`, { method: "POST", headers }, (response) => resolve(response.resume()));
    slow.on("error", reject);
    slow.write(body.slice(0, 10));
    sleep(100).then(() => slow.end(body.slice(10)));
  });
  await sleep(20);
  await stopGracefully(server, drain, logger, { drainDelayMs: 20 });

  const { statusCode, headers: got } = await answered;
  assert.equal(statusCode, 200);
  assert.equal(got.connection, "close");
});
