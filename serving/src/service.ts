/**
 * The process: environment, model, port, signals, exit codes.
 *
 *     0 stopped on a signal · 1 a bug, or a log that cannot be written · 2 wrong environment, unusable model or port
 *
 * A second signal ends it at once.
 */
import type { AddressInfo } from "node:net";
import { ChurnError, Model } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import { destination, type Logger, pino } from "pino";
import { buildApp } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { createLogger, LOG_BASE } from "./logger.ts";
import { Drain } from "./plugins/draining.ts";
import { stopGracefully } from "./stop.ts";

/** Signal → the exit code a shell gives it (128 + its number). */
const STOP_SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

/** npm passes a terminal's Ctrl-C on to a process that has had it already: so near, it is the same one. */
const SAME_SIGNAL_MS = 250;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = await createLogger(config.logLevel, (cause) => {
    fail(
      new ChurnError("CHURN_ERR_SERVICE_LOG", `standard output: the log cannot be written: ${cause.message}`, {
        cause,
      }),
    );
  });
  const model = loadModel(config.modelDirectory, logger);
  const drain = new Drain();
  const app = await buildApp({ model, logger, drain });
  stopOnSignal(app, drain, logger);
  await listen(app, config, logger);
}

function loadModel(directory: string, logger: Logger): Model {
  const start = performance.now();
  const model = Model.load(directory);
  const { version, contentSha256, forest } = model.manifest;
  const durationMs = Math.round(performance.now() - start);
  const facts = { modelVersion: version, modelSha256: contentSha256, nNodes: forest.nNodes, durationMs };
  logger.info({ event: "model.loaded", directory, ...facts }, "model loaded");
  return model;
}

async function listen(app: FastifyInstance, { host, port }: Config, logger: Logger): Promise<void> {
  try {
    const url = await app.listen({ host, port });
    const facts = {
      host,
      port: (app.server.address() as AddressInfo).port,
      url,
      durationMs: Math.round(performance.now()), // since the process began
    };
    logger.info({ event: "service.listening", ...facts }, "service listening");
  } catch (cause) {
    throw listenFault(cause as NodeJS.ErrnoException, host, port);
  }
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

function stopOnSignal(app: FastifyInstance, drain: Drain, logger: Logger): void {
  let first: number | undefined;
  const onSignal = (signal: keyof typeof STOP_SIGNALS): void => {
    if (first === undefined) {
      first = performance.now();
      stopGracefully(app, drain, logger, { signal }).then(() => process.exit(0), fail);
    } else if (performance.now() - first > SAME_SIGNAL_MS) {
      process.exit(STOP_SIGNALS[signal]);
    }
  };
  for (const signal of Object.keys(STOP_SIGNALS) as (keyof typeof STOP_SIGNALS)[]) process.on(signal, onSignal);
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
