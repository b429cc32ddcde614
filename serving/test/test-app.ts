/** The service around the tiny model, for tests that inject requests; its log lines and records are kept for reading. */
import { type LogRecord, Model } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import { type Logger, pino } from "pino";
import { ApiKeys } from "../src/api-keys.ts";
import { buildApp, type Service } from "../src/app.ts";
import { exposition, Metrics, traffic } from "../src/metrics.ts";
import { Drain } from "../src/plugins/draining.ts";
import type { RecordSink } from "../src/store/recorder.ts";
import { writeTinyModel } from "./tiny-model.ts";

export interface TestApp {
  readonly app: FastifyInstance;
  readonly model: Model;
  readonly drain: Drain;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Parsed log lines so far. */
  readonly logs: Record<string, unknown>[];
  /** What would go to the prediction store, so far. */
  readonly records: LogRecord[];
}

/** Keeps records in a list. */
export function listSink(records: LogRecord[] = []): RecordSink {
  return {
    record: (record) => records.push(record) > 0,
    flushed: async () => true,
    caughtUp: async () => {},
    erase: async (customerKey, requestedAt) => {
      records.push({ kind: "erasure", customerKey, requestedAt });
      return true;
    },
    view: async () => {
      throw new Error("no store in this test");
    },
    state: {
      isUp: true,
      lagSeconds: 0,
      waiting: 0,
      delivered: 0,
      failures: 0,
      dropped: 0,
      spoolBytes: 0,
      spoolLimitBytes: 1,
    },
  };
}

/** What a process has, without a process. */
export function testService(logger: Logger, change: Partial<Service> = {}): Service {
  const metrics = new Metrics();
  const sink = change.sink ?? listSink();
  metrics.watchDelivery(() => sink.state);
  const snapshots = async () => [await metrics.snapshot()];
  return {
    logger,
    drain: new Drain(),
    keys: ApiKeys.parse(undefined),
    rateLimit: undefined,
    hashSecret: undefined,
    sink,
    metrics,
    startedAt: new Date(),
    everybody: {
      exposition: async () => exposition(await snapshots()),
      traffic: async () => traffic(await snapshots()),
      erase: (customerKey) => sink.erase(customerKey, Date.now()),
    },
    ...change,
  };
}

/**
 * @param change What to replace in the loaded model, to see what becomes of it.
 * @param serviceChange What to replace in the service around it.
 */
export async function buildTestApp(
  change: Partial<Model> = {},
  serviceChange: Partial<Service> = {},
): Promise<TestApp> {
  const { directory, remove } = writeTinyModel();
  const model = Object.assign(Model.load(directory), change);
  remove();
  const logs: Record<string, unknown>[] = [];
  const records: LogRecord[] = [];
  const logger = pino(
    { level: "info", base: { plane: "serving" } },
    { write: (line) => void logs.push(JSON.parse(line)) },
  );
  const service = testService(logger, { sink: listSink(records), ...serviceChange });
  return {
    app: await buildApp(model, new Date(), service),
    model,
    drain: service.drain,
    metrics: service.metrics,
    logger,
    logs,
    records,
  };
}
