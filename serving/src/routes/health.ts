/**
 * Health, three ways: for people (`/`), for what restarts a process (`/health/live`), for what sends it
 * traffic (`/health/ready`).
 */
import type { FastifyInstance } from "fastify";
import type { Drain } from "../plugins/draining.ts";
import { objectSchema } from "../schemas.ts";

const TAGS = ["health"];

/** `{ "status": word }` */
function statusSchema(word: string, description: string): object {
  return objectSchema({ status: { type: "string", enum: [word] } }, { description });
}

export function addHealthRoutes(app: FastifyInstance, modelVersion: string, drain: Drain): void {
  const health = { status: "ok", model_version: modelVersion };
  app.get(
    "/",
    {
      config: { rateLimit: false },
      schema: {
        operationId: "getHealth",
        tags: TAGS,
        summary: "Status and model version",
        response: {
          200: objectSchema(
            { status: { type: "string", enum: ["ok"] }, model_version: { type: "string" } },
            { description: "The service is up." },
          ),
        },
      },
    },
    () => health,
  );
  app.get(
    "/health/live",
    {
      config: { rateLimit: false },
      schema: {
        operationId: "getLiveness",
        tags: TAGS,
        summary: "Whether the process is alive",
        response: { 200: statusSchema("live", "The process answers.") },
      },
    },
    () => ({ status: "live" }),
  );
  app.get(
    "/health/ready",
    {
      config: { rateLimit: false },
      schema: {
        operationId: "getReadiness",
        tags: TAGS,
        summary: "Whether the service wants traffic",
        response: {
          200: statusSchema("ready", "Send requests."),
          503: statusSchema("draining", "The service is stopping: send requests elsewhere."),
        },
      },
    },
    (_request, reply) => (drain.isDraining ? reply.status(503).send({ status: "draining" }) : { status: "ready" }),
  );
}
