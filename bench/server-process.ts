/**
 * A server as a process of a bench: its log goes to a file, its start is timed to the first answer, and /proc tells what
 * it and its own processes use.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonHeaders } from "./http-client.ts";

const PROBE_INTERVAL_MS = 5;
/** A server that cannot answer within this is not slow. */
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 30_000;
/** Unit of /proc/PID/stat: USER_HZ, which Linux fixes on every common architecture. */
const TICKS_PER_SECOND = 100;

export interface ServerOptions {
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** File of standard output and standard error; it is added to. */
  readonly log: string;
  /** Of the server, as the environment tells it. */
  readonly url: string;
  /** A body of `POST /predict`: the start ends with its first 200. */
  readonly probe: string;
  readonly key?: string;
  /** Control groups to start in: their `cgroup.procs` files. */
  readonly groups?: readonly string[];
}

export interface Usage {
  readonly processorSeconds: number;
  /** Resident, of all processes together: now, and each at its peak. */
  readonly mebibytes: number;
  readonly peakMebibytes: number;
}

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to the first 200. */
  readonly startSeconds: number;
  /** What that 200 said. */
  readonly firstAnswer: string;
  usage(): Usage;
  /** By SIGTERM. @throws when it does not end with success */
  stop(): Promise<void>;
  /** At once, whatever it is at. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const { pid } of running) killGroup(pid);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Joins the control groups named before "--", then becomes the command behind it. */
const JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"';

/** @throws when it ends, or does not answer */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { command, environment, workingDirectory, log, url, probe, key, groups = [] } = options;
  const [program, ...args] = groups.length > 0 ? ["sh", "-c", JOIN, "sh", ...groups, "--", ...command] : command;
  const file = openSync(log, "a");
  const start = performance.now();
  const child = spawn(program, args, {
    cwd: workingDirectory,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ["ignore", file, file],
    detached: true, // a process group of its own
  });
  closeSync(file);
  running.add(child);
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  await once(child, "spawn");
  const pid = child.pid as number;
  void exit.then(() => running.delete(child));

  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const deadline = start + START_LIMIT_MS;
  let firstAnswer: string | undefined;
  while (true) {
    firstAnswer = await ask(url, probe, key);
    if (firstAnswer !== undefined) break;
    if (hasEnded() || performance.now() > deadline) {
      killGroup(pid);
      throw new Error(`${command.join(" ")}: did not come up; ${log}:\n${readFileSync(log, "utf8").slice(-2000)}`);
    }
    await sleep(PROBE_INTERVAL_MS);
  }
  const startSeconds = (performance.now() - start) / 1000;

  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const limit = setTimeout(() => killGroup(pid), STOP_LIMIT_MS);
    const [code, signal] = await exit;
    clearTimeout(limit);
    if (code !== 0) throw new Error(`${command.join(" ")}: ended with ${code ?? signal}; ${log}`);
  };
  const kill = async (): Promise<void> => {
    killGroup(pid);
    await exit;
  };
  return { url, pid, startSeconds, firstAnswer, usage: () => usageOf(pid), stop, kill };
}

/** @returns a 200's text */
async function ask(url: string, body: string, key: string | undefined): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/predict`, { method: "POST", headers: jsonHeaders(key), body });
    const text = await response.text();
    return response.status === 200 ? text : undefined;
  } catch {
    return undefined;
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself, as it should.
  }
}

function usageOf(pid: number): Usage {
  const usages = [pid, ...descendants(pid)].map((id) => {
    const status = readFileSync(`/proc/${id}/status`, "utf8");
    const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3, the state
    return {
      processorSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      mebibytes: kibibytes("VmRSS") / 1024,
      peakMebibytes: kibibytes("VmHWM") / 1024,
    };
  });
  const sum = (what: keyof Usage): number => usages.reduce((total, usage) => total + usage[what], 0);
  return {
    processorSeconds: sum("processorSeconds"),
    mebibytes: sum("mebibytes"),
    peakMebibytes: sum("peakMebibytes"),
  };
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
