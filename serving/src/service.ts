/**
 * The process: environment, model, port, signals, exit codes.
 *
 *     0 stopped on a signal · 1 a bug, or a log that cannot be written · 2 wrong environment, unusable model, port or folder
 *
 * SIGTERM and SIGINT stop it without losing a request or a record; a second one ends it at once. SIGHUP takes the model that
 * is in the directory now. With WEB_CONCURRENCY above 1 this process answers nothing itself: see `workers.ts`.
 */
import cluster from "node:cluster";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ChurnError } from "@churn/contract";
import { destination, type Logger, pino } from "pino";
import { SAFE_KEY_LENGTH } from "./api-keys.ts";
import type { Service } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { createHttpServer } from "./http-server.ts";
import { LiveModel } from "./live-model.ts";
import { createLogger, LOG_BASE } from "./logger.ts";
import { exposition, Metrics, type MetricsSnapshot, traffic } from "./metrics.ts";
import { Peers } from "./peers.ts";
import { Drain } from "./plugins/draining.ts";
import { failure } from "./problems.ts";
import { onStopSignal } from "./signals.ts";
import { stopGracefully } from "./stop.ts";
import { Recorder } from "./store/recorder.ts";
import { superviseWorkers } from "./workers.ts";

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = await createLogger(config.logLevel, (cause) => {
    const message = `standard output: the log cannot be written: ${cause.message}`;
    fail(new ChurnError("CHURN_ERR_SERVICE_LOG", message, { cause }));
  });
  if (config.workers > 1 && cluster.isPrimary) superviseWorkers(config.workers, logger);
  else await serve(config, logger);
}

/** Answers requests until a signal comes. */
async function serve(config: Config, logger: Logger): Promise<void> {
  if (config.keys.weak > 0) {
    const facts = { event: "keys.weak", keys: config.keys.weak, expectedLength: SAFE_KEY_LENGTH };
    logger.warn(facts, "API keys are short enough to be guessed");
  }
  const recorder = new Recorder(config.store, logger);
  const service = createService(config, recorder, logger);
  const live = await LiveModel.load(config.modelDirectory, service);
  const server = createHttpServer(live.handle);
  // Before anybody is told that it listens, and so might stop it.
  process.on("SIGHUP", () => void live.reload());
  onStopSignal(async (signal) => {
    await stopGracefully(server, service.drain, logger, { signal });
    await recorder.close();
    logger.info({ event: "service.stopped" }, "service stopped");
  }, fail);
  await listen(server, config, logger);
  live.watch();
  recorder.start(live.model.manifest.dataset.target.horizonDays); // after the first request can be answered
}

function createService(config: Config, recorder: Recorder, logger: Logger): Service {
  const metrics = new Metrics();
  metrics.watchDelivery(() => recorder.state);
  const peers = new Peers({
    metrics: () => metrics.snapshot(),
    erase: (customerKey) => recorder.erase(customerKey as string, Date.now()),
  });
  const askAll = async () => (await peers.ask("metrics")) as (MetricsSnapshot | undefined)[];
  const isThere = (snapshot: MetricsSnapshot | undefined): snapshot is MetricsSnapshot => snapshot !== undefined;
  return {
    logger,
    drain: new Drain(),
    keys: config.keys,
    rateLimit: config.rateLimit,
    hashSecret: config.store.hashSecret,
    sink: recorder,
    metrics,
    startedAt: new Date(),
    everybody: {
      exposition: async () => {
        const snapshots = await askAll();
        // Without somebody's counts the sums would fall, which Prometheus takes for a restart: it would count all again.
        if (snapshots.every(isThere)) return exposition(snapshots);
        throw failure("METRICS_INCOMPLETE", "a worker has not answered in time: ask again");
      },
      traffic: async () => traffic((await askAll()).filter(isThere)),
      erase: async (customerKey) => (await peers.ask("erase", customerKey)).every((isNoted) => isNoted === true),
    },
  };
}

async function listen(server: Server, { host, port }: Config, logger: Logger): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenFault(cause, host, port)));
    server.listen({ host, port }, resolve);
  });
  const { address, port: actual, family } = server.address() as AddressInfo;
  const facts = {
    host,
    port: actual,
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`,
    durationMs: Math.round(performance.now()), // since the process began
  };
  logger.info({ event: "service.listening", ...facts }, "service listening");
}

function listenFault(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const messages: Readonly<Record<string, string>> = {
    EADDRINUSE: `PORT: ${port} on ${host} is in use: stop what listens there, or choose another`,
    EACCES: `PORT: this user may not listen on ${port}: choose one above 1023`,
    EADDRNOTAVAIL: `HOST: expected an address of this machine, got ${JSON.stringify(host)}`,
    ENOTFOUND: `HOST: expected a name that resolves, got ${JSON.stringify(host)}`,
  };
  const message = messages[cause.code ?? ""];
  return message === undefined ? cause : new ChurnError("CHURN_ERR_SERVICE_START", message, { cause });
}

/** One line on standard error: words on a terminal, JSON for a machine. A stack only for a bug. */
function fail(error: unknown): void {
  const isBug = !(error instanceof ChurnError);
  if (!isBug && process.stderr.isTTY) {
    console.error(`${error.code}: ${error.message}`);
  } else {
    const facts = isBug ? { err: error } : { code: error.code, detail: error.message };
    pino({ base: LOG_BASE }, destination({ dest: 2, sync: true })).fatal(
      { event: "service.failed", ...facts },
      "service failed",
    );
  }
  process.exit(isBug || error.code === "CHURN_ERR_SERVICE_LOG" ? 1 : 2);
}

main().catch(fail);
