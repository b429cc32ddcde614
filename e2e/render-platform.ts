/**
 * A stand-in for Render. It deploys the newest commit of a branch: clones it, runs the blueprint's own commands there with the
 * blueprint's variables, and asks for health. Whoever is told to stop and does not is killed when the blueprint's time is over.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Exit, killServices, ROOT, type ServiceProcess, startService } from "../serving/test/service-process.ts";
import { ask } from "./http-question.ts";
import { BLUEPRINT, resolveVariables } from "./render-blueprint.ts";

const [WEB] = BLUEPRINT.services;
/** Render itself has patience for a quarter of an hour. */
const START_LIMIT_MS = 60_000;
/** What Render sets itself. */
const PLATFORM = { NODE_ENV: "production", RENDER: "true", IS_PULL_REQUEST: "false", RENDER_SERVICE_TYPE: "web" };

const run = promisify(execFile); // while clients are served by this process, too

export interface Deployment {
  /** The clone that it runs in. */
  readonly folder: string;
  readonly port: number;
  readonly service: ServiceProcess;
}

export class RenderPlatform {
  readonly folder = mkdtempSync(join(tmpdir(), "churn-render-"));
  /** The branch that it watches. */
  readonly repository = join(this.folder, "repository");
  /** The blueprint's, filled in. */
  readonly variables: Readonly<Record<string, string>>;
  #built: string | undefined;

  /** @param databaseUrl Of the blueprint's database; without one, all instances share a file. */
  constructor(databaseUrl: string | undefined) {
    this.variables = resolveVariables(WEB.envVars, databaseUrl ?? `sqlite:${join(this.folder, "predictions.db")}`);
  }

  /** What is in this checkout now, in one commit: what its owner would push. */
  async push(): Promise<void> {
    await run("git", ["clone", "--quiet", "--depth=1", `file://${ROOT}`, this.repository]);
    const changed = git(ROOT, "diff", "--name-only", "-z", "HEAD");
    const added = git(ROOT, "ls-files", "--others", "--exclude-standard", "-z");
    for (const path of `${changed}${added}`.split("\0").filter((name) => name !== "")) {
      rmSync(join(this.repository, path), { force: true });
      if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(this.repository, path));
    }
    this.commit("somebody", "all of it");
  }

  /** @returns The paths that the commit changes. */
  commit(author: string, message: string): string[] {
    git(this.repository, "add", "--all");
    git(this.repository, ...identity(author), "commit", "--quiet", "--allow-empty", "--message", message);
    return linesOf(git(this.repository, "show", "--name-only", "--format=", "HEAD"));
  }

  revert(author: string): void {
    git(this.repository, ...identity(author), "revert", "--no-edit", "HEAD");
  }

  /** Builds and starts the newest commit beside what runs. */
  async deploy(name: string): Promise<Deployment> {
    const folder = join(this.folder, name);
    await run("git", ["clone", "--quiet", "--depth=1", `file://${this.repository}`, folder]);
    await this.#build(folder);
    const port = await freePort();
    // An instance shares no disk with another one: the spool is where it is by default, and what Node compiles is its own.
    const own = { PORT: String(port), SPOOL_DIR: "", TMPDIR: join(this.folder, `${name}-temporary`) };
    mkdirSync(own.TMPDIR);
    const environment = { ...this.variables, ...PLATFORM, ...own };
    return { folder, port, service: startService(environment, ["sh", "-c", WEB.startCommand], folder) };
  }

  async #build(folder: string): Promise<void> {
    const lock = (place: string): string => readFileSync(join(place, "package-lock.json"), "utf8");
    if (this.#built !== undefined && lock(this.#built) === lock(folder)) {
      // What the command installs follows from the lock file, so that of the first time is as good, and there at once.
      await run("cp", ["-a", join(this.#built, "node_modules"), folder]);
      return;
    }
    const env = { ...process.env, ...this.variables, ...PLATFORM };
    await run("sh", ["-c", WEB.buildCommand], { cwd: folder, env });
    this.#built = folder;
  }

  /** Whether it becomes healthy, before it ends and before long. */
  async becomesHealthy({ port, service: { child } }: Deployment): Promise<boolean> {
    const headers = { host: "churn.onrender.com" }; // as Render asks
    for (const end = performance.now() + START_LIMIT_MS; child.exitCode === null && performance.now() < end; ) {
      const answer = await ask(port, WEB.healthCheckPath, { headers }).catch(() => undefined);
      if (answer?.status === 200) return true;
      await sleep(20);
    }
    return false;
  }

  /** SIGTERM to the process that the start command has become. */
  async stop({ service: { child, exit } }: Deployment): Promise<Exit & { readonly milliseconds: number }> {
    const start = performance.now();
    child.kill("SIGTERM");
    const killAll = (): boolean => process.kill(-(child.pid as number), "SIGKILL"); // who stands in between, too
    const timer = setTimeout(killAll, Number(WEB.maxShutdownDelaySeconds) * 1000);
    const ended = await exit;
    clearTimeout(timer);
    return { ...ended, milliseconds: performance.now() - start };
  }

  remove(): void {
    killServices();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

export function git(folder: string, ...args: readonly string[]): string {
  return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8" });
}

function identity(author: string): string[] {
  return ["-c", `user.name=${author}`, "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
