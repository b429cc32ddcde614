/**
 * `POST /predict`: one customer in, one probability out.
 *
 * The body's schema comes from the model's own dataset specification. The answer's probability is the full
 * double, so that it can be compared bit for bit with batch scoring.
 */
import { randomUUIDv7 } from "node:crypto";
import { type Model, type RequestReader, requestSchema, type Warning } from "@churn/contract";
import { errorCodes, type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { objectSchema, problemResponses } from "../schemas.ts";

/** A customer of a hundred columns takes a tenth of this. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/** The answer, by its wire names. */
interface Prediction {
  readonly churn_prediction: 0 | 1;
  readonly churn_probability: number;
  readonly prediction_id: string;
  readonly threshold: number;
  readonly model_version: string;
  /** Only when there are any. */
  readonly warnings?: readonly Warning[];
}

const WARNING_SCHEMA = objectSchema({
  field: { type: "string" },
  code: { type: "string", enum: ["unknown_level", "missing"] satisfies Warning["code"][] },
  detail: { type: "string" },
});

const PREDICTION_SCHEMA = {
  description: "The prediction.",
  type: "object",
  required: ["churn_prediction", "churn_probability", "prediction_id", "threshold", "model_version"],
  properties: {
    churn_prediction: { type: "integer", enum: [0, 1], description: "1 when the probability reaches the threshold." },
    churn_probability: { type: "number", minimum: 0, maximum: 1 },
    prediction_id: { type: "string", format: "uuid", description: "UUID version 7: sorts by time." },
    threshold: { type: "number" },
    model_version: { type: "string" },
    warnings: { type: "array", items: WARNING_SCHEMA, description: "Values that were scored as unknown, if any." },
  } satisfies Record<keyof Prediction, object>,
};

declare module "fastify" {
  interface FastifyRequest {
    /** When the request's headers had arrived, on the clock of `performance.now()`. */
    startedAt: number;
  }
}

export function addPredictRoute(app: FastifyInstance, model: Model, reader: RequestReader, logger: Logger): void {
  const { version, threshold, dataset, inputExample } = model.manifest;

  const predict = (customer: Readonly<Record<string, unknown>>): Prediction => {
    const { row, warnings } = reader.read(customer);
    const probability = model.predictRow(row);
    return {
      churn_prediction: model.decide(probability),
      churn_probability: probability,
      prediction_id: randomUUIDv7(),
      threshold: threshold.value,
      model_version: version,
      ...(warnings.length > 0 && { warnings }),
    };
  };

  app.decorateRequest("startedAt", 0);
  app.post<{ Body: Readonly<Record<string, unknown>> }>(
    "/predict",
    {
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        operationId: "predict",
        tags: ["prediction"],
        summary: "Score one customer",
        body: { ...requestSchema(dataset), examples: [inputExample] },
        response: { 200: PREDICTION_SCHEMA, ...problemResponses(400, 413, 415, 422, 500) },
      },
      onRequest: (request, _reply, done) => {
        request.startedAt = performance.now();
        done();
      },
      preValidation: (request, _reply, done) => {
        // Without a body and its content type, no reader has run that could have said so.
        done(request.body === undefined ? new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY() : undefined);
      },
    },
    (request) => {
      const prediction = predict(request.body);
      logger.info(
        {
          event: "predict.served",
          reqId: request.id,
          modelVersion: version,
          predictionId: prediction.prediction_id,
          decision: prediction.churn_prediction,
          warnings: prediction.warnings?.length ?? 0,
          durationMs: Math.round((performance.now() - request.startedAt) * 1000) / 1000,
        },
        "prediction served",
      );
      return prediction;
    },
  );
}
