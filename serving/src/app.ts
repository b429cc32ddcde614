/**
 * The HTTP service around one model as a value: everything but the process, the port and the signals, which `service.ts` owns.
 * It knows nothing of churn but what its model says, so another company's columns need no other code.
 *
 * What outlives a model (keys, records, metrics) comes in from outside: when another model takes over, another app is built
 * around it, and takes over between two requests.
 */
import type { Model } from "@churn/contract";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { ApiKeys } from "./api-keys.ts";
import type { Metrics, RouteTraffic } from "./metrics.ts";
import { addAuthentication } from "./plugins/authentication.ts";
import { addBodyLimits } from "./plugins/body-limits.ts";
import { addDocsPage } from "./plugins/docs-page.ts";
import { addConnectionClose, type Drain } from "./plugins/draining.ts";
import { addErrorHandler, errorHandler } from "./plugins/error-handler.ts";
import { addRateLimit } from "./plugins/rate-limit.ts";
import { addRequestContext, requestId } from "./plugins/request-context.ts";
import { addRequestMetrics } from "./plugins/request-metrics.ts";
import { addSecurityHeaders, SECURITY_HEADERS } from "./plugins/security-headers.ts";
import { Predictor } from "./predictor.ts";
import { schemaBroken } from "./problems.ts";
import { addBatchRoute } from "./routes/batch.ts";
import { addDashboard } from "./routes/dashboard.ts";
import { addErasuresRoute } from "./routes/erasures.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addMetricsRoute } from "./routes/metrics.ts";
import { addModelRoute } from "./routes/model.ts";
import { addOutcomesRoute } from "./routes/outcomes.ts";
import { addPredictRoute, BODY_LIMIT_BYTES } from "./routes/predict.ts";
import type { RecordSink } from "./store/recorder.ts";
import { warmUp } from "./warm-up.ts";

/** What a process has one of, whatever model it serves. */
export interface Service {
  readonly logger: Logger;
  /** Shared with whoever decides that the service is to stop. */
  readonly drain: Drain;
  readonly keys: ApiKeys;
  /** Requests per minute of one key; undefined is no limit. */
  readonly rateLimit: number | undefined;
  /** What of sensitive columns is recorded is hashed with this, when it is there. */
  readonly hashSecret: string | undefined;
  readonly sink: RecordSink;
  readonly metrics: Metrics;
  readonly startedAt: Date;
  /** Of all workers together. */
  readonly everybody: {
    exposition(): Promise<string>;
    traffic(): Promise<readonly RouteTraffic[]>;
    /** Of a key as the store has it; resolves to whether all have it on disk. */
    erase(customerKey: string): Promise<boolean>;
  };
}

/** What the dashboard looks back on: long enough for outcomes to have come. */
const DASHBOARD_DAYS = 90;
const DASHBOARD_PREDICTIONS = 10;
const DAY_MS = 86_400_000;

/** Builds the service around a model, warmed up and ready for requests (or to be injected into). */
export async function buildApp(model: Model, loadedAt: Date, service: Service): Promise<FastifyInstance> {
  const { logger, drain, keys, sink, metrics, everybody } = service;
  const handleError = errorHandler(logger);
  const app = fastify({
    logger: false, // the routes log: one line per prediction and one per failure, not two per request
    genReqId: requestId,
    bodyLimit: BODY_LIMIT_BYTES,
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        allErrors: true,
        verbose: true,
        ownProperties: true, // a column may be called "constructor"
        validateSchema: false, // the contract makes it, and tests it; see there
      },
    },
    schemaErrorFormatter: schemaBroken,
    // They come before any hook.
    frameworkErrors: (error, request, reply) => {
      reply.headers({ ...SECURITY_HEADERS, "x-request-id": request.id });
      handleError(error, request, reply);
    },
    return503OnClosing: false, // a request that still gets through while closing is answered
  });
  addRequestContext(app);
  addRequestMetrics(app, metrics);
  addErrorHandler(app, handleError);
  addConnectionClose(app, drain);
  addSecurityHeaders(app);
  addAuthentication(app, keys);
  await addRateLimit(app, service.rateLimit);
  addBodyLimits(app);
  await addDocsPage(app, model.manifest, { hasKeys: keys.size > 0, isLimited: service.rateLimit !== undefined });

  const predictor = new Predictor({ model, sink, metrics, hashSecret: service.hashSecret });
  const storedKey = (key: string): string => predictor.records.customerKey(key);
  addHealthRoutes(app, model.manifest.version, drain);
  addModelRoute(app, model);
  addPredictRoute(app, predictor, logger);
  await addBatchRoute(app, predictor, () => sink.caughtUp(), logger);
  addOutcomesRoute(app, { sink, storedKey, metrics, logger });
  addErasuresRoute(app, (key) => everybody.erase(storedKey(key)), logger);
  addMetricsRoute(app, everybody.exposition);
  await addDashboard(app, {
    model,
    reader: predictor.reader,
    reasonFinder: predictor.reasonFinder,
    loadedAt,
    startedAt: service.startedAt,
    requests: everybody.traffic,
    store: () => sink.view(Date.now() - DASHBOARD_DAYS * DAY_MS, DASHBOARD_PREDICTIONS),
    delivery: () => sink.state,
  });
  await app.ready();
  warmUp(model, predictor.reader);
  metrics.setModel(model.manifest, loadedAt);
  return app;
}
