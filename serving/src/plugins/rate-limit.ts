/**
 * So many requests per minute for each key (for each address where there are no keys), in each worker process. Health checks
 * are free. Who goes on is told when to come again.
 */
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { failure } from "../problems.ts";

const WINDOW_MS = 60_000;

/** Must come after authentication, which names the key, and before the routes. */
export async function addRateLimit(app: FastifyInstance, requestsPerMinute: number | undefined): Promise<void> {
  if (requestsPerMinute === undefined) return;
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: (request: FastifyRequest) => request.apiKeyId ?? request.ip,
    errorResponseBuilder: (_request, { max, after }) =>
      failure("RATE_LIMITED", `expected at most ${max} requests per minute: come again in ${after}`),
  });
}
