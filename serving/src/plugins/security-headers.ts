/**
 * What browsers are told about every answer: nothing of it may be framed, sniffed, kept or run. Pages bring a policy of their
 * own for what they need. No header lets another site's scripts read an answer (CORS stays closed).
 *
 * Strict-Transport-Security is left to whoever ends TLS in front of this. Not by @fastify/helmet: it puts the same text
 * together for each answer, and keeps so much alive for it that garbage collections took ten times as long.
 */
import type { FastifyInstance } from "fastify";

export const SECURITY_HEADERS = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store", // answers are about people
};

/** Must come before the routes. */
export function addSecurityHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS);
    done();
  });
}
