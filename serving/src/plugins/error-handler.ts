/**
 * Every failure as an RFC 9457 problem document.
 *
 * One table maps the code of an error to its HTTP status; the contract knows no HTTP. A caller is told
 * each fault with its place, what was expected and what came; of our own faults it is told nothing but that
 * they happened, while the log has the rest.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ChurnError, schemaIssues } from "@churn/contract";
import { errorCodes, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";

const PROBLEM_TYPE = "application/problem+json";

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
  FST_ERR_NOT_FOUND: { status: 404, name: "not-found", title: "There is nothing at this path" },
  METHOD_NOT_ALLOWED: { status: 405, name: "method-not-allowed", title: "The path does not have this method" },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, name: "body-too-large", title: "The body is too large" },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, name: "unsupported-media-type", title: "The body is not JSON" },
  UNSUPPORTED_ENCODING: { status: 415, name: "unsupported-encoding", title: "The body is encoded in another way" },
  QUERY_INVALID: { status: 422, name: "invalid-query", title: "The query does not fit the schema" },
  CHURN_ERR_ROW_INVALID: { status: 422, name: "invalid-customer", title: "The customer does not fit the schema" },
} as const satisfies Record<string, Kind>;

const INTERNAL: Kind = { status: 500, name: "internal", title: "The service failed" };

function problem({ status, name, title }: Kind, detail: string, errors?: readonly Fault[]): Problem {
  const document = { type: `urn:problem-type:churn:${name}`, title, status, detail };
  return errors === undefined ? document : { ...document, errors };
}

/** For Fastify's `schemaErrorFormatter`: gives a broken schema its code; the faults stay in `validation`. */
export function schemaBroken(_errors: unknown, part: string): Error {
  if (part === "querystring") return failure("QUERY_INVALID", "the query does not fit the schema");
  return new ChurnError("CHURN_ERR_ROW_INVALID", "the customer does not fit the schema");
}

type ErrorHandler = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void;

/** Answers an error and logs it; also for Fastify's `frameworkErrors`, which come before routing. */
export function errorHandler(logger: Logger): ErrorHandler {
  return (error, request, reply) => {
    const { code = "UNEXPECTED" } = error;
    const document = toProblem(error, request);
    const facts = { event: "request.failed", reqId: request.id, statusCode: document.status, code };
    if (document.status === INTERNAL.status) logger.error({ ...facts, err: error }, "request failed");
    else logger.info(facts, "request failed");
    reply.status(document.status).type(PROBLEM_TYPE).send(document);
  };
}

