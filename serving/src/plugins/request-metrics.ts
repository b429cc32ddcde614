/** Counts and times every request, by route, whether its client waited for the answer or not. */
import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics.ts";

/** For paths that are no route: as many as callers can think of, so they share one label. */
const NO_ROUTE = "none";

/** As nginx counts those who leave before their answer begins. */
const CLIENT_LEFT = 499;

export function addRequestMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook("onRequest", (request, reply, done) => {
    // Not `onResponse`, which does not come when the client has left: the slowest requests would not count.
    reply.raw.once("close", () => {
      const route = request.is404 ? NO_ROUTE : (request.routeOptions.url ?? NO_ROUTE);
      const status = reply.raw.headersSent ? reply.statusCode : CLIENT_LEFT;
      metrics.observeRequest(request.method, route, status, reply.elapsedTime / 1000);
    });
    done();
  });
}
