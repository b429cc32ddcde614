/**
 * Who may do what: each route declares the scopes it needs, and a hook asks for a key that has them.
 *
 * Programs send `Authorization: Bearer KEY`; on pages for people a browser may ask for it as the password of HTTP Basic, with any user
 * name. A service without keys lets everybody in (and `config.ts` sees to it that this means this machine only).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ApiKey, ApiKeys, Scope } from "../api-keys.ts";
import { failure } from "../problems.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a key must have to come in; undefined for routes that ask for none. An empty list takes any key. */
    scopes?: readonly Scope[];
    /** Whether a browser may come with HTTP Basic. */
    isPage?: boolean;
  }
  interface FastifyRequest {
    /** Names the caller's key; undefined when the service has none, or the route asks for none. */
    apiKeyId: string | undefined;
  }
}

const REALM = 'realm="churn", charset="UTF-8"';

type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** Must come before the routes. */
export function addAuthentication(app: FastifyInstance, keys: ApiKeys): void {
  app.decorateRequest("apiKeyId", undefined);
  if (keys.size === 0) return;
  app.addHook("onRequest", authenticate(keys));
}

function authenticate(keys: ApiKeys): Hook {
  return (request, reply, done) => {
    const { scopes, isPage = false } = request.routeOptions.config;
    if (scopes === undefined) return done();
    const presented = presentedKey(request.headers.authorization, isPage);
    const key = keys.find(presented ?? ""); // also when there is none: the answer takes as long
    if (key === undefined) {
      reply.header("www-authenticate", `${isPage ? "Basic" : "Bearer"} ${REALM}`);
      return done(failure("UNAUTHENTICATED", presented === undefined ? missing(isPage) : "the key is not known here"));
    }
    request.apiKeyId = key.id;
    done(forbidden(key, scopes));
  };
}

function forbidden(key: ApiKey, scopes: readonly Scope[]): Error | undefined {
  const lacking = scopes.filter((scope) => !key.scopes.has(scope));
  if (lacking.length === 0) return undefined;
  return failure("FORBIDDEN", `the key may not do this: expected one with the scope ${lacking.join(" and ")}`);
}

function missing(isPage: boolean): string {
  const how = "authorization: expected Bearer and a key";
  return isPage ? `${how}, or Basic with the key as the password` : how;
}

/** The key of an `Authorization` header; undefined when it has none that we read. */
function presentedKey(header: string | undefined, isPage: boolean): string | undefined {
  const [, scheme, token] = /^(\w+) +(\S+) *$/.exec(header ?? "") ?? [];
  switch (scheme?.toLowerCase()) {
    case "bearer":
      return token;
    case "basic": {
      if (!isPage) return undefined;
      const credentials = Buffer.from(token, "base64").toString();
      return credentials.slice(credentials.indexOf(":") + 1);
    }
    default:
      return undefined;
  }
}
