/**
 * `POST /outcomes`: what really happened, for measuring the model and for training the next one.
 *
 * An outcome is of one prediction, by its id, or of a customer at a time, by his key. The same one may come again; a
 * correction is a later report of the same. Answered once it is on disk here; the store may get it later.
 */
import { DAY, TIME_OF_DAY, ZONE } from "@churn/contract";
import type { ValidateFunction } from "ajv";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Metrics } from "../metrics.ts";
import { contextFacts } from "../plugins/request-context.ts";
import { bodyFaults, type Fault, failure, invalid } from "../problems.ts";
import { CUSTOMER_KEY_SCHEMA, firstFaultValidator, objectSchema } from "../schemas.ts";
import type { RecordSink } from "../store/recorder.ts";

const MAX_OUTCOMES = 10_000;
const LIST_LIMIT_BYTES = 4 * 2 ** 20;

/** A day, or a moment with its zone: without one it would mean another time on another machine. */
const DAY_OR_MOMENT = `^${DAY}(${TIME_OF_DAY}${ZONE})?$`;
const UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/** By its wire names. */
interface Outcome {
  readonly prediction_id?: string;
  readonly customer_key?: string;
  readonly observed_at?: string;
  readonly churn_outcome: 0 | 1;
  readonly reported_at?: string;
  readonly contacted?: boolean;
}

const OUTCOME_PROPERTIES = {
  prediction_id: { type: "string", pattern: UUID, description: "Of the prediction whose outcome this is." },
  customer_key: CUSTOMER_KEY_SCHEMA,
  observed_at: {
    type: "string",
    pattern: DAY_OR_MOMENT,
    description: "When it was seen; needed with a customer key. Without it: now.",
  },
  churn_outcome: { type: "integer", enum: [0, 1], description: "1: the customer has left." },
  reported_at: {
    type: "string",
    pattern: DAY_OR_MOMENT,
    description: "Of two reports of the same the later one holds, in whatever order they come. Without it: now.",
  },
  contacted: {
    type: "boolean",
    description:
      "Whether the customer was contacted because of the prediction. Where some are left out by chance, the model is judged by those.",
  },
} satisfies Record<keyof Outcome, object>;

/** An outcome that has these fields, and perhaps others. */
function outcomeSchema(required: readonly (keyof Outcome)[], optional: readonly (keyof Outcome)[]): object {
  const properties = Object.fromEntries([...required, ...optional].map((name) => [name, OUTCOME_PROPERTIES[name]]));
  return { type: "object", additionalProperties: false, required, properties };
}

const OPTIONAL = ["reported_at", "contacted"] as const;

/** As callers see it; faults are found by `ANY_OUTCOME` and put in better words than those of two failed alternatives. */
const OUTCOME_SCHEMA = {
  oneOf: [
    { title: "Of a prediction", ...outcomeSchema(["prediction_id", "churn_outcome"], ["observed_at", ...OPTIONAL]) },
    { title: "Of a customer", ...outcomeSchema(["customer_key", "observed_at", "churn_outcome"], OPTIONAL) },
  ],
};
const ANY_OUTCOME = outcomeSchema(["churn_outcome"], ["prediction_id", "customer_key", "observed_at", ...OPTIONAL]);

const outcomeValidator = firstFaultValidator<Outcome>(ANY_OUTCOME);

const EXAMPLE = { prediction_id: "01960f2e-7c5b-7000-8000-000000000000", churn_outcome: 1 };
const EXAMPLE_BY_KEY = { customer_key: "C-1001", observed_at: "2026-12-31", churn_outcome: 0 };

const ACCEPTED_SCHEMA = objectSchema(
  { accepted: { type: "integer", minimum: 1, description: "How many outcomes are kept." } },
  { description: "They are on disk and will be in the store." },
);

export interface OutcomeParts {
  readonly sink: RecordSink;
  /** A customer key as the store has it. */
  readonly storedKey: (key: string) => string;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export function addOutcomesRoute(app: FastifyInstance, { sink, storedKey, metrics, logger }: OutcomeParts): void {
  let latest = 0; // a correction is the later word, also when the clock has been set back since
  app.post<{ Body: unknown }>(
    "/outcomes",
    {
      bodyLimit: LIST_LIMIT_BYTES,
      config: { scopes: ["outcomes"], failures: [400, 408, 413, 415, 422, 503] },
      schema: {
        operationId: "reportOutcomes",
        tags: ["outcome"],
        summary: "Report what really happened to a customer, or to many",
        body: {
          anyOf: [OUTCOME_SCHEMA, { type: "array", minItems: 1, maxItems: MAX_OUTCOMES, items: OUTCOME_SCHEMA }],
          examples: [EXAMPLE, [EXAMPLE, EXAMPLE_BY_KEY]],
        },
        response: { 202: ACCEPTED_SCHEMA },
      },
      validatorCompiler: () => () => true, // the handler's own says which of many is faulty
    },
    async (request, reply) => {
      const outcomes = checkedOutcomes(request.body, outcomeValidator());
      const now = Date.now();
      latest = Math.max(latest, now);
      const areTaken = outcomes.map(
        ({ prediction_id, customer_key, observed_at, churn_outcome, reported_at, contacted }) =>
          sink.record({
            kind: "outcome",
            predictionId: prediction_id?.toLowerCase() ?? null,
            customerKey: customer_key === undefined ? null : storedKey(customer_key),
            observedAt: observed_at === undefined ? now : Date.parse(observed_at),
            outcome: churn_outcome,
            reportedAt: reported_at === undefined ? latest : Date.parse(reported_at),
            contacted: contacted === undefined ? null : contacted ? 1 : 0,
          }),
      );
      const isKept = (await sink.flushed()) && !areTaken.includes(false);
      if (!isKept) throw failure("STORE_FULL", "the outcomes could not be kept: send them again later");
      metrics.countOutcomes(outcomes.length);
      logger.info({ event: "outcomes.accepted", ...contextFacts(request), rows: outcomes.length }, "outcomes accepted");
      return reply.status(202).send({ accepted: outcomes.length });
    },
  );
}

/** @throws Each faulty outcome's first fault, by its place */
function checkedOutcomes(body: unknown, isOutcome: ValidateFunction<Outcome>): readonly Outcome[] {
  const isList = Array.isArray(body);
  const outcomes = isList ? body : [body];
  if (outcomes.length < 1 || outcomes.length > MAX_OUTCOMES) {
    const detail = `body: expected an outcome, or a list of 1 to ${MAX_OUTCOMES}, got ${outcomes.length}`;
    const code = outcomes.length < 1 ? "minItems" : "maxItems";
    throw invalid("OUTCOME_INVALID", [{ pointer: "", code, detail }]);
  }
  const faults = outcomes.flatMap((outcome, i) => {
    const pointer = isList ? `/${i}` : "";
    if (!isOutcome(outcome)) return bodyFaults(isOutcome.errors ?? [], pointer);
    return subjectFault(outcome, pointer) ?? [];
  });
  if (faults.length > 0) throw invalid("OUTCOME_INVALID", faults);
  return outcomes;
}

function subjectFault({ prediction_id, customer_key, observed_at }: Outcome, pointer: string): Fault | undefined {
  const isByKey = customer_key !== undefined;
  if (isByKey !== (prediction_id !== undefined) && (!isByKey || observed_at !== undefined)) return undefined;
  const name = pointer === "" ? "body" : pointer.slice(1);
  const expected = "either a prediction_id, or a customer_key with the time observed_at";
  return { pointer, code: "oneOf", detail: `${name}: expected ${expected}` };
}
