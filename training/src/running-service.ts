/**
 * The service as a process of its own, started as an operator would start it. This plane knows its command and
 * its HTTP interface, nothing else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ChurnError } from "@churn/contract";
import { onExit } from "signal-exit";

const SERVICE = fileURLToPath(new URL("../../serving/src/main.ts", import.meta.url));

/** A service that came up. */
export interface RunningService {
  readonly url: string;
  /** From the start of the process to its first answer. */
  readonly startMs: number;
  /** Stops it as a platform does, and waits for its end. */
  stop(): Promise<void>;
}

/** Variables of the service that somebody may have set for his own; a variable set to nothing counts as not set. */
const UNSET = { API_KEYS: "", RATE_LIMIT: "", WEB_CONCURRENCY: "", STORE_RETENTION_DAYS: "", STORE_HASH_SECRET: "" };

/**
 * Starts the service on a free port and waits for its first answer.
 *
 * @param live Folder of its prediction store, `predictions.db`, and of what waits for it.
 * @throws CHURN_ERR_SERVICE_START with what the service said
 */
export async function startService(modelDirectory: string, live: string): Promise<RunningService> {
  if (!existsSync(SERVICE)) {
    throw new ChurnError(
      "CHURN_ERR_SERVICE_START",
      `${relative(".", SERVICE)}: expected the serving plane beside this one`,
    );
  }
  const start = performance.now();
  const child = spawn(process.execPath, [SERVICE], {
    env: {
      ...process.env,
      ...UNSET,
      MODEL_DIR: modelDirectory,
      PREDICTION_STORE_URL: `sqlite:${join(live, "predictions.db")}`,
      SPOOL_DIR: join(live, "spool"),
      PORT: "0",
      HOST: "127.0.0.1",
      LOG_LEVEL: "info",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exit = once(child, "exit");
  const forget = onExit(() => void child.kill("SIGTERM")); // however this process ends, the service does not stay
  exit.then(forget, forget);
  try {
    const url = await listeningUrl(child);
    await fetch(url);
    return { url, startMs: performance.now() - start, stop: () => stop(child, exit) };
  } catch (error) {
    child.kill("SIGTERM");
    throw error;
  }
}

/** Reads the service's log until it says where it listens. */
async function listeningUrl(child: ChildProcess): Promise<string> {
  const complaints: string[] = [];
  child.stderr?.on("data", (bytes) => complaints.push(String(bytes)));
  // Read to the end even after the url is known: a full pipe would stop the service.
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const entry = parseLine(line);
      if (entry.event === "service.listening" && typeof entry.url === "string") resolve(entry.url);
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      const said = complaints.join("").trim() || `exit code ${code}`;
      reject(new ChurnError("CHURN_ERR_SERVICE_START", `the service did not start: ${said}`));
    });
  });
}

function parseLine(line: string): { readonly event?: unknown; readonly url?: unknown } {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

async function stop(child: ChildProcess, exit: Promise<unknown[]>): Promise<void> {
  child.kill("SIGTERM");
  const [code, signal] = await exit;
  if (code !== 0) throw new Error(`the service ended with ${signal ?? `exit code ${code}`}`);
}
