/**
 * What browsers are told about every answer: nothing of it may be framed, sniffed, kept or run. Pages bring a policy of their
 * own for what they need. No header lets another site's scripts read an answer (CORS stays closed).
 */
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

export async function addSecurityHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
    },
    frameguard: { action: "deny" },
    strictTransportSecurity: false, // whoever ends TLS in front of this knows whether it is for ever
    // For browsers of the past, or for pages that open windows:
    crossOriginOpenerPolicy: false,
    dnsPrefetchControl: false,
    ieNoOpen: false,
    originAgentCluster: false,
    permittedCrossDomainPolicies: false,
    xssFilter: false,
  });
  app.addHook("onRequest", (_request, reply, done) => {
    reply.header("cache-control", "no-store"); // answers are about people
    done();
  });
}
