/**
 * Two instances restarted in turn under load, as a balancer sees it: not a request may fail, not a record be lost.
 *
 *     npm run bench:restart [-- --quick]
 *
 * 64 clients with kept-alive connections ask the instance that is ready. They move to the other when an answer says
 * `Connection: close`, or when readiness, asked often, has gone. Nothing is tried again. Both instances share one
 * prediction store and one spool folder. Exit code 1 when a figure that must hold fails; with --quick sizes are small, and
 * nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KEY, startService, storedPredictionIds } from "./churn-service.ts";
import { customerRequests } from "./customer-requests.ts";
import { keepAliveAgent, postPredict } from "./http-client.ts";
import { atLeast, atMost, checkTable, describeMachine, type Findings, writeSection } from "./results.ts";
import { freePort, type ServerProcess } from "./server-process.ts";

const { quick } = parseArgs({ options: { quick: { type: "boolean", default: false } } }).values;
const SIZE = quick ? { requests: 5_000, restarts: 2 } : { requests: 100_000, restarts: 10 };
const CLIENTS = 64;
const CUSTOMERS = 300;
/** How often a balancer asks for readiness. The service waits 400 ms for it. */
const READINESS_INTERVAL_MS = 100;

/** Which of the two instances gets the requests. */
class Balancer {
  readonly #urls: readonly string[];
  readonly #isReady = [false, false];
  #current = 0;
  #isClosed = false;
  readonly #asking: Promise<void>;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    this.#asking = this.#askOften();
  }

  get current(): number {
    return this.#current;
  }

  /** An answer of this instance said that it is leaving. */
  leave(instance: number): void {
    this.#isReady[instance] = false;
    this.#choose();
  }

  async whenReady(instance: number): Promise<void> {
    while (!this.#isReady[instance]) await sleep(READINESS_INTERVAL_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#asking;
  }

  async #askOften(): Promise<void> {
    while (!this.#isClosed) {
      const answers = await Promise.all(
        this.#urls.map((url) =>
          fetch(`${url}/health/ready`).then(
            ({ ok }) => ok,
            () => false,
          ),
        ),
      );
      for (const [instance, isReady] of answers.entries()) this.#isReady[instance] = isReady;
      this.#choose();
      await sleep(READINESS_INTERVAL_MS);
    }
  }

  #choose(): void {
    const other = 1 - this.#current;
    if (!this.#isReady[this.#current] && this.#isReady[other]) this.#current = other;
  }
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  if (!report(await restartUnderLoad()) && !quick) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function restartUnderLoad(): Promise<Findings> {
  const requests = customerRequests(folder, CUSTOMERS);
  const ports = [await freePort(), await freePort()];
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const agents = ports.map(() => keepAliveAgent(CLIENTS));
  const answered: string[] = []; // ids of predictions
  const failures: string[] = [];
  const latencies = createHistogram(); // µs
  let isOver = false;

  const start = async (instance: number): Promise<ServerProcess> => {
    const server = await startService({ folder, probe: requests[0], port: ports[instance] });
    answered.push(predictionId(server.firstAnswer));
    return server;
  };

  const client = async (number: number): Promise<void> => {
    for (let i = number; !isOver; i++) {
      const instance = balancer.current;
      const sent = performance.now();
      try {
        const answer = await postPredict(urls[instance], agents[instance], KEY, requests[i % requests.length]);
        if (answer.status === 200) answered.push(predictionId(answer.text));
        else failures.push(`${answer.status}: ${answer.text}`);
        if (answer.isLast) balancer.leave(instance);
      } catch (error) {
        failures.push(String(error));
      }
      latencies.record(Math.max(1, Math.round((performance.now() - sent) * 1000)));
    }
  };

  let server = await start(0);
  const balancer = new Balancer(urls);
  await balancer.whenReady(0);
  const began = performance.now();
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  let restarts = 0;
  for (; restarts < SIZE.restarts || answered.length < SIZE.requests; restarts++) {
    const next = (restarts + 1) % 2;
    const successor = await start(next);
    await balancer.whenReady(next);
    await server.stop();
    server = successor;
    process.stderr.write(`${restarts + 1} restarts, ${answered.length} answers, ${failures.length} failures\n`);
  }
  isOver = true;
  await Promise.all(clients);
  const seconds = (performance.now() - began) / 1000;
  await balancer.close();
  for (const agent of agents) agent.destroy();
  await server.stop();
  return findings({
    answered,
    failures,
    restarts,
    seconds,
    p99: latencies.percentile(99) / 1000,
    max: latencies.max / 1000,
  });
}

function predictionId(text: string): string {
  return (JSON.parse(text) as { prediction_id: string }).prediction_id;
}

interface Outcome {
  readonly answered: readonly string[];
  readonly failures: readonly string[];
  readonly restarts: number;
  readonly seconds: number;
  readonly p99: number;
  readonly max: number;
}

function findings({ answered, failures, restarts, seconds, p99, max }: Outcome): Findings {
  for (const failure of failures.slice(0, 5)) process.stderr.write(`failed: ${failure}\n`);
  const ids = storedPredictionIds(folder);
  const stored = new Set(ids);
  const lost = answered.filter((id) => !stored.has(id)).length;
  const unasked = stored.difference(new Set(answered)).size;
  return {
    versions: {},
    text: [
      [
        `${CLIENTS} clients with kept-alive connections, two instances restarted in turn, ${restarts} times in ${seconds.toFixed(0)} s, by`,
        "starting the one and stopping the other (SIGTERM) once the first is ready; readiness is asked every",
        `${READINESS_INTERVAL_MS} ms, and nothing is tried again. ${answered.length + failures.length} requests; p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(0)} ms, clients on the same`,
        "machine. Every 200's prediction id was looked for in the store that both instances share.",
      ].join("\n"),
    ],
    checks: [
      atLeast("requests answered with 200", answered.length, SIZE.requests, 0),
      atMost("requests that failed", failures.length, 0, 0),
      atMost("answered predictions that are not in the store", lost, 0, 0),
      atMost("records that are there twice", ids.length - stored.size, 0, 0),
      atMost("records that nobody has an answer for", unasked, 0, 0),
    ],
  };
}

/** Prints, and at full size writes, what came out. @returns whether everything holds */
function report({ text, checks }: Findings): boolean {
  const body = ["`npm run bench:restart`", describeMachine({}), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (!quick) writeSection("Serving: rolling restart", body);
  return checks.every(({ holds }) => holds);
}
