/**
 * `GET /model`: what is being served, from the artifact's own words.
 *
 * Left out: the reference distributions (large, for drift reports) and the names of the training files
 * (paths of another machine are nobody's business here).
 */
import { type ConfusionMatrix, type Lineage, type Model, requestSchema } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import { objectSchema, recordSchema } from "../schemas.ts";

const TEXT = { type: "string" };
const TEXT_OR_NULL = { type: ["string", "null"] };
const NUMBER = { type: "number" };
const INTEGER = { type: "integer" };

const METRICS = recordSchema(
  objectSchema({ value: NUMBER, low: NUMBER, high: NUMBER }, { description: "With its 95 % confidence interval." }),
);

const MODEL_SCHEMA = objectSchema(
  {
    name: TEXT,
    version: TEXT,
    created: { type: "string", format: "date-time" },
    dataset: objectSchema({ name: TEXT, description: TEXT_OR_NULL, target: TEXT }),
    features: {
      type: "array",
      items: {
        type: "object",
        required: ["name", "kind"],
        properties: { name: TEXT, kind: TEXT, expression: { ...TEXT, description: "Set for a derived feature." } },
      },
    },
    metrics: METRICS,
    confusion_matrix: objectSchema(
      { true_positives: INTEGER, false_positives: INTEGER, false_negatives: INTEGER, true_negatives: INTEGER },
      { description: "Held-out customers by prediction and truth." },
    ),
    baselines: {
      ...recordSchema(METRICS),
      description: "The same metrics of other predictors, such as the base rate.",
    },
    threshold: objectSchema({ value: NUMBER, method: TEXT, reason: TEXT }),
    request_schema: {
      type: "object",
      additionalProperties: true,
      description: "JSON Schema of a customer, as POST /predict takes it.",
    },
    card: { ...TEXT, description: "The model card, in Markdown." },
    lineage: objectSchema({
      data: objectSchema({ sha256: TEXT, rows: INTEGER, training_rows: INTEGER }),
      seed: INTEGER,
      code: objectSchema({
        commit: TEXT_OR_NULL,
        contract_tree: TEXT_OR_NULL,
        training_tree: TEXT_OR_NULL,
        lockfile_sha256: TEXT_OR_NULL,
        modified: { type: ["boolean", "null"] },
      }),
      engine: recordSchema(TEXT),
      content_sha256: TEXT,
      duration_ms: NUMBER,
    }),
  },
  { description: "The model." },
);

export function addModelRoute(app: FastifyInstance, model: Model): void {
  const description = describeModel(model);
  app.get(
    "/model",
    {
      config: { scopes: [], failures: [] },
      schema: {
        operationId: "getModel",
        tags: ["model"],
        summary: "What is being served: features, metrics, threshold, lineage",
        response: { 200: MODEL_SCHEMA },
      },
    },
    () => description,
  );
}

function describeModel({ manifest, card }: Model) {
  const { name, version, contentSha256, dataset, features, metrics, confusionMatrix, baselines } = manifest;
  const { threshold, lineage } = manifest;
  return {
    name,
    version,
    created: lineage.created,
    dataset: { name: dataset.name, description: dataset.description ?? null, target: dataset.target.column },
    features,
    metrics,
    confusion_matrix: describeConfusion(confusionMatrix),
    baselines,
    threshold,
    request_schema: requestSchema(dataset),
    card,
    lineage: { ...describeLineage(lineage), content_sha256: contentSha256 },
  };
}

function describeConfusion(matrix: ConfusionMatrix) {
  return {
    true_positives: matrix.truePositives,
    false_positives: matrix.falsePositives,
    false_negatives: matrix.falseNegatives,
    true_negatives: matrix.trueNegatives,
  };
}

function describeLineage({ data, seed, code, engine, durationMs }: Lineage) {
  return {
    data: { sha256: data.sha256, rows: data.rows, training_rows: data.trainingRows },
    seed,
    code: {
      commit: code.commit,
      contract_tree: code.contractTree,
      training_tree: code.trainingTree,
      lockfile_sha256: code.lockfileSha256,
      modified: code.modified,
    },
    engine,
    duration_ms: durationMs,
  };
}
