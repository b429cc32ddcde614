/**
 * Every way the service refuses a request, as RFC 9457 problem documents.
 *
 * One table maps the code of an error to its HTTP status; the contract knows no HTTP. A caller is told
 * each fault with its place, what was expected and what came; of our own faults he is told nothing but that
 * they happened.
 */
import { STATUS_CODES } from "node:http";
import { ChurnError, schemaIssues } from "@churn/contract";
import type { FastifyError, FastifyRequest } from "fastify";

export const PROBLEM_TYPE = "application/problem+json";

/** @source RFC 9457 §3; `errors` follows its example of an extension member. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly Fault[];
}

/** One fault of a request's body or query. */
export interface Fault {
  /** JSON Pointer (RFC 6901) to the faulty value of the body. */
  readonly pointer?: string;
  /** The faulty parameter of the query. */
  readonly parameter?: string;
  /** The JSON Schema keyword that failed. */
  readonly code: string;
  readonly detail: string;
}

/** A body of 64 KiB can break a schema ten thousand times; nobody reads further than this. */
const MAX_FAULTS = 20;

interface Kind {
  readonly status: number;
  /** Last part of the problem's `type`. */
  readonly name: string;
  readonly title: string;
}

/** Error code → problem. */
const KINDS = {
  FST_ERR_BAD_URL: { status: 400, name: "bad-url", title: "The path cannot be decoded" },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, name: "bad-json", title: "The body is not valid JSON" },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, name: "empty-body", title: "The body is empty" },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    name: "bad-length",
    title: "The body is not as long as announced",
  },
  TOO_DEEP: { status: 400, name: "too-deep", title: "The body is nested too deeply" },
  UNAUTHENTICATED: { status: 401, name: "unauthenticated", title: "A key is needed" },
  FORBIDDEN: { status: 403, name: "forbidden", title: "The key may not do this" },
  CROSS_SITE: { status: 403, name: "cross-site", title: "The request comes from another site" },
  FST_ERR_NOT_FOUND: { status: 404, name: "not-found", title: "There is nothing at this path" },
  METHOD_NOT_ALLOWED: { status: 405, name: "method-not-allowed", title: "The path does not have this method" },
  BODY_TIMEOUT: { status: 408, name: "body-timeout", title: "The body took too long" },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, name: "body-too-large", title: "The body is too large" },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, name: "unsupported-media-type", title: "The body is not JSON" },
  NOT_A_FORM: { status: 415, name: "unsupported-media-type", title: "The body is no form" },
  UNSUPPORTED_ENCODING: { status: 415, name: "unsupported-encoding", title: "The body is encoded in another way" },
  QUERY_INVALID: { status: 422, name: "invalid-query", title: "The query does not fit the schema" },
  BODY_INVALID: { status: 422, name: "invalid-body", title: "The body does not fit the schema" },
  OUTCOME_INVALID: { status: 422, name: "invalid-outcome", title: "The outcome does not fit the schema" },
  CHURN_ERR_ROW_INVALID: { status: 422, name: "invalid-customer", title: "The customer does not fit the schema" },
  RATE_LIMITED: { status: 429, name: "rate-limited", title: "Too many requests" },
  METRICS_INCOMPLETE: { status: 503, name: "metrics-incomplete", title: "Not every worker has answered" },
  STORE_FULL: { status: 503, name: "store-full", title: "There is no room to keep this" },
} as const satisfies Record<string, Kind>;

export const INTERNAL: Kind = { status: 500, name: "internal", title: "The service failed" };

/** For Fastify's `schemaErrorFormatter`: gives a broken schema its code; the faults stay in `validation`. */
export function schemaBroken(_errors: unknown, part: string): Error {
  if (part === "querystring") return failure("QUERY_INVALID", "the query does not fit the schema");
  return new ChurnError("CHURN_ERR_ROW_INVALID", "the customer does not fit the schema");
}

export type FailureCode = keyof typeof KINDS;

