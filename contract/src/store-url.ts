/**
 * The URL of a prediction store: what serving writes to and training reads from. Both planes know these two kinds, and each brings
 * its own drivers.
 */
import { resolve } from "node:path";
import { ChurnError } from "./errors.ts";

const EXPECTED = "sqlite:path/of/a/file or postgres://user@host:5432/database";

export type StorePlace =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

/** Whether a text is meant as one, rather than as the path of a file. */
export const isStoreUrl = (text: string): boolean => /^(sqlite|postgres|postgresql):/i.test(text);

/**
 * What a URL says, without a look at what is there.
 *
 * @param subject Where the URL stands, for messages.
 * @throws CHURN_ERR_OPTION_INVALID when the URL is none; the message does not repeat it, as it may hold a password
 */
export function parseStoreUrl(url: string, subject: string): StorePlace {
  const invalid = (message: string): ChurnError =>
    new ChurnError("CHURN_ERR_OPTION_INVALID", `${subject}: ${message}`, { issues: [{ path: subject, message }] });
  const scheme = /^([a-z]+):/i.exec(url)?.[1].toLowerCase();
  if (scheme === "sqlite") return { kind: "sqlite", path: sqlitePath(url, invalid) };
  if (scheme === "postgres" || scheme === "postgresql")
    return { kind: "postgres", url: checkPostgresUrl(url, invalid) };
  throw invalid(`expected ${EXPECTED}, got ${scheme === undefined ? "no scheme" : `the scheme "${scheme}"`}`);
}

type Invalid = (message: string) => ChurnError;

function sqlitePath(url: string, invalid: Invalid): string {
  const path = url.slice("sqlite:".length);
  if (path.startsWith("//"))
    throw invalid("expected no // after sqlite: (sqlite:relative/path or sqlite:/absolute/path)");
  if (path === "" || path.endsWith("/") || path === ":memory:" || path.includes("\0")) {
    throw invalid("expected the path of a file after sqlite:");
  }
  return resolve(path);
}

function checkPostgresUrl(url: string, invalid: Invalid): string {
  if (/:\/*$/.test(url)) throw invalid(`expected ${EXPECTED}, got the scheme alone`);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) {
    throw invalid(`expected ${EXPECTED}, got what is no URL (special characters of a password are written as %40)`);
  }
  try {
    for (const part of [parsed.username, parsed.password, parsed.pathname, parsed.host]) decodeURIComponent(part);
  } catch {
    throw invalid("expected a % to be followed by two hexadecimal digits (a % itself is written as %25)");
  }
  const mode = parsed.searchParams.get("sslmode");
  if (mode !== null && !TLS_MODES.includes(mode)) {
    throw invalid(`expected sslmode to be one of ${TLS_MODES.join(", ")}, got ${JSON.stringify(mode)}`);
  }
  return url;
}

/** Those of libpq that the driver tells apart. */
const TLS_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
