/**
 * The socket's side of HTTP: what a client may send and how slowly, before any route is known.
 *
 * The time of a whole request has no limit here, as a stream of customers may be long; bodies and streams have their own.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import { answerBrokenConnection } from "./plugins/error-handler.ts";

/** How long a request's headers may take to arrive, in ms. */
const HEADERS_TIMEOUT_MS = 30_000;

/** How long a connection may be idle, in ms: longer than the minute after which common balancers give theirs up. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/** How long a client may take nothing of an answer, and send nothing of a request, in ms. */
const STALLED_TIMEOUT_MS = 60_000;

const MAX_HEADERS = 100;

export function createHttpServer(handle: RequestListener): Server {
  const server = createServer(
    {
      requestTimeout: 0,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    handle,
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.timeout = STALLED_TIMEOUT_MS;
  server.on("clientError", answerBrokenConnection);
  return server;
}
