/** The service as a process: how it starts, refuses to start, and stops without losing a request. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exit, killServices, ROOT, startService } from "../serving/test/service-process.ts";
import { MEMBER, P_MEMBER, writeTinyModel } from "../serving/test/tiny-model.ts";

const tiny = writeTinyModel();
after(() => {
  killServices();
  tiny.remove();
});
const MODEL = { MODEL_DIR: tiny.directory };
/** Longer than the service ever takes to say that it is stopping. */
const PATIENCE_MS = 10_000;
const BODY = JSON.stringify(MEMBER);

const answered = (response: IncomingMessage): Promise<string> =>
  response
    .setEncoding("utf8")
    .toArray()
    .then((parts) => parts.join(""));

function predict(url: string, agent: Agent): Promise<IncomingMessage & { text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": BODY.length };
    const call = request(`${url}/predict`, { method: "POST", agent, headers }, (response) => {
      answered(response).then((text) => resolve(Object.assign(response, { text })), reject);
    });
    call.on("error", reject);
    call.end(BODY);
  });
}

/** One kept-alive client: asks without pause until it is asked to leave, and says how often it was served. */
async function client(url: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const end = performance.now() + PATIENCE_MS;
  for (let served = 1; performance.now() < end; served++) {
    const response = await predict(url, agent);
    assert.equal(response.statusCode, 200);
    assert.equal(JSON.parse(response.text).churn_probability, P_MEMBER);
    if (response.headers.connection === "close") return served;
  }
  throw new Error(`not asked to leave within ${PATIENCE_MS} ms`);
}

const events = (stdout: string): string[] =>
  stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line).event)
    .filter((event) => event !== "predict.served");

const COMMANDS: readonly (readonly [string, [string, ...string[]]])[] = [
  ["start.sh", [join(ROOT, "start.sh")]],
  ["npm start", ["npm", "start"]],
];

for (const [name, command] of COMMANDS) {
  test(`SIGTERM to ${name} loses no request of busy clients and ends with 0`, { timeout: 30_000 }, async () => {
    const { child, url, exit } = startService({ ...MODEL, LOG_LEVEL: "info" }, command);
    const address = await url;
    const clients = Array.from({ length: 8 }, () => client(address));
    await sleep(200);

    child.kill("SIGTERM");
    const served = await Promise.all(clients);
    const { code, signal, stdout, stderr } = await exit;

    assert.ok(
      served.every((count) => count > 1),
      served.join(),
    );
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    assert.deepEqual(events(stdout), [
      "model.loaded",
      "service.listening",
      "service.draining",
      "service.closed",
      "service.stopped",
    ]);
    assert.doesNotMatch(stderr, /\bat .*:\d+|service\.failed/);
    await assert.rejects(predict(address, new Agent()), { code: "ECONNREFUSED" });
  });
}

test("start.sh works from any directory", { timeout: 30_000 }, async () => {
  const { child, url, exit } = startService(MODEL, [join(ROOT, "start.sh")], dirname(tiny.directory));
  assert.equal((await fetch(await url)).status, 200);
  child.kill("SIGINT");
  assert.equal((await exit).code, 0);
});

test("a service that was told to stop says so while it still answers", { timeout: 30_000 }, async () => {
  const { child, url, exit, logged } = startService(MODEL);
  const address = await url;
  assert.deepEqual(await (await fetch(`${address}/health/ready`)).json(), { status: "ready" });

  child.kill("SIGTERM");
  await logged("service.draining");
  const ready = await fetch(`${address}/health/ready`);

  assert.equal(ready.status, 503);
  assert.deepEqual(await ready.json(), { status: "draining" });
  assert.equal(ready.headers.get("connection"), "close");
  assert.equal((await fetch(`${address}/health/live`)).status, 200);
  assert.equal((await exit).code, 0);
});

test("the same Ctrl-C passed on twice is one; a later one ends the service at once", { timeout: 30_000 }, async () => {
  const patient = startService(MODEL);
  await patient.url;
  patient.child.kill("SIGINT");
  await patient.logged("service.draining");
  patient.child.kill("SIGINT");
  assert.equal((await patient.exit).code, 0);

  const hurried = startService(MODEL);
  beginRequest(await hurried.url); // keeps the service from ending by itself
  hurried.child.kill("SIGINT");
  await sleep(600);
  hurried.child.kill("SIGINT");
  const { code, stdout } = await hurried.exit;
  assert.equal(code, 130);
  assert.ok(!events(stdout).includes("service.stopped"));
});

test("a client that never finishes its request does not hold the service for ever", { timeout: 30_000 }, async () => {
  const { child, url, exit } = startService(MODEL);
  beginRequest(await url);
  await sleep(100);
  child.kill("SIGTERM");
  assert.equal((await exit).code, 0);
});

