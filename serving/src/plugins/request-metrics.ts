/** Counts and times every answer, by route. */
import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics.ts";

/** For paths that are no route: as many as callers can think of, so they share one label. */
const NO_ROUTE = "none";

export function addRequestMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook("onResponse", (request, reply, done) => {
    const route = request.is404 ? NO_ROUTE : (request.routeOptions.url ?? NO_ROUTE);
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
}
