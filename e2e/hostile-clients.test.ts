/** Clients that are slow without end, or send without end: the others do not feel it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { killServices, startService } from "../serving/test/service-process.ts";
import { writeTinyModel } from "../serving/test/tiny-model.ts";
import { quantile, startLoad } from "./load.ts";

const SLOW_CLIENTS = 300;
const HUGE_BODIES = 20;
const HUGE_BYTES = 100 * 2 ** 20;

const tiny = writeTinyModel();
after(() => {
  killServices();
  tiny.remove();
});

/** One byte of a request now and then. */
function dribble(port: number, text: string): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let sent = 0;
  const timer = setInterval(() => socket.write(text[sent++] ?? "x"), 100);
  socket.on("close", () => clearInterval(timer));
  return socket;
}

/** Sends 100 MB, announced or in chunks, until it is refused. @returns the status, or what broke */
async function sendHuge(url: string, isAnnounced: boolean): Promise<number | string> {
  const headers = {
    "content-type": "application/json",
    ...(isAnnounced ? { "content-length": HUGE_BYTES } : { "transfer-encoding": "chunked" }),
  };
  const call = request(`${url}/predict`, { method: "POST", headers });
  const answered = once(call, "response").then(([response]) => {
    response.resume();
    return response.statusCode as number;
  });
  const chunk = Buffer.alloc(2 ** 20, " ");
  const broken = new Promise<string>((resolve) => call.once("error", ({ message }) => resolve(message)));
  void (async () => {
    for (let i = 0; i < 100 && !call.destroyed; i++)
      if (!call.write(chunk)) await Promise.race([once(call, "drain"), broken]);
  })().catch(() => {});
  const status = await Promise.race([answered, broken]);
  call.destroy();
  return status;
}

test("slow clients and bodies of 100 MB do not hurt the others", { timeout: 60_000 }, async (t) => {
  const service = startService({ MODEL_DIR: tiny.directory });
  service.child.stdout?.on("data", () => {});
  const url = await service.url;
  const port = Number(new URL(url).port);
  const calm = startLoad(url, 8);
  await sleep(1500);
  await calm.stop();

  const head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
  const slow = Array.from({ length: SLOW_CLIENTS }, (_, i) => dribble(port, i % 2 === 0 ? head : `${head}{`));
  const load = startLoad(url, 8);
  const statuses = await Promise.all(Array.from({ length: HUGE_BODIES }, (_, i) => sendHuge(url, i % 2 === 0)));
  await sleep(1500);
  await load.stop();
  const memory = /^process_resident_memory_bytes (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
  for (const socket of slow) socket.destroy();
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);

  const p99 = (answers: typeof load.answers): number =>
    quantile(
      answers.map(({ milliseconds }) => milliseconds),
      0.99,
    );
  t.diagnostic(`p99 ${p99(calm.answers).toFixed(1)} ms without them, ${p99(load.answers).toFixed(1)} ms with them`);
  assert.deepEqual([...calm.failures, ...load.failures], []);
  assert.ok(load.answers.length > 200);
  assert.ok(p99(load.answers) < 1000);
  assert.ok(Number(memory) < 400e6, `${memory} bytes of memory`);
  // Who goes on sending may find the connection closed before he reads why.
  for (const status of statuses) assert.match(String(status), /^413$|EPIPE|ECONNRESET|socket hang up/);
});
