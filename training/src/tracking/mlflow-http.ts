/**
 * HTTP with an MLflow tracking server: who asks, how often, for how long, and what a refusal means. The one file that
 * knows the library.
 *
 * @source mlflow/utils/rest_utils.py and mlflow/environment_variables.py (3.17), whose variables are honoured
 */
import { readFileSync } from "node:fs";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { ChurnError } from "@churn/contract";
import ky, { isHTTPError, isTimeoutError, type KyInstance, type Options, type RetryOptions } from "ky";
import { withoutCredentials } from "./target.ts";

/** A server that cannot be reached, or refuses. */
export class MlflowError extends ChurnError {
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** MLflow's own, `RESOURCE_DOES_NOT_EXIST` for example. */
  readonly errorCode: string | undefined;

  constructor(message: string, facts: { status?: number; errorCode?: string | undefined; cause?: unknown } = {}) {
    super("CHURN_ERR_TRACKING_SERVER", message, { cause: facts.cause });
    this.status = facts.status;
    this.errorCode = facts.errorCode;
  }
}

/** A call that may reach the server twice is sent once, unless the server says that it has not looked at it. */
export type Repetition = "safe" | "once";

/** Waiting for minutes would hold a training up, and what is not sent now is sent later: less patience than MLflow's. */
const DEFAULT_RETRIES = 3;
const DEFAULT_BACKOFF_SECONDS = 0.3;
const DEFAULT_TIMEOUT_SECONDS = 30;
const RETRIED = [408, 429, 500, 502, 503, 504];
const REFUSED_UNSEEN = 429;
/** What is large may take longer: by a second for so many bytes. */
const BYTES_PER_SECOND = 1_000_000;
const QUOTE_LENGTH = 200;

export class MlflowHttp {
  /** The server's address without credentials, nor a slash at its end. */
  readonly base: string;
  readonly #ky: KyInstance;
  readonly #timeoutMs: number;

  /** @throws CHURN_ERR_OPTION_INVALID for a variable that cannot be honoured */
  constructor(address: string, environment: NodeJS.ProcessEnv) {
    this.base = withoutCredentials(address);
    trust(environment);
    const retries = seconds(environment, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", DEFAULT_RETRIES);
    const backoff = seconds(environment, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", DEFAULT_BACKOFF_SECONDS);
    this.#timeoutMs = 1000 * seconds(environment, "MLFLOW_HTTP_REQUEST_TIMEOUT", DEFAULT_TIMEOUT_SECONDS);
    this.#ky = ky.create({
      headers: headers(address, environment),
      retry: {
        limit: Math.round(retries),
        methods: ["get", "post", "put", "patch", "delete"],
        statusCodes: RETRIED,
        afterStatusCodes: RETRIED,
        maxRetryAfter: this.#timeoutMs,
        delay: (attempt) => 1000 * backoff * 2 ** (attempt - 1),
        jitter: true,
        retryOnTimeout: true,
      },
      timeout: this.#timeoutMs,
    });
  }

  get(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    return this.#json("GET", `${path}?${new URLSearchParams(query)}`, {});
  }

  send(method: "POST" | "PATCH", path: string, body: unknown, repetition: Repetition): Promise<unknown> {
    return this.#json(method, path, { json: body, ...(repetition === "once" && { retry: ONCE }) });
  }

  /** @param body Of a file it is read as it goes, and again for a repetition. */
  async put(url: string, body: Blob): Promise<void> {
    // As an option, the library would keep all of it in memory for a repetition, and so would fetch itself for a redirection.
    const send: typeof fetch = (request, init) => fetch(request, { ...init, body, redirect: "error", window: null });
    const timeout = this.#timeoutMs + (1000 * body.size) / BYTES_PER_SECOND;
    const type = body.type || "application/octet-stream";
    await this.#ask("PUT", url, { fetch: send, timeout, headers: { "content-type": type } });
  }

  bytes(url: string): Promise<Uint8Array> {
    return this.#ask("GET", url, {});
  }

