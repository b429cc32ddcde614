/**
 * A real PostgreSQL server, for tests: Debian's package `postgresql`, on a free port of this machine, its data in a
 * folder of its own. It can be stopped, killed, halted and started again on the same data and port.
 *
 * PostgreSQL refuses to run as root; a test that does starts it as the user `postgres`.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, globSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";

const START_MS = 60_000;
const STOP_MS = 30_000;
const USER = "churn";
const PASSWORD = "not-a-secret-of-anyone";

/** The newest version's, of all that are there. */
const BIN = [
  ...(process.env.PATH ?? "").split(delimiter),
  ...globSync("/usr/lib/postgresql/*/bin").sort((a, b) => version(b) - version(a)),
].find((folder) =>
  ["initdb", "postgres", "pg_isready", "createdb", "psql"].every((name) => existsSync(join(folder, name))),
);

function version(folder: string): number {
  return Number(folder.split("/").at(-2));
}

/** Whether tests go without PostgreSQL; where all must run they fail instead. */
export const isPostgresMissing = BIN === undefined && process.env.CHURN_REQUIRE_ALL !== "1";
export const postgresSkip = isPostgresMissing && "no PostgreSQL server: apt-get install postgresql";

export interface PostgresServer {
  /** Of its database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Makes a database. @returns Its URL. */
  createDatabase(name: string, ...options: readonly string[]): string;
  /** Runs SQL in a database. */
  query(url: string, sql: string): void;
  /** Runs SQL in a transaction that stays open. @returns What rolls it back. */
  hold(url: string, sql: string): Promise<() => Promise<void>>;
  /** Ends it as its service would: open transactions are rolled back, clients disconnected. */
  stop(): Promise<void>;
  /** SIGKILL to all of its processes: what a lost machine leaves. */
  kill(): Promise<void>;
  /** Halts all of its processes: connections stay open, nobody answers. */
  pause(): void;
  resume(): void;
  /** Starts it again after `stop` or `kill`: same port, same data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

export interface PostgresOptions {
  /** Whether a commit waits for the disk; without, tests are faster and survive `kill` too. */
  readonly isDurable?: boolean;
  /** Whether it speaks TLS too, with a certificate that it signed itself. */
  readonly hasTls?: boolean;
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  if (BIN === undefined) throw new Error("no PostgreSQL server: apt-get install postgresql");
  const folder = mkdtempSync(join(tmpdir(), "churn-postgres-"));
  const data = join(folder, "data");
  const port = await freePort();
  if (options.hasTls) makeCertificate(folder);
  initialise(folder, data);
  const start = () => startProcess(folder, data, port, options);
  let server = await start();
  const url = (database: string) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  return {
    url: url("postgres"),
    port,
    createDatabase: (name, ...options) => {
      const env = { ...process.env, PGPASSWORD: PASSWORD };
      const args = ["--host=127.0.0.1", `--port=${port}`, `--username=${USER}`, ...options, name];
      execFileSync(join(BIN, "createdb"), args, { env });
      return url(name);
    },
    query: (database, sql) => {
      execFileSync(join(BIN, "psql"), [...PSQL, database, "-c", sql], { stdio: ["ignore", "ignore", "inherit"] });
    },
    hold: (database, sql) => holdTransaction(database, sql),
    stop: () => server.stop(),
    kill: () => server.kill(),
    pause: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
    restart: async () => {
      server = await start();
    },
    remove: async () => {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const PSQL = ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"];

async function holdTransaction(database: string, sql: string): Promise<() => Promise<void>> {
  const psql = spawn(join(BIN as string, "psql"), [...PSQL, database], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(psql, "exit");
  psql.stdin.write(`BEGIN; ${sql}; \\echo held\n`);
  await once(psql.stdout, "data");
  return async () => {
    psql.stdin.end("ROLLBACK;\n");
    await exit;
  };
}

/** What goes before a command of PostgreSQL's, and the user that it then runs as. */
function asUser(): { readonly prefix: readonly string[]; readonly uid?: string } {
  if (process.getuid?.() !== 0) return { prefix: [] };
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = ["-u", "-g"].map((option) => execFileSync("id", [option, name], { encoding: "utf8" }).trim());
      return { prefix: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"], uid };
    } catch {
      // No such user here.
    }
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody");
}

const certificateFiles = (folder: string) => ({
  ssl_cert_file: join(folder, "server.crt"),
  ssl_key_file: join(folder, "server.key"),
});

function makeCertificate(folder: string): void {
  const { ssl_cert_file: certificate, ssl_key_file: key } = certificateFiles(folder);
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"];
  execFileSync("openssl", [...args, "-keyout", key, "-out", certificate], { stdio: "ignore" });
}

function initialise(folder: string, data: string): void {
  const { prefix, uid } = asUser();
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, PASSWORD);
  if (uid !== undefined) execFileSync("chown", ["-R", uid, folder]);
  const [program, ...args] = [
    ...[...prefix, join(BIN as string, "initdb"), "--pgdata", data, "--username", USER, "--pwfile", passwordFile],
    ...["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"],
  ];
  execFileSync(program, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}

/** In a group of its own, with a guard that ends the group when this process is gone, however it went. */
const GUARDED = '{ read -r _; kill -KILL 0; } <&3 & exec "$@" 3<&-';

async function startProcess(folder: string, data: string, port: number, options: PostgresOptions) {
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    fsync: options.isDurable ? "on" : "off",
    ...(options.hasTls && { ssl: "on", ...certificateFiles(folder) }),
    max_connections: "50",
    shared_buffers: "32MB",
  };
  const command = [
    ...[...asUser().prefix, join(BIN as string, "postgres"), "-D", data, "-p", String(port)],
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  const path = join(folder, "server.log");
  const log = openSync(path, "a");
  const child = spawn("sh", ["-c", GUARDED, "sh", ...command], {
    cwd: folder,
    detached: true,
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  await once(child, "spawn");
  const pid = child.pid as number;
  const exit = once(child, "exit");
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;

  const signal = (name: NodeJS.Signals): void => {
    // The parent first: it would start a child that ended anew.
    for (const each of [pid, ...childrenOf(pid)]) trySignal(each, name);
  };
  const kill = async (): Promise<void> => {
    if (hasEnded()) return;
    const all = [pid, ...childrenOf(pid)];
    for (const each of all) trySignal(each, "SIGKILL");
    trySignal(-pid, "SIGKILL"); // the guard, too
    await exit;
    while (all.some(isRunning)) await setTimeout(10);
  };
  const stop = async (): Promise<void> => {
    if (hasEnded()) return;
    trySignal(pid, "SIGINT"); // its "fast" shutdown
    await Promise.race([exit, setTimeout(STOP_MS, undefined, { ref: false })]);
    if (!hasEnded()) await kill();
    trySignal(-pid, "SIGKILL");
  };
  for (const deadline = Date.now() + START_MS; !isReady(port); await setTimeout(50)) {
    if (!hasEnded() && Date.now() < deadline) continue;
    await kill();
    throw new Error(`PostgreSQL did not come up; it said:\n${readFileSync(path, "utf8")}`);
  }
  return { signal, kill, stop };
}

function isReady(port: number): boolean {
  try {
    execFileSync(join(BIN as string, "pg_isready"), ["--quiet", "--host=127.0.0.1", `--port=${port}`]);
    return true;
  } catch {
    return false;
  }
}

/** Each is the leader of a group of its own, so the group of their parent does not reach them. */
function childrenOf(parent: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid);
}

function isRunning(pid: number): boolean {
  return trySignal(pid, 0);
}

function trySignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // else it has ended
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
