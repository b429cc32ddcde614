/**
 * The OpenAPI document, collected from the routes' schemas, and the page that shows it (Swagger UI).
 *
 * The page works without internet: its parts are served from here, nothing is fetched from elsewhere, and
 * a content security policy holds it to that.
 */
import type { ModelManifest } from "@churn/contract";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from "fastify";
import { PROBLEM_SCHEMA, type ProblemStatus, problemResponses } from "../schemas.ts";

const DOCS_PREFIX = "/docs";
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

declare module "fastify" {
  interface FastifyContextConfig {
    /** What can go wrong in the route itself; what can everywhere is added. Routes without it never fail. */
    failures?: readonly ProblemStatus[];
  }
}

const SECURITY_SCHEMES = {
  key: { type: "http", scheme: "bearer", description: "An API key of the service." },
} as const;

export interface DocsSettings {
  readonly hasKeys: boolean;
  readonly isLimited: boolean;
}

/** Must come before the routes it is to describe. */
export async function addDocsPage(
  app: FastifyInstance,
  { version, dataset }: ModelManifest,
  settings: DocsSettings,
): Promise<void> {
  app.addSchema(PROBLEM_SCHEMA);
  app.addHook("onRoute", (route) => {
    if (route.url.startsWith(DOCS_PREFIX)) route.config = { ...route.config, scopes: [], isPage: true };
  });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: TITLE,
        version,
        license: { name: "MIT", identifier: "MIT" },
        description: `Scores customers of the data set "${dataset.name}". ${dataset.description ?? ""}`.trim(),
      },
      servers: [{ url: "/" }],
      components: { securitySchemes: settings.hasKeys ? SECURITY_SCHEMES : {} },
      tags: [
        { name: "prediction", description: "Scores" },
        { name: "outcome", description: "What became of customers" },
        { name: "model", description: "What is being served" },
        { name: "operation", description: "For who runs the service" },
        { name: "health", description: "For people, process managers and balancers" },
      ],
    },
    transform: ({ schema, url, route }) => ({ schema: withGeneralAnswers(schema, route.config, settings), url }),
    refResolver: { buildLocalReference: (schema, _baseUri, _fragment, index) => `${schema.$id ?? `schema-${index}`}` },
  });
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    uiConfig: { layout: "BaseLayout", docExpansion: "list", displayRequestDuration: true },
    theme: { title: TITLE },
    staticCSP: CONTENT_SECURITY_POLICY,
  });
}

/** A route's description with what the hooks before it demand and may answer. */
function withGeneralAnswers(
  schema: FastifySchema,
  { scopes, failures }: FastifyContextConfig = {},
  { hasKeys, isLimited }: DocsSettings,
): FastifySchema {
  const isGuarded = hasKeys && scopes !== undefined;
  const statuses: ProblemStatus[] = failures === undefined ? [] : [...failures, 500];
  if (isGuarded) statuses.push(401, 403);
  if (isLimited && failures !== undefined) statuses.push(429);
  return {
    ...schema,
    security: isGuarded ? [{ key: [] }] : [],
    response: { ...(schema?.response as object), ...problemResponses(statuses.sort()) },
  };
}
