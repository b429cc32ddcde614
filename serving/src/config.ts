/**
 * The environment, read once at start. Every problem is listed at once; nothing else in this plane reads
 * `process.env`.
 *
 * Its one rule beyond shapes: a service that asks for no key answers this machine only, unless its owner
 * says otherwise.
 */
import { isIPv4 } from "node:net";
import { ChurnError, type Issue, parseStoreUrl } from "@churn/contract";
import { ApiKeys } from "./api-keys.ts";
import { STORE_VARIABLE } from "./store/prediction-store.ts";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  /** 0 lets the system choose a free one. */
  readonly port: number;
  readonly host: string;
  readonly logLevel: LogLevel;
  /** Relative to the working directory, like the other paths. */
  readonly modelDirectory: string;
  readonly keys: ApiKeys;
  /** Requests per minute of one key (without keys: of one address); undefined is no limit. */
  readonly rateLimit: number | undefined;
  /** Processes that answer. */
  readonly workers: number;
  readonly store: StoreConfig;
}

/** Where predictions are kept. */
export interface StoreConfig {
  /** `sqlite:path` or `postgres://…`; may hold a password. */
  readonly url: string;
  /** Older records are removed; undefined keeps all. */
  readonly retentionDays: number | undefined;
  /** What of sensitive columns is stored is hashed with this; undefined stores them as they are. */
  readonly hashSecret: string | undefined;
  /** Where records wait for the store. */
  readonly spoolDirectory: string;
  /** What each worker's records may take there, in bytes. */
  readonly spoolLimitBytes: number;
}

const DEFAULT_PORT = 8000;
const MAX_PORT = 65_535;
const DEFAULT_LOG_LEVEL: LogLevel = "info";
const DEFAULT_MODEL_DIRECTORY = "models/best_model";
const DEFAULT_STORE_URL = "sqlite:data/live/predictions.db";
const DEFAULT_SPOOL_DIRECTORY = "data/live/spool";
/** Some half a million predictions. */
const DEFAULT_SPOOL_LIMIT_MB = 256;
const MIB = 2 ** 20;
const MAX_WORKERS = 256;
const MIN_SECRET_LENGTH = 16;
const LOOPBACK_HOST = "127.0.0.1";
const EVERY_HOST = "0.0.0.0";

type Report = (variable: string, expected: string) => void;

/**
 * Reads and checks the environment. A variable that is set to nothing counts as not set.
 *
 * @throws CHURN_ERR_OPTION_INVALID with every fault in `issues`
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const issues: Issue[] = [];
  const read = (variable: string): string | undefined => environment[variable] || undefined;
  const report: Report = (variable, expected) =>
    issues.push({ path: variable, message: `expected ${expected}, got ${JSON.stringify(read(variable))}` });
  /** For what must not be repeated. */
  const reportSecret: Report = (variable, fault) => issues.push({ path: variable, message: fault });
  const readCount = (variable: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER): number | undefined =>
    readWhole(read, report, variable, minimum, maximum);

  const keys = ApiKeys.parse(read("API_KEYS"), (fault) => reportSecret("API_KEYS", fault));
  const isOpen = readBoolean(read, report, "ALLOW_UNAUTHENTICATED");
  const mayAnswerAll = isOpen || read("API_KEYS") !== undefined;
  const config: Config = {
    port: readCount("PORT", 0, MAX_PORT) ?? DEFAULT_PORT,
    host: readHost(read, report, mayAnswerAll),
    logLevel: readLogLevel(read, report),
    modelDirectory: read("MODEL_DIR") ?? DEFAULT_MODEL_DIRECTORY,
    keys,
    rateLimit: readCount("RATE_LIMIT", 1),
    workers: readCount("WEB_CONCURRENCY", 1, MAX_WORKERS) ?? 1,
    store: {
      url: readStoreUrl(read, reportSecret),
      retentionDays: readCount("STORE_RETENTION_DAYS", 1),
      hashSecret: readSecret(read, reportSecret, "STORE_HASH_SECRET"),
      spoolDirectory: read("SPOOL_DIR") ?? DEFAULT_SPOOL_DIRECTORY,
      spoolLimitBytes: (readCount("SPOOL_LIMIT_MB", 1) ?? DEFAULT_SPOOL_LIMIT_MB) * MIB,
    },
  };
  if (issues.length > 0) {
    const lines = issues.map(({ path, message }) => `${path}: ${message}`);
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", lines.join("; "), { issues });
  }
  return config;
}

type Read = (variable: string) => string | undefined;

function readWhole(read: Read, report: Report, variable: string, minimum: number, maximum: number): number | undefined {
  const text = read(variable);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= minimum && number <= maximum) return number;
  const end = maximum === Number.MAX_SAFE_INTEGER ? "on" : `to ${maximum}`;
  report(variable, `a whole number from ${minimum} ${end}`);
  return undefined;
}

function readHost(read: Read, report: Report, mayAnswerAll: boolean): string {
  const host = read("HOST");
  if (host === undefined) return mayAnswerAll ? EVERY_HOST : LOOPBACK_HOST;
  if (!mayAnswerAll && !isLoopback(host)) {
    report("HOST", `${LOOPBACK_HOST} (or API_KEYS, or ALLOW_UNAUTHENTICATED=true, as the service asks for no key)`);
  }
  return host;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

function readLogLevel(read: Read, report: Report): LogLevel {
  const text = read("LOG_LEVEL") ?? DEFAULT_LOG_LEVEL;
  const level = LOG_LEVELS.find((name) => name === text);
  if (level === undefined) report("LOG_LEVEL", `one of ${LOG_LEVELS.join(", ")}`);
  return level ?? DEFAULT_LOG_LEVEL;
}

function readBoolean(read: Read, report: Report, variable: string): boolean {
  const text = read(variable) ?? "false";
  if (text !== "true" && text !== "false") report(variable, "true or false");
  return text === "true";
}

function readStoreUrl(read: Read, reportSecret: Report): string {
  const url = read(STORE_VARIABLE) ?? DEFAULT_STORE_URL;
  try {
    parseStoreUrl(url, STORE_VARIABLE);
  } catch (error) {
    if (!(error instanceof ChurnError)) throw error;
    for (const { path, message } of error.issues) reportSecret(path, message); // it does not repeat the URL
  }
  return url;
}

function readSecret(read: Read, reportSecret: Report, variable: string): string | undefined {
  const secret = read(variable);
  if (secret !== undefined && secret.length < MIN_SECRET_LENGTH) {
    reportSecret(variable, `expected at least ${MIN_SECRET_LENGTH} characters, got ${secret.length}`);
  }
  return secret;
}
