/**
 * How bodies come in: as JSON and nothing else, not for ever, and not absent where a route describes one.
 *
 * Node's own limit on the time of a whole request would cut long streams, so it is off; a body that is not a stream has
 * its own, of the same length for all.
 */
import { errorCodes, type FastifyInstance, type FastifyRequest } from "fastify";
import { parseJson } from "../json.ts";
import { failure } from "../problems.ts";

/** How long a body may take to arrive, in ms. */
const BODY_TIMEOUT_MS = 30_000;

declare module "fastify" {
  interface FastifyRequest {
    bodyTimer: NodeJS.Timeout | undefined;
  }
}

/** Must come before the routes. */
export function addBodyLimits(app: FastifyInstance, timeoutMs: number = BODY_TIMEOUT_MS): void {
  addJsonReader(app);
  app.decorateRequest("bodyTimer", undefined);
  app.addHook("preParsing", (request, reply, _payload, done) => {
    if (!request.raw.complete) {
      request.bodyTimer = setTimeout(() => {
        reply.header("connection", "close").send(failure("BODY_TIMEOUT", `expected the body within ${timeoutMs} ms`));
      }, timeoutMs);
    }
    done();
  });
  const stopTimer = (request: FastifyRequest): void => clearTimeout(request.bodyTimer);
  app.addHook("preValidation", (request, _reply, done) => {
    stopTimer(request);
    // Without a body and its content type no reader has run that could have said so.
    const isMissing = request.body === undefined && request.routeOptions.schema?.body !== undefined;
    done(isMissing ? new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY() : undefined);
  });
  app.addHook("onResponse", (request, _reply, done) => {
    stopTimer(request);
    done();
  });
  app.addHook("onRequestAbort", (request, done) => {
    stopTimer(request);
    done();
  });
}

function addJsonReader(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    try {
      checkEncoding(request);
      done(null, parseJson(body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws A failure for a caller to read */
export function checkEncoding({ headers }: Pick<FastifyRequest, "headers">): void {
  const { "content-encoding": encoding = "identity", "content-type": type = "" } = headers;
  const charset = /charset="?([^";\s]+)/i.exec(type)?.[1] ?? "utf-8";
  if (encoding === "identity" && /^utf-?8$/i.test(charset)) return;
  const detail = `expected plain JSON in UTF-8, got content-encoding ${encoding}, charset ${charset}`;
  throw failure("UNSUPPORTED_ENCODING", detail);
}
