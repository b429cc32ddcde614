/** How the client behaves towards servers that misbehave; e2e/mlflow-tracking.test.ts has a real one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, describe, test } from "node:test";
import { MlflowClient } from "../src/tracking/mlflow-client.ts";
import { MlflowError } from "../src/tracking/mlflow-http.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const FAST = { MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: "0.001" };
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});
afterEach(() => {
  for (const server of servers) server.closeAllConnections();
});

/** A server that gives these answers, one after the other, the last one for ever. @returns its address, and what it was asked */
async function serve(...answers: Answer[]): Promise<{ url: string; requests: string[]; bodies: string[] }> {
  const requests: string[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    requests.push(`${request.method} ${request.url}`);
    bodies.push(body);
    (answers[requests.length - 1] ?? answers[answers.length - 1])(request, response, body);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, bodies };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
const text =
  (status: number, body: string, type = "text/plain"): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": type }).end(body);
  };
const dropped: Answer = (_, response) => {
  response.destroy();
};
const done = json(200, {});
const failed = json(500, { error_code: "INTERNAL_ERROR", message: "boom" });

const logOne = (url: string, environment: NodeJS.ProcessEnv = FAST): Promise<void> =>
  new MlflowClient(url, environment).logBatch("r", { tags: { a: "1" } });
const createRun = (url: string, environment: NodeJS.ProcessEnv = FAST) =>
  new MlflowClient(url, environment).createRun("1", { name: "n", startTime: 1, tags: {} });

describe("a call that can be repeated is repeated", () => {
  for (const [name, first] of [
    ["after a 500", failed],
    ["after a 408", text(408, "")],
    ["after a 429", json(429, {})],
    ["after a 503 from a proxy", text(503, "<html>busy</html>", "text/html")],
    ["after a lost connection", dropped],
  ] as const) {
    test(name, async () => {
      const { url, requests } = await serve(first, first, done);
      await logOne(url);
      assert.deepEqual(requests, Array(3).fill("POST /api/2.0/mlflow/runs/log-batch"));
    });
  }

  test("when the server says when to come back, then", async () => {
    const { url, requests } = await serve(json(429, {}, { "retry-after": "1" }), done);
    const start = performance.now();
    await logOne(url);
    assert.equal(requests.length, 2);
    assert(performance.now() - start >= 990);
  });

  test("but not for ever", async () => {
    const { url, requests } = await serve(failed);
    await assert.rejects(logOne(url, { ...FAST, MLFLOW_HTTP_REQUEST_MAX_RETRIES: "2" }), {
      code: "CHURN_ERR_TRACKING_SERVER",
      message: `POST ${url}/api/2.0/mlflow/runs/log-batch: the server answered 500, INTERNAL_ERROR: boom`,
    });
    assert.equal(requests.length, 3);
  });

  test("and after no answer in time", async () => {
    const silent: Answer = () => {};
    const { url, requests } = await serve(silent, done);
    await logOne(url, { ...FAST, MLFLOW_HTTP_REQUEST_TIMEOUT: "0.2" });
    assert.equal(requests.length, 2);
  });
});

describe("a call whose repetition would make a second run is sent once", () => {
  for (const [name, first] of [
    ["after a 500", failed],
    ["after a 503", json(503, {})],
    ["after a lost connection", dropped],
  ] as const) {
    test(name, async () => {
      const { url, requests } = await serve(first);
      await assert.rejects(createRun(url), MlflowError);
      assert.equal(requests.length, 1);
    });
  }

  test("after no answer in time", async () => {
    const { url, requests } = await serve(() => {});
    await assert.rejects(createRun(url, { ...FAST, MLFLOW_HTTP_REQUEST_TIMEOUT: "0.2" }), /no answer within 0.2 s/);
    assert.equal(requests.length, 1);
  });

  test("unless the server has not looked at it", async () => {
    const run = { info: { run_id: "r", artifact_uri: "mlflow-artifacts:/1/r/artifacts" } };
    const { url, requests } = await serve(json(429, {}), json(200, { run }));
    assert.equal((await createRun(url)).id, "r");
    assert.equal(requests.length, 2);
  });
});

describe("what a refusal says", () => {
  const cases: readonly (readonly [string, Answer, RegExp])[] = [
    [
      "401 in plain text",
      text(401, "You are not authenticated."),
      /401, "You are not authenticated\.": set MLFLOW_TRACKING_USERNAME/,
    ],
    ["403 in plain text", text(403, "Permission denied"), /403, "Permission denied": check the user's permissions/],
    [
      "403 of a host",
      text(403, "Invalid Host header - possible DNS rebinding attack detected"),
      /403, "Invalid Host .*--allowed-hosts/,
    ],
    [
      "400 with a code",
      json(400, { error_code: "INVALID_PARAMETER_VALUE", message: "no" }),
      /400, INVALID_PARAMETER_VALUE: no$/,
    ],
    [
      "404 of another server",
      text(404, "<!doctype html><title>nginx", "text/html"),
      /404, an HTML page \(is it the address/,
    ],
    ["an empty 400", text(400, ""), /400, nothing$/],
    [
      "200 with a page",
      text(200, "<html>Please log in</html>", "text/html"),
      /expected MLflow's JSON, got an HTML page/,
    ],
    ["200 with JSON cut short", text(200, '{"runs": [', "application/json"), /expected MLflow's JSON, got "\{\\"runs/],
  ];
  for (const [name, answer, message] of cases) {
    test(name, async () => {
      const { url } = await serve(answer);
      await assert.rejects(logOne(url), { code: "CHURN_ERR_TRACKING_SERVER", message });
    });
  }

  test("no server", async () => {
    const { url } = await serve(done);
    servers.at(-1)?.close();
    await assert.rejects(logOne(url), {
      code: "CHURN_ERR_TRACKING_SERVER",
      message: /the server cannot be reached \(ECONNREFUSED\)$/,
    });
  });

  test("and never a password", async () => {
    const { url } = await serve(text(401, "no"));
    const address = url.replace("//", "//user:hidden@");
    await assert.rejects(logOne(address), (error: Error) => !`${error.message}${error.stack}`.includes("hidden"));
  });
});

for (const [name, trickle] of [
  ["stalls", false],
  ["trickles", true],
] as const) {
  test(`an answer that ${name} has an end`, { timeout: 10_000 }, async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).write("{");
      if (!trickle) return;
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    });
    await assert.rejects(logOne(url, { ...FAST, MLFLOW_HTTP_REQUEST_TIMEOUT: "0.2" }), {
      code: "CHURN_ERR_TRACKING_SERVER",
      message: /: no answer within 0.2 s/,
    });
  });
}

