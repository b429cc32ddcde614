/**
 * What a caller gets when something fails, and what the log gets: one line, which has the rest.
 */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { failure, INTERNAL, PROBLEM_TYPE, toProblem } from "../problems.ts";
import { contextFacts } from "./request-context.ts";

type ErrorHandler = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void;

/** Answers an error and logs it; also for Fastify's `frameworkErrors`, which come before routing. */
export function errorHandler(logger: Logger): ErrorHandler {
  return (error, request, reply) => {
    const { code = "UNEXPECTED" } = error;
    const document = toProblem(error, request);
    const { status: statusCode } = document;
    const isRefused = statusCode === 401 || statusCode === 403;
    const facts = {
      event: "request.failed",
      ...contextFacts(request),
      statusCode,
      code,
      ...(isRefused && { remoteAddress: request.ip }), // whoever tries keys can then be stopped before he gets here
    };
    if (statusCode === INTERNAL.status) logger.error({ ...facts, err: error }, "request failed");
    else logger.info(facts, "request failed");
    reply.status(statusCode).type(PROBLEM_TYPE).send(document);
  };
}

/** Handles errors, unknown paths and wrong methods of the whole app. Must come before the routes. */
export function addErrorHandler(app: FastifyInstance, handleError: ErrorHandler): void {
  // What is wrong with a request to nowhere matters less than that.
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (request.is404) answerNowhere(request, reply);
    else handleError(error, request, reply);
  });
  app.setNotFoundHandler(answerNowhere);

  function answerNowhere(request: FastifyRequest, reply: FastifyReply): void {
    const path = decoded(request.url.split(/[?#]/, 1)[0]);
    const isRoute = (method: string): boolean => !/[?#]/.test(path) && app.findRoute({ method, url: path }) !== null;
    const allowed = app.supportedMethods.filter(isRoute);
    if (allowed.length === 0 || allowed.includes(request.method)) {
      handleError(failure("FST_ERR_NOT_FOUND", `no such path: ${path}`), request, reply);
      return;
    }
    reply.header("allow", allowed.join(", "));
    const detail = `${path}: expected ${allowed.join(" or ")}, got ${request.method}`;
    handleError(failure("METHOD_NOT_ALLOWED", detail), request, reply);
  }
}

/** The router has refused most of what cannot be decoded, but looks at no host that a client puts before the path. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Node's error code → status, for what is not even HTTP; anything else is 400. */
const CONNECTION_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** Answers what Node could not read as a request, and closes its connection. */
export function answerBrokenConnection(error: Error & { readonly code: string }, socket: Socket): void {
  // Node's own handler looks there, too: in the middle of an answer a second one would be taken for part of it.
  const { _httpMessage: answer } = socket as Socket & { readonly _httpMessage?: ServerResponse | null };
  if (socket.writable && answer?.headersSent !== true) {
    const status = CONNECTION_STATUS[error.code] ?? 400;
    const title = STATUS_CODES[status] as string;
    const body = JSON.stringify({ type: "about:blank", title, status, detail: "the request is not readable as HTTP" });
    const head = `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nConnection: close`;
    socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}