/** Handles errors, unknown paths and wrong methods of the whole app. Must come before the routes. */
export function addErrorHandler(app: FastifyInstance, handleError: ErrorHandler): void {
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request, reply) => {
    const path = decodeURIComponent(request.url.split(/[?#]/, 1)[0]); // the router has refused what cannot be decoded
    const isRoute = (method: string): boolean => !/[?#]/.test(path) && app.findRoute({ method, url: path }) !== null;
    const allowed = app.supportedMethods.filter(isRoute);
    if (allowed.length === 0 || allowed.includes(request.method)) {
      handleError(failure("FST_ERR_NOT_FOUND", `no such path: ${path}`), request, reply);
      return;
    }
    reply.header("allow", allowed.join(", "));
    const detail = `${path}: expected ${allowed.join(" or ")}, got ${request.method}`;
    handleError(failure("METHOD_NOT_ALLOWED", detail), request, reply);
  });
}

function failure(code: keyof typeof KINDS, detail: string): FastifyError {
  return Object.assign(new Error(detail), { code });
}

function toProblem(error: FastifyError, request: FastifyRequest): Problem {
  const kind = kindOf(error);
  if (kind === INTERNAL) return problem(INTERNAL, "an unexpected error; the service's log says more");
  if (error.validation !== undefined) return schemaProblem(kind, error.validation, error.validationContext);
  return problem(kind, detailOf(error, request));
}

function kindOf({ code, statusCode = INTERNAL.status }: FastifyError): Kind {
  if (Object.hasOwn(KINDS, code)) return KINDS[code as keyof typeof KINDS];
  const title = STATUS_CODES[statusCode];
  // A library's own fault of the caller, such as a range that a page's file does not have.
  return statusCode < 500 && title !== undefined ? { status: statusCode, name: "bad-request", title } : INTERNAL;
}

type SchemaErrors = Parameters<typeof schemaIssues>[0];

function schemaProblem(
  kind: Kind,
  validation: NonNullable<FastifyError["validation"]>,
  part: FastifyError["validationContext"],
): Problem {
  // They are Ajv's own objects; Fastify's type leaves out the value that `verbose` adds.
  const issues = schemaIssues(validation.slice(0, MAX_FAULTS) as unknown as SchemaErrors);
  const faults = issues.map(({ path, keyword, message }): Fault => {
    const name = nameOf(path);
    if (part !== "querystring") return { pointer: path, code: keyword, detail: `${name}: ${message}` };
    return { parameter: name, code: keyword, detail: `query parameter ${name}: ${message}` };
  });
  const count = validation.length;
  const shown = count > MAX_FAULTS ? `${count} faults, of which ${MAX_FAULTS} are listed` : `${count} faults`;
  const detail = count === 1 ? faults[0].detail : `${shown}; the first: ${faults[0].detail}`;
  return problem(kind, detail, faults);
}

/** A JSON Pointer in words: the field's name, quoted where it would not read as one. */
function nameOf(pointer: string): string {
  if (pointer === "") return "body";
  const name = pointer.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
  return /^\S+$/.test(name) ? name : JSON.stringify(name);
}

function detailOf(error: FastifyError, request: FastifyRequest): string {
  const { "content-type": contentType, "content-length": contentLength } = request.headers;
  switch (error.code) {
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return `body: expected JSON: ${(error.cause as Error | undefined)?.message ?? error.message}`;
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return "body: expected a JSON object, got nothing";
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const limit = request.routeOptions.bodyLimit;
      return `body: expected at most ${limit} bytes, got ${contentLength ?? "more"}`;
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return `content-type: expected application/json, got ${contentType ?? "none"}`;
    default:
      return error.message;
  }
}

/** Node's error code → status, for what is not even HTTP; anything else is 400. */
const CONNECTION_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** Answers what Node could not read as a request, and closes its connection. */
export function answerBrokenConnection(error: Error & { readonly code: string }, socket: Socket): void {
  if (socket.writable) {
    const status = CONNECTION_STATUS[error.code] ?? 400;
    const title = STATUS_CODES[status] as string;
    const body = JSON.stringify({ type: "about:blank", title, status, detail: "the request is not readable as HTTP" });
    const head = `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nConnection: close`;
    socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}

/**
 * Reads JSON and nothing else. Unlike Fastify's own reader it tells where the text breaks; a field named
 * `__proto__` needs no special care, as the strict schema refuses it like any unknown field.
 */
export function addJsonReader(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const { "content-encoding": encoding = "identity", "content-type": type = "" } = request.headers;
    const charset = /charset="?([^";\s]+)/i.exec(type)?.[1] ?? "utf-8";
    if (encoding !== "identity" || !/^utf-?8$/i.test(charset)) {
      done(
        failure(
          "UNSUPPORTED_ENCODING",
          `expected plain JSON in UTF-8, got content-encoding ${encoding}, charset ${charset}`,
        ),
      );
      return;
    }
    if (body.length === 0) {
      done(new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY());
      return;
    }
    try {
      done(null, JSON.parse(utf8.decode(body)));
    } catch (cause) {
      done(Object.assign(new errorCodes.FST_ERR_CTP_INVALID_JSON_BODY(), { cause }));
    }
  });
}
