/**
 * JSON Schemas that several routes share: fragments of answers, and the problem document.
 *
 * They serve twice: Fastify's serializer writes answers by them, and the docs page shows them.
 */
import { Ajv, type ValidateFunction } from "ajv";
import { lazily } from "./lazily.ts";

/** Reference to the schema that `PROBLEM_SCHEMA` adds. */
const PROBLEM = { $ref: "Problem#" };

export const PROBLEM_SCHEMA = {
  $id: "Problem",
  title: "Problem",
  description: "A problem document (RFC 9457).",
  type: "object",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { type: "string", description: "Names the kind of problem; stable, for machines." },
    title: { type: "string", description: "The kind of problem in words." },
    status: { type: "integer", description: "The HTTP status." },
    detail: { type: "string", description: "What is wrong with this request." },
    errors: {
      type: "array",
      description: "Every fault of a body or query that breaks the schema (the first 20).",
      items: {
        type: "object",
        required: ["code", "detail"],
        properties: {
          pointer: {
            type: "string",
            description: "JSON Pointer to the body's faulty field; empty for the whole body.",
          },
          parameter: { type: "string", description: "The faulty parameter of the query." },
          code: { type: "string", description: "The JSON Schema keyword that failed." },
          detail: { type: "string", description: "Field, expected, got." },
        },
      },
    },
  },
} as const;

const PROBLEM_DESCRIPTIONS = {
  400: "The body is empty, not valid JSON, or nested too deeply.",
  401: "No key, or one that is not known here.",
  403: "The key may not do this.",
  408: "The body took too long to arrive.",
  413: "The body is too large.",
  415: "The body is not declared as what the route takes, or encoded in another way than UTF-8.",
  422: "The body or the query breaks the schema; `errors` names every fault.",
  429: "Too many requests with this key; `retry-after` says when to come again.",
  500: "The service failed.",
  503: "There is no room to keep this; send it again later.",
} as const;

export type ProblemStatus = keyof typeof PROBLEM_DESCRIPTIONS;

/** The `response` entries of a route that can fail with these statuses. */
export function problemResponses(statuses: readonly ProblemStatus[]): Record<number, object> {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: PROBLEM_DESCRIPTIONS[status], content: { "application/problem+json": { schema: PROBLEM } } },
    ]),
  );
}

/** The key of a customer, whatever the data set calls it. */
export const CUSTOMER_KEY_SCHEMA = {
  type: "string",
  minLength: 1,
  maxLength: 256,
  description: "The customer, as the key field of a prediction names him; a number as its text.",
};

/**
 * A validator that is compiled when it is first needed, and ends at the first fault: of a long list nobody reads more, and a
 * hostile one would make an object for each.
 */
export function firstFaultValidator<T>(schema: object): () => ValidateFunction<T> {
  return lazily(() => new Ajv({ verbose: true, ownProperties: true, validateSchema: false }).compile<T>(schema));
}

/** An object schema with every property required. */
export function objectSchema(properties: Readonly<Record<string, object>>, facts: object = {}): object {
  return { type: "object", required: Object.keys(properties), properties, ...facts };
}

/** An object schema with free keys. */
export function recordSchema(values: object): object {
  return { type: "object", additionalProperties: values };
}