describe("who asks", () => {
  const asked = async (environment: NodeJS.ProcessEnv, credentials = ""): Promise<string | undefined> => {
    let authorization: string | undefined;
    const { url } = await serve((request, response) => {
      ({ authorization } = request.headers);
      response.end("{}");
    });
    await logOne(url.replace("//", `//${credentials}`), { ...FAST, ...environment });
    return authorization;
  };
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
  const user = { MLFLOW_TRACKING_USERNAME: "ada", MLFLOW_TRACKING_PASSWORD: "p:ü" };

  test("nobody", async () => assert.equal(await asked({}), undefined));
  test("a user", async () => assert.equal(await asked(user), basic("ada:p:ü")));
  test("a token", async () => assert.equal(await asked({ MLFLOW_TRACKING_TOKEN: "t" }), "Bearer t"));
  test("a user rather than a token", async () =>
    assert.equal(await asked({ ...user, MLFLOW_TRACKING_TOKEN: "t" }), basic("ada:p:ü")));
  test("a user in the address", async () => assert.equal(await asked({}, "ada:p%20q@"), basic("ada:p q")));
  test("a user whose percent sign is one", async () => assert.equal(await asked({}, "ada:p%q@"), basic("ada:p%q")));

  for (const token of ["hidden\nx", "hidden\u2713"]) {
    test(`a token that no header can carry, ${JSON.stringify(token)}, is told and not shown`, async () => {
      await assert.rejects(asked({ MLFLOW_TRACKING_TOKEN: token }), ({ message, stack }: Error) => {
        assert.match(message, /^MLFLOW_TRACKING_TOKEN: expected/);
        return !stack?.includes("hidden");
      });
    });
  }
});

test("a batch keeps within MLflow's limits", async () => {
  const { url, bodies } = await serve(done);
  const metrics = Array.from({ length: 1500 }, (_, step) => ({ key: "m", value: step, step, timestamp: 1 }));
  const params = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`p${i}`, "x".repeat(6000)]));
  await new MlflowClient(url, FAST).logBatch("r", { metrics, params });

  assert(bodies.every((body) => body.length <= 1_000_000));
  const batches = bodies.map((body) => JSON.parse(body) as { metrics?: unknown[]; params?: unknown[] });
  const counts = (of: "metrics" | "params"): number[] => batches.flatMap((batch) => batch[of]?.length ?? []);
  assert(counts("metrics").every((count) => count <= 1000) && counts("params").every((count) => count <= 100));
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
  assert.deepEqual([sum(counts("metrics")), sum(counts("params"))], [1500, 250]);
});

test("numbers that JSON does not have are texts", async () => {
  const { url, bodies } = await serve(done);
  const metrics = [Number.NaN, Infinity, -Infinity].map((value, step) => ({ key: "m", value, step, timestamp: 1 }));
  await new MlflowClient(url, FAST).logBatch("r", { metrics });
  const { metrics: sent } = JSON.parse(bodies[0]) as { metrics: { value: unknown }[] };
  assert.deepEqual(
    sent.map(({ value }) => value),
    ["NaN", "Infinity", "-Infinity"],
  );
});

test("artifacts that the server does not take itself are told apart", async () => {
  const client = new MlflowClient("http://127.0.0.1:9", FAST);
  await assert.rejects(client.putArtifact("s3://bucket/1/r/artifacts", "a.txt", new Blob()), {
    code: "CHURN_ERR_TRACKING_SERVER",
    message: /its artifacts are at s3:\/\/bucket.*--artifacts-destination/,
  });
});

for (const [name, environment] of [
  ["MLFLOW_HTTP_REQUEST_TIMEOUT", { MLFLOW_HTTP_REQUEST_TIMEOUT: "soon" }],
  ["MLFLOW_TRACKING_SERVER_CERT_PATH", { MLFLOW_TRACKING_SERVER_CERT_PATH: "/no/such.pem" }],
  ["MLFLOW_TRACKING_CLIENT_CERT_PATH", { MLFLOW_TRACKING_CLIENT_CERT_PATH: "/a.pem" }],
] as const) {
  test(`${name} that cannot be honoured is an error that names it`, () => {
    assert.throws(() => new MlflowClient("http://127.0.0.1:9", environment), {
      code: "CHURN_ERR_OPTION_INVALID",
      message: new RegExp(`^${name}: expected`),
    });
  });
}