/** An error of one of the kinds above, for a caller to read. */
export function failure(code: FailureCode, detail: string, faults?: readonly Fault[]): FastifyError {
  return Object.assign(new Error(detail), { code, faults, statusCode: KINDS[code].status });
}

/**
 * The error of a body with faults.
 *
 * @param faults At least one.
 * @param count Of all faults; more than are listed, perhaps.
 */
export function invalid(code: FailureCode, faults: readonly Fault[], count: number = faults.length): FastifyError {
  const listed = faults.slice(0, MAX_FAULTS);
  const shown = count > listed.length ? `${count} faults, of which ${listed.length} are listed` : `${count} faults`;
  const detail = count === 1 ? listed[0].detail : `${shown}; the first: ${listed[0].detail}`;
  return failure(code, detail, listed);
}

/** Ajv's errors, with their values (`verbose`). */
export type SchemaErrors = Parameters<typeof schemaIssues>[0];

/** @param parent JSON Pointer to the value that was checked. */
export function bodyFaults(errors: SchemaErrors, parent = ""): Fault[] {
  return schemaIssues(errors.slice(0, MAX_FAULTS)).map(({ path, keyword, message }) => {
    const pointer = `${parent}${path}`;
    return { pointer, code: keyword, detail: `${nameOf(pointer)}: ${message}` };
  });
}

function queryFaults(errors: SchemaErrors): Fault[] {
  return schemaIssues(errors.slice(0, MAX_FAULTS)).map(({ path, keyword, message }) => {
    const parameter = nameOf(path);
    return { parameter, code: keyword, detail: `query parameter ${parameter}: ${message}` };
  });
}

/** A JSON Pointer in words: the field's name, quoted where it would not read as one. */
function nameOf(pointer: string): string {
  if (pointer === "") return "body";
  const name = pointer.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
  return /^\S+$/.test(name) ? name : JSON.stringify(name);
}

/** What a caller is told of an error. */
export function toProblem(error: FastifyError, request?: FastifyRequest): Problem {
  const kind = kindOf(error);
  if (kind === INTERNAL) return problem(INTERNAL, "an unexpected error; the service's log says more");
  const { validation, validationContext, faults } = error as FastifyError & { readonly faults?: readonly Fault[] };
  if (validation === undefined) return problem(kind, detailOf(error, request), faults);
  // They are Ajv's own objects; Fastify's type leaves out the value that `verbose` adds.
  const errors = validation as unknown as SchemaErrors;
  const found = validationContext === "querystring" ? queryFaults(errors) : bodyFaults(errors);
  return toProblem(invalid(error.code as FailureCode, found, validation.length));
}

function problem({ status, name, title }: Kind, detail: string, errors?: readonly Fault[]): Problem {
  const document = { type: `urn:problem-type:churn:${name}`, title, status, detail };
  return errors === undefined ? document : { ...document, errors };
}

function kindOf({ code, statusCode = INTERNAL.status }: FastifyError): Kind {
  if (Object.hasOwn(KINDS, code)) return KINDS[code as FailureCode];
  const title = STATUS_CODES[statusCode];
  // A library's own fault of the caller, such as a range that a page's file does not have.
  return statusCode < 500 && title !== undefined ? { status: statusCode, name: "bad-request", title } : INTERNAL;
}

function detailOf(error: FastifyError, request: FastifyRequest | undefined): string {
  const { "content-type": contentType, "content-length": contentLength } = request?.headers ?? {};
  switch (error.code) {
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return `body: expected JSON: ${(error.cause as Error | undefined)?.message ?? error.message}`;
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return "body: expected JSON, got nothing";
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return `body: expected at most ${request?.routeOptions.bodyLimit} bytes, got ${contentLength ?? "more"}`;
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return `content-type: expected ${bodyTypes(request).join(" or ")}, got ${contentType ?? "none"}`;
    default:
      return error.message;
  }
}

/** The media types that a route declares for its body; JSON for one that declares none. */
function bodyTypes(request: FastifyRequest | undefined): string[] {
  const { content } = (request?.routeOptions.schema?.body ?? {}) as { readonly content?: object };
  return Object.keys(content ?? { "application/json": undefined });
}
