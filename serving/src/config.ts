/**
 * The environment, read once at start. Every problem is listed at once; nothing else in this plane reads
 * `process.env`.
 *
 * Its one rule beyond shapes: a service that asks for no key answers this machine only, unless its owner
 * says otherwise.
 */
import { isIPv4 } from "node:net";
import { ChurnError, type Issue } from "@churn/contract";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  /** 0 lets the system choose a free one. */
  readonly port: number;
  readonly host: string;
  readonly logLevel: LogLevel;
  /** Relative to the working directory. */
  readonly modelDirectory: string;
}

const DEFAULT_PORT = 8000;
const MAX_PORT = 65_535;
const DEFAULT_LOG_LEVEL: LogLevel = "info";
const DEFAULT_MODEL_DIRECTORY = "models/best_model";
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

  const isOpen = readBoolean(read, report, "ALLOW_UNAUTHENTICATED");
  const config: Config = {
    port: readPort(read, report),
    host: readHost(read, report, isOpen),
    logLevel: readLogLevel(read, report),
    modelDirectory: read("MODEL_DIR") ?? DEFAULT_MODEL_DIRECTORY,
  };
  if (read("API_KEYS") !== undefined) {
    // Its value is a secret: it is not repeated. Ignoring it would leave open what its owner believes closed.
    issues.push({ path: "API_KEYS", message: "expected it unset: this version has no keys yet and would ignore it" });
  }
  if (issues.length > 0) {
    const lines = issues.map(({ path, message }) => `${path}: ${message}`);
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", lines.join("; "), { issues });
  }
  return config;
}

type Read = (variable: string) => string | undefined;

function readPort(read: Read, report: Report): number {
  const text = read("PORT");
  if (text === undefined) return DEFAULT_PORT;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > MAX_PORT) report("PORT", `a whole number from 0 to ${MAX_PORT}`);
  return port;
}

function readHost(read: Read, report: Report, isOpen: boolean): string {
  const host = read("HOST");
  if (host === undefined) return isOpen ? EVERY_HOST : LOOPBACK_HOST;
  if (!isOpen && !isLoopback(host)) {
    report("HOST", `${LOOPBACK_HOST} (or ALLOW_UNAUTHENTICATED=true, as the service asks for no key)`);
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
