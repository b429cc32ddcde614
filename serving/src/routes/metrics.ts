/** `GET /metrics`: what the service measures of itself, all workers together, for Prometheus. */
import type { FastifyInstance } from "fastify";
import { METRICS_CONTENT_TYPE } from "../metrics.ts";

export function addMetricsRoute(app: FastifyInstance, exposition: () => Promise<string>): void {
  app.get(
    "/metrics",
    {
      config: { scopes: ["metrics"], failures: [503] },
      schema: {
        operationId: "getMetrics",
        tags: ["operation"],
        summary: "Metrics in Prometheus' text format",
        response: {
          200: { description: "The metrics.", content: { "text/plain": { schema: { type: "string" } } } },
        },
      },
    },
    async (_request, reply) =>
      reply
        .type(METRICS_CONTENT_TYPE)
        .serializer(String)
        .send(await exposition()),
  );
}
