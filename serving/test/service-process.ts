/** Starts the service as its users do, as a process, and watches what it says. For tests in `e2e/`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ServiceProcess {
  readonly child: ChildProcess;
  /** Of the listening service; rejects when it ends before it listens. */
  readonly url: Promise<string>;
  readonly exit: Promise<Exit>;
  /** Resolves once the log has a line of this event. */
  logged(event: string): Promise<void>;
}

/** The variables that configure the service; a test sees none of its surroundings'. */
const CONFIGURATION = [
  "PORT",
  "HOST",
  "LOG_LEVEL",
  "MODEL_DIR",
  "API_KEYS",
  "ALLOW_UNAUTHENTICATED",
  "RATE_LIMIT",
  "WEB_CONCURRENCY",
  "PREDICTION_STORE_URL",
  "STORE_RETENTION_DAYS",
  "STORE_HASH_SECRET",
  "SPOOL_DIR",
  "SPOOL_LIMIT_MB",
];

/** Each service has a store of its own unless its test names one. */
const stores: string[] = [];

function ownStore(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "churn-store-"));
  stores.push(folder);
  return { PREDICTION_STORE_URL: `sqlite:${join(folder, "predictions.db")}`, SPOOL_DIR: join(folder, "spool") };
}

const started: ChildProcess[] = [];

/** Ends what is still running, with everything it started: for `after`, so that a failed test leaves nothing behind. */
export function killServices(): void {
  for (const { pid } of started) {
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended by itself, as it should.
    }
  }
  for (const folder of stores) rmSync(folder, { recursive: true, force: true });
}

/** @param command By default what `start.sh` runs in the end. */
export function startService(
  environment: Readonly<Record<string, string>>,
  command: readonly [string, ...string[]] = [process.execPath, `${ROOT}serving/src/main.ts`],
  workingDirectory: string = ROOT,
): ServiceProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !CONFIGURATION.includes(name));
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: workingDirectory,
    env: { ...Object.fromEntries(inherited), PORT: "0", ...ownStore(), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a process group of its own
  });
  started.push(child);
  let stdout = "";
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const url = new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk) => {
      stdout += chunk;
      const listening = /"url":"([^"]+)"/.exec(stdout);
      if (listening !== null) resolve(listening[1]);
    });
    child.once("close", () => reject(new Error(`the service ended before it listened: ${stderr}`)));
  });
  url.catch(() => {}); // who waits for the exit only does not ask for the address
  const exit = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }));
  const logged = async (event: string): Promise<void> => {
    while (!stdout.includes(`"event":"${event}"`)) await once(child.stdout as NodeJS.EventEmitter, "data");
  };
  return { child, url, exit, logged };
}
