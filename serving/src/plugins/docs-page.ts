/**
 * The OpenAPI document, collected from the routes' schemas, and the page that shows it (Swagger UI).
 *
 * The page works without internet: its parts are served from here, nothing is fetched from elsewhere, and
 * a content security policy holds it to that.
 */
import type { ModelManifest } from "@churn/contract";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { PROBLEM_SCHEMA } from "../schemas.ts";

const TITLE = "Churn predictions";

/** Swagger UI draws with inline styles and `data:` icons; scripts come from this service only. */
const CONTENT_SECURITY_POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self' 'unsafe-inline'",
  "img-src": "'self' data:",
  "connect-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

/** Must come before the routes it is to describe. */
export async function addDocsPage(app: FastifyInstance, { version, dataset }: ModelManifest): Promise<void> {
  app.addSchema(PROBLEM_SCHEMA);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: TITLE,
        version,
        description: `Scores customers of the data set "${dataset.name}". ${dataset.description ?? ""}`.trim(),
      },
      servers: [{ url: "/" }],
      security: [], // there are no keys yet
      tags: [
        { name: "prediction", description: "Scores" },
        { name: "model", description: "What is being served" },
        { name: "health", description: "For people, process managers and balancers" },
      ],
    },
    refResolver: { buildLocalReference: (schema, _baseUri, _fragment, index) => `${schema.$id ?? `schema-${index}`}` },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    uiConfig: { layout: "BaseLayout", docExpansion: "list", displayRequestDuration: true },
    theme: { title: TITLE },
    staticCSP: CONTENT_SECURITY_POLICY,
  });
}
