/**
 * `POST /predict`: one customer in, one probability out; with `?explain=true`, reasons too.
 *
 * The body's schema comes from the model's own dataset specification. The answer's probability is the full
 * double, so that it can be compared bit for bit with batch scoring.
 */
import { MOST_REASONS, type Reason, requestSchema, type Warning } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { contextFacts } from "../plugins/request-context.ts";
import type { Explained, Prediction, Predictor } from "../predictor.ts";
import { objectSchema } from "../schemas.ts";
import type { Customer } from "../store/records.ts";

/** A customer of a hundred columns takes a tenth of this. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/** The query, by its wire names. */
interface Query {
  readonly explain?: "true" | "false";
}

const QUERY_SCHEMA = {
  type: "object",
  additionalProperties: false,
  properties: {
    explain: {
      type: "string",
      enum: ["true", "false"],
      default: "false",
      description: "Whether the answer says which features moved the score most.",
    },
  } satisfies Record<keyof Query, object>,
};

const WARNING_SCHEMA = objectSchema({
  field: { type: "string" },
  code: { type: "string", enum: ["unknown_level", "missing"] satisfies Warning["code"][] },
  detail: { type: "string" },
});

const REASON_SCHEMA = {
  type: "object",
  required: ["feature", "value", "contribution", "effect", "text"],
  properties: {
    feature: { type: "string", description: "A column, or a derived feature." },
    value: { type: ["number", "string", "boolean", "null"], description: "The customer's; null is missing." },
    contribution: { type: "number", description: "By how much it moves the forest's score, by Shapley's rule." },
    effect: { type: "string", enum: ["raises", "lowers"] satisfies Reason["effect"][] },
    text: { type: "string", description: "The reason as a sentence." },
    expression: { type: "string", description: "What a derived feature is computed from." },
  } satisfies Record<keyof Reason, object>,
};

export const PREDICTION_SCHEMA = {
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
    reasons: {
      type: "array",
      items: REASON_SCHEMA,
      description: `With explain=true: the features that moved the score most (at most ${MOST_REASONS}), the largest first; never a sensitive one.`,
    },
    base_value: { type: "number", description: "With explain=true: the score of a customer of whom nothing is known." },
    other_contributions: {
      type: "number",
      description: "With explain=true: of all features that are not listed, summed.",
    },
    forest_score: {
      type: "number",
      description:
        "With explain=true: the forest's score before calibration; base_value, contributions and other_contributions sum to it.",
    },
  } satisfies Record<keyof Prediction | keyof Explained, object>,
};

export function addPredictRoute(app: FastifyInstance, predictor: Predictor, logger: Logger): void {
  const { version, dataset, inputExample } = predictor.model.manifest;
  app.post<{ Body: Customer; Querystring: Query }>(
    "/predict",
    {
      bodyLimit: BODY_LIMIT_BYTES,
      config: { scopes: ["predict"], failures: [400, 408, 413, 415, 422] },
      schema: {
        operationId: "predict",
        tags: ["prediction"],
        summary: "Score one customer",
        querystring: QUERY_SCHEMA,
        body: { ...requestSchema(dataset), examples: [inputExample] },
        response: { 200: PREDICTION_SCHEMA },
      },
    },
    (request, reply) => {
      const isExplained = request.query.explain === "true";
      const prediction = predictor.predict(request.body, isExplained);
      logger.info(
        {
          event: "predict.served",
          ...contextFacts(request),
          modelVersion: version,
          predictionId: prediction.prediction_id,
          decision: prediction.churn_prediction,
          warnings: prediction.warnings?.length ?? 0,
          ...(isExplained && { explained: true }),
          durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
        },
        "prediction served",
      );
      return prediction;
    },
  );
}
