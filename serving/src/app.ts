/**
 * The HTTP service as a value: everything but the process, the port and the signals, which `service.ts` owns.
 * It knows nothing of churn but what its model says, so another company's columns need no other code.
 */
import { type Model, RequestReader } from "@churn/contract";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { addDocsPage } from "./plugins/docs-page.ts";
import { addConnectionClose, Drain } from "./plugins/draining.ts";
import {
  addErrorHandler,
  addJsonReader,
  answerBrokenConnection,
  errorHandler,
  schemaBroken,
} from "./plugins/error-handler.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addModelRoute } from "./routes/model.ts";
import { addPredictRoute, BODY_LIMIT_BYTES } from "./routes/predict.ts";
import { warmUp } from "./warm-up.ts";

export interface AppParts {
  readonly model: Model;
  readonly logger: Logger;
  /** Shared with whoever decides that the service is to stop. */
  readonly drain?: Drain;
}

/** How long a request's headers, and all of it, may take to arrive, in ms; Fastify's own default is for ever. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Builds the service, warmed up and ready to listen (or to be injected into). */
export async function buildApp({ model, logger, drain = new Drain() }: AppParts): Promise<FastifyInstance> {
  const handleError = errorHandler(logger);
  const app = fastify({
    logger: false, // the routes log: one line per prediction and one per failure, not two per request
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
    frameworkErrors: handleError,
    clientErrorHandler: answerBrokenConnection,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1000 },
    return503OnClosing: false, // a request that still gets through while closing is answered
  });
  addJsonReader(app);
  addErrorHandler(app, handleError);
  addConnectionClose(app, drain);
  await addDocsPage(app, model.manifest);

  const reader = new RequestReader(model.manifest.dataset, model.encoder);
  addHealthRoutes(app, model.manifest.version, drain);
  addModelRoute(app, model.manifest);
  addPredictRoute(app, model, reader, logger);
  await app.ready();
  warmUp(model, reader);
  return app;
}