  async #json(method: string, path: string, options: Options): Promise<unknown> {
    const url = `${this.base}${path}`;
    const text = new TextDecoder().decode(await this.#ask(method, url, options));
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new MlflowError(`${this.#call(method, url)}: expected MLflow's JSON, got ${described(text)}`, { cause });
    }
  }

  /** @returns the answer's body */
  async #ask(method: string, url: string, options: Options): Promise<Uint8Array> {
    const aborter = new AbortController();
    try {
      return await this.#read(await this.#ky(url, { ...options, method, signal: aborter.signal }), aborter);
    } catch (error) {
      throw await this.#explain(this.#call(method, url), error);
    }
  }

  /** A server that begins to answer may still never end: a body has as long as an answer, and more while much of it comes. */
  async #read({ body }: Response, aborter: AbortController): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let deadline = performance.now() + this.#timeoutMs;
    const stop = (): void => aborter.abort(new BodyTimeout());
    let timer = setTimeout(stop, this.#timeoutMs);
    try {
      for await (const chunk of body ?? []) {
        chunks.push(chunk);
        deadline += (1000 * chunk.length) / BYTES_PER_SECOND;
        clearTimeout(timer);
        timer = setTimeout(stop, deadline - performance.now());
      }
      return Buffer.concat(chunks);
    } finally {
      clearTimeout(timer);
    }
  }

  #call(method: string, url: string): string {
    return `${method} ${url.replace(/\?.*/, "")}`;
  }

  async #explain(call: string, error: unknown): Promise<MlflowError> {
    if (isTimeoutError(error) || error instanceof BodyTimeout) {
      const message = `${call}: no answer within ${this.#timeoutMs / 1000} s (MLFLOW_HTTP_REQUEST_TIMEOUT)`;
      return new MlflowError(message, { cause: error });
    }
    if (!isHTTPError(error)) {
      const { code, message } = rootCause(error);
      return new MlflowError(`${call}: the server cannot be reached (${code ?? message})`, { cause: error });
    }
    const { status } = error.response;
    const text = typeof error.data === "string" ? error.data : (JSON.stringify(error.data) ?? "");
    const { error_code: errorCode, message } = parsed(text);
    const said = errorCode === undefined ? described(text) : `${errorCode}: ${message}`;
    const advice = status in ADVICE ? `: ${ADVICE[status]}` : "";
    return new MlflowError(`${call}: the server answered ${status}, ${said}${advice}`, {
      status,
      errorCode,
      cause: error,
    });
  }
}

class BodyTimeout extends Error {}

const ONCE: RetryOptions = {
  shouldRetry: ({ error }) => isHTTPError(error) && error.response.status === REFUSED_UNSEEN,
};

const ADVICE: Readonly<Record<number, string>> = {
  401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
  403: "check the user's permissions, and the server's --allowed-hosts",
};

function headers(address: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const url = new URL(address);
  const user = environment.MLFLOW_TRACKING_USERNAME || decoded(url.username);
  const password = environment.MLFLOW_TRACKING_PASSWORD || decoded(url.password);
  const token = headerText(environment, "MLFLOW_TRACKING_TOKEN");
  const workspace = headerText(environment, "MLFLOW_WORKSPACE");
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const authorization = user && password ? basic : token && `Bearer ${token}`;
  return {
    ...(authorization && { authorization }),
    ...(workspace && { "x-mlflow-workspace": workspace }),
  };
}

/** What a header can carry; the message of who sends it would quote the whole of it. */
function headerText(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = environment[name]?.trim();
  if (text === undefined || /^[\x20-\x7e]*$/.test(text)) return text;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${name}: expected one line of ASCII characters, got others`);
}

/** A part of an address; a percent sign that stands for itself is one. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whom to believe that it is the server. These hold for the whole process. */
function trust(environment: NodeJS.ProcessEnv): void {
  const path = environment.MLFLOW_TRACKING_SERVER_CERT_PATH;
  if (environment.MLFLOW_TRACKING_CLIENT_CERT_PATH) {
    const message = "MLFLOW_TRACKING_CLIENT_CERT_PATH: expected none: client certificates are not supported";
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  if (environment.MLFLOW_TRACKING_INSECURE_TLS === "true") process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  if (!path) return;
  try {
    setDefaultCACertificates([...getCACertificates("default"), readFileSync(path, "utf8")]);
  } catch (cause) {
    const message = `MLFLOW_TRACKING_SERVER_CERT_PATH: expected a PEM file, got "${path}": ${(cause as Error).message}`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message, { cause });
  }
}

function seconds(environment: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = environment[name]?.trim();
  if (!text) return otherwise;
  const value = Number(text);
  if (value >= 0 && value <= 1e6) return value;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${name}: expected a number from 0 up, got "${text}"`);
}

/** What came instead of JSON. */
function described(text: string): string {
  if (/^\s*<(!doctype|html)/i.test(text))
    return "an HTML page (is it the address of the server, is a proxy before it?)";
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line === "" ? "nothing" : JSON.stringify(line.slice(0, QUOTE_LENGTH));
}

function parsed(text: string): { readonly error_code?: string; readonly message?: string } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function rootCause(error: unknown): { readonly code?: string; readonly message: string } {
  const { cause } = error as Error;
  return cause instanceof Error ? rootCause(cause) : (error as NodeJS.ErrnoException);
}
