/** A real MLflow tracking server, for tests; bench/python.sh --mlflow makes what it runs in. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ENVIRONMENT = new URL("../bench/.venv-mlflow/", import.meta.url);
export const MLFLOW = fileURLToPath(new URL("bin/mlflow", ENVIRONMENT));
/** It imports for seconds, and makes its database. */
const START_MS = 120_000;
const STOP_MS = 10_000;

/** Whether tests go without MLflow; where all must run they fail instead. */
export const isMlflowMissing =
  !existsSync(new URL("requirements.txt", ENVIRONMENT)) && process.env.CHURN_REQUIRE_ALL !== "1";
export const mlflowSkip = isMlflowMissing && "no bench/.venv-mlflow: bench/python.sh --mlflow makes it";

/** Who may do everything on a server with `auth`. */
export const MLFLOW_ADMIN = { username: "admin", password: "not-a-secret-of-anyone" } as const;

export interface MlflowServer {
  readonly url: string;
  /** Of its process group too. */
  readonly pid: number;
  stop(): Promise<void>;
  /** Ends it without a chance to answer what it is at. */
  kill(): Promise<void>;
  /** Starts it again after `stop` or `kill`: same port, same store. */
  restart(): Promise<void>;
}

/**
 * @param folder For its database, artifacts and log.
 * @param options.auth Asks who calls.
 * @param options.allowFileStore A folder of the file store to serve, in place of a database.
 */
export async function startMlflow(
  folder: string,
  { auth = false, allowFileStore }: { readonly auth?: boolean; readonly allowFileStore?: string } = {},
): Promise<MlflowServer> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [
    ...["server", "--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
    ...["--backend-store-uri", allowFileStore ?? `sqlite:///${join(folder, "mlflow.db")}`],
    ...["--artifacts-destination", join(folder, "artifacts")],
    ...(auth ? ["--app-name", "basic-auth"] : []),
  ];
  const env = {
    ...process.env,
    MLFLOW_DISABLE_TELEMETRY: "true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
    ...(allowFileStore !== undefined && { MLFLOW_ALLOW_FILE_STORE: "true" }),
    ...(auth && authSettings(folder)),
  };
  const start = () => startProcess(args, env, folder, `${url}/health`);
  let server = await start();
  return {
    url,
    get pid() {
      return server.pid;
    },
    stop: () => server.end("SIGTERM"),
    kill: () => server.end("SIGKILL"),
    restart: async () => {
      server = await start();
    },
  };
}

function authSettings(folder: string): NodeJS.ProcessEnv {
  const path = join(folder, "auth.ini");
  const database = `sqlite:///${join(folder, "auth.db")}`;
  writeFileSync(path, `[mlflow]\ndefault_permission = READ\ndatabase_uri = ${database}\n`);
  return {
    MLFLOW_AUTH_CONFIG_PATH: path,
    MLFLOW_AUTH_ADMIN_USERNAME: MLFLOW_ADMIN.username,
    MLFLOW_AUTH_ADMIN_PASSWORD: MLFLOW_ADMIN.password,
    MLFLOW_FLASK_SERVER_SECRET_KEY: "not a secret either",
  };
}

/** In a group of its own, with a guard that ends the group when this process is gone, however it went. */
const GUARDED = '{ read -r _; kill -KILL 0; } <&3 & exec "$@" 3<&-';

async function startProcess(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string, health: string) {
  const path = join(cwd, "server.log");
  const log = openSync(path, "w");
  const command = ["-c", GUARDED, "sh", MLFLOW, ...args];
  const child = spawn("sh", command, { cwd, env, detached: true, stdio: ["ignore", log, log, "pipe"] });
  closeSync(log);
  await once(child, "spawn");
  const pid = child.pid as number;
  const exit = once(child, "exit");
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    signalGroup(pid, signal);
    await Promise.race([exit, setTimeout(STOP_MS, undefined, { ref: false })]);
    signalGroup(pid, "SIGKILL");
    await exit;
  };
  for (const deadline = Date.now() + START_MS; !(await isHealthy(health)); await setTimeout(100)) {
    if (!hasEnded() && Date.now() < deadline) continue;
    await end("SIGKILL");
    throw new Error(`mlflow ${args.join(" ")}: did not come up; it said:\n${readFileSync(path, "utf8")}`);
  }
  return { pid, end };
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // else it has ended
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
