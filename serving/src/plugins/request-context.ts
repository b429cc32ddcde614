/**
 * What identifies a request across systems: its id (`X-Request-Id`, taken over from the caller or made here) and the trace
 * it belongs to (W3C `traceparent`). Both go into the log and back to the caller.
 *
 * @source W3C Trace Context, level 1: version-traceid-parentid-flags, in lower-case hexadecimal
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** What another system may call a request: nothing that could break a log line or a header. */
const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

declare module "fastify" {
  interface FastifyRequest {
    /** Of the caller's trace; undefined when the request belongs to none. */
    traceId: string | undefined;
  }
}

/** For Fastify's `genReqId`. */
export function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
}

export function addRequestContext(app: FastifyInstance): void {
  app.decorateRequest("traceId", undefined);
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    const { traceparent } = request.headers;
    if (typeof traceparent === "string") {
      request.traceId = TRACEPARENT.exec(traceparent)?.[1];
      if (request.traceId !== undefined) reply.header("traceparent", traceparent);
    }
    done();
  });
}

/** What every log line of a request carries. */
export function contextFacts({ id, traceId, apiKeyId }: Pick<FastifyRequest, "id" | "traceId" | "apiKeyId">) {
  return { reqId: id, ...(traceId !== undefined && { traceId }), ...(apiKeyId !== undefined && { keyId: apiKeyId }) };
}