/** Sends a request that never ends. */
function beginRequest(url: string): void {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{");
}

test("a log reader that stalls costs lines, not answers, and not the way out", { timeout: 60_000 }, async () => {
  const { child, url, exit } = startService({ ...MODEL, LOG_LEVEL: "info" });
  const address = await url;
  child.stdout?.pause(); // and a pipe holds 64 KiB

  const agent = new Agent({ keepAlive: true });
  for (let i = 0; i < 2000; i++) await predict(address, agent);
  agent.destroy();
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  child.stdout?.resume();

  assert.equal(code, 0);
  assert.ok((await exit).stdout.split("\n").length < 2000, "expected some lines to be lost");
});

/** Exit code 2 and one JSON line on standard error: what a person and a machine need, and no stack. */
function assertRefusal({ code, stdout, stderr }: Exit, errorCode: string, detail: RegExp): void {
  const lines = stderr.trimEnd().split("\n");
  assert.equal(code, 2, stderr);
  assert.equal(lines.length, 1, stderr);
  const { plane, event, level, code: actualCode, detail: actualDetail } = JSON.parse(lines[0]);
  assert.deepEqual({ plane, event, level }, { plane: "serving", event: "service.failed", level: 60 });
  assert.equal(actualCode, errorCode);
  assert.match(actualDetail, detail);
  assert.doesNotMatch(stderr, /\bat .*:\d+|node:internal/);
  assert.ok(!events(stdout).includes("service.listening"));
}

test("a log that cannot be written ends the service at once, with one line", { timeout: 30_000 }, async () => {
  const command = [
    "/bin/sh",
    "-c",
    `exec "${process.execPath}" "${join(ROOT, "serving/src/main.ts")}" > /dev/full`,
  ] as const;

  const { code, stderr } = await startService({ ...MODEL, LOG_LEVEL: "info" }, command).exit;

  const lines = stderr.trimEnd().split("\n");
  assert.deepEqual([code, lines.length], [1, 1], stderr);
  const { event, code: errorCode, detail } = JSON.parse(lines[0]);
  assert.deepEqual([event, errorCode], ["service.failed", "CHURN_ERR_SERVICE_LOG"]);
  assert.match(detail, /^standard output: the log cannot be written: ENOSPC/);
});

describe("the service refuses to start, with one line", { concurrency: 2, timeout: 30_000 }, () => {
  test("on a port in use", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };

    const exit = await startService({ ...MODEL, PORT: String(port) }).exit;

    other.close();
    assertRefusal(exit, "CHURN_ERR_SERVICE_START", new RegExp(`^PORT: ${port} on 127.0.0.1 is in use`));
  });

  test("on an address that is not its own", async () => {
    const exit = await startService({ ...MODEL, HOST: "192.0.2.1", ALLOW_UNAUTHENTICATED: "true" }).exit;
    assertRefusal(exit, "CHURN_ERR_SERVICE_START", /^HOST: expected an address of this machine, got "192.0.2.1"/);
  });

  test("with a wrong environment, naming every fault", async () => {
    const exit = await startService({ ...MODEL, PORT: "http", LOG_LEVEL: "loud" }).exit;
    assertRefusal(exit, "CHURN_ERR_OPTION_INVALID", /PORT: .*; LOG_LEVEL: /);
  });

  test("without a model", async () => {
    const exit = await startService({ MODEL_DIR: join(dirname(tiny.directory), "nowhere") }).exit;
    assertRefusal(exit, "CHURN_ERR_MODEL_INVALID", /nowhere: no such model directory/);
  });

  /** Ways to damage a model directory: name, damage, what the line says. */
  const damages: readonly (readonly [string, (directory: string) => void, RegExp])[] = [
    [
      "a truncated forest",
      (d) => truncateSync(join(d, "forest.safetensors"), 100),
      /forest.safetensors: expected sha256/,
    ],
    ["a truncated manifest", (d) => truncateSync(join(d, "model.json"), 500), /model.json: not valid JSON/],
    ["an empty manifest", (d) => writeFileSync(join(d, "model.json"), ""), /model.json: not valid JSON/],
    ["no forest", (d) => rmSync(join(d, "forest.safetensors")), /forest.safetensors: missing/],
    [
      "one bit of the forest flipped",
      (d) => {
        const bytes = readFileSync(join(d, "forest.safetensors"));
        bytes[bytes.length - 9] ^= 1;
        writeFileSync(join(d, "forest.safetensors"), bytes);
      },
      /forest.safetensors: expected sha256/,
    ],
    [
      "a threshold changed by hand",
      (d) => {
        const text = readFileSync(join(d, "model.json"), "utf8");
        writeFileSync(join(d, "model.json"), text.replace('"value": 0.3', '"value": 0.9'));
      },
      /model.json: expected content hash/,
    ],
    [
      "a later format",
      (d) => {
        const text = readFileSync(join(d, "model.json"), "utf8");
        writeFileSync(join(d, "model.json"), text.replace('"formatVersion": 3', '"formatVersion": 4'));
      },
      /expected formatVersion 3, got 4/,
    ],
  ];
  for (const [index, [name, damage, detail]] of damages.entries()) {
    test(`with a damaged model: ${name}`, async () => {
      const directory = join(dirname(tiny.directory), `damaged-${index}`);
      cpSync(tiny.directory, directory, { recursive: true });
      damage(directory);
      assertRefusal(await startService({ MODEL_DIR: directory }).exit, "CHURN_ERR_MODEL_INVALID", detail);
    });
  }
});
