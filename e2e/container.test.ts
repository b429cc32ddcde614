/**
 * The image without an engine: the steps of Dockerfile's build stage are replayed in a folder, and what they leave is started as
 * in a container: another user, everything read-only but the data folder. What an engine adds (base images, the final
 * stage's own steps, the health check) is tried by the job `container` of ci.yml.
 *
 * Who may not become root skips it, unless skips are forbidden.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { killServices, startService } from "../serving/test/service-process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const readText = (name: string): string => readFileSync(join(ROOT, name), "utf8");

interface Step {
  readonly instruction: string;
  readonly text: string;
}

/** Instructions of the build stage and of the final one, in order. */
const [buildStage, finalStage] = stages(readText("Dockerfile"));

function stages(dockerfile: string): Step[][] {
  const lines = dockerfile.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  const steps = lines.split("\n").filter((line) => line.trim() !== "");
  const all: Step[][] = [];
  for (const line of steps) {
    const [, instruction, text] = /^(\w+) (.*)$/.exec(line.trim()) ?? [];
    assert.ok(instruction, `expected an instruction, got ${line}`);
    if (instruction === "FROM") all.push([]);
    all.at(-1)?.push({ instruction, text });
  }
  return all;
}

const textsOf = (stage: readonly Step[], wanted: string): string[] =>
  stage.filter(({ instruction }) => instruction === wanted).map(({ text }) => text);

/** As root, or by way of sudo where it asks for no password. */
const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];

function run(command: readonly string[], cwd = ROOT) {
  const [name, ...args] = command;
  return spawnSync(name, args, { cwd, encoding: "utf8" });
}

const mayMount = run([...asRoot, "unshare", "--mount", "setpriv", "--reuid=1000", "true"]).status === 0;
const skip =
  !mayMount && process.env.CHURN_REQUIRE_ALL !== "1" && "no right to be root, to mount and to be somebody else";

const folder = mkdtempSync(join(tmpdir(), "churn-container-"));
const app = join(folder, "app");
const data = join(folder, "data");
const bin = join(folder, "bin");
after(() => {
  killServices();
  run([...asRoot, "rm", "-rf", folder]);
});

test("everything that the image copies is let in by .dockerignore, and nothing else", () => {
  const copied = textsOf(buildStage, "COPY").flatMap((text) => text.split(" ").slice(0, -1));
  const letIn = readText(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("!"));

  assert.deepEqual(letIn.map((line) => line.slice(1)).sort(), copied.sort());
  assert.ok(readText(".dockerignore").split("\n").includes("*"));
});

test("both stages have the Node that package.json pins, and the last one no root", () => {
  const { dependencies } = JSON.parse(readText("package.json"));
  for (const stage of [buildStage, finalStage]) {
    assert.match(stage[0].text, new RegExp(`^node:${dependencies.node}-bookworm-slim( AS build)?$`));
  }
  assert.deepEqual(textsOf(finalStage, "USER"), ["1000:1000"]);
  assert.deepEqual(textsOf(finalStage, "STOPSIGNAL"), ["SIGTERM"]);
});

test("the image starts what start.sh starts, with the same options", () => {
  const [, command] = /^exec node_modules\/\.bin\/node (.+)$/m.exec(readText("start.sh")) ?? [];
  assert.deepEqual(JSON.parse(textsOf(finalStage, "ENTRYPOINT")[0]), ["node", ...command.split(" ")]);
});

test("the build's steps give a service that runs as nobody in particular, on a read-only file system", {
  skip,
  timeout: 240_000,
}, async () => {
  assert(mayMount, "expected the right to be root, to mount and to be somebody else");
  replayBuild();
  mkdirSync(data);
  run([...asRoot, "chown", "1000:1000", data]);

  const service = startService(containerEnvironment(), containerCommand());
  const url = await service.url;
  const example = JSON.parse(readText("models/best_model/model.json")).inputExample;
  const answer = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(example),
  });
  const probability = ((await answer.json()) as { readonly churn_probability: number }).churn_probability;
  const health = healthCheck(new URL(url).port);
  service.child.kill("SIGTERM");
  const { code, stderr } = await service.exit;

  assert.equal(answer.status, 200);
  assert.ok(probability > 0 && probability < 1);
  assert.deepEqual(health, [0, 1], "expected the health check to tell a service from none");
  assert.deepEqual([code, stderr], [0, ""]);
});

/** COPY, RUN and USER of the build stage, in order. */
function replayBuild(): void {
  chmodSync(folder, 0o755);
  for (const path of [app, bin]) mkdirSync(path);
  cpSync(process.execPath, join(bin, "node")); // where any user can read it
  let user: readonly string[] = asRoot;
  for (const { instruction, text } of buildStage) {
    if (instruction === "COPY") copy(text);
    else if (instruction === "USER") user = [...asRoot, "setpriv", ...identity(text), "--clear-groups"];
    else if (instruction === "RUN") {
      const { status, stdout, stderr } = run(
        [...user, "env", `PATH=${bin}:${process.env.PATH}`, "sh", "-c", text],
        app,
      );
      assert.equal(status, 0, `${text}\n${stdout}${stderr}`);
    } else assert.match(instruction, /^(FROM|WORKDIR)$/);
  }
  assert.ok(!existsSync(join(app, "training")));
  assert.ok(!existsSync(join(app, "node_modules/node")), "expected no second Node");
  assert.ok(readdirSync(join(app, ".compile-cache")).length > 0, "expected compiled code in the image");
}

function identity(text: string): string[] {
  const [user, group] = text.split(":");
  return [`--reuid=${user}`, `--regid=${group}`];
}

function copy(text: string): void {
  const parts = text.split(" ");
  const target = parts.at(-1) as string;
  for (const source of parts.slice(0, -1)) {
    const isInto = target.endsWith("/");
    const path = join(app, target, isInto ? (source.split("/").at(-1) as string) : "");
    mkdirSync(dirname(path), { recursive: true });
    cpSync(join(ROOT, source), path, { recursive: true });
  }
}

/** The final stage's ENV, with this machine's paths, and a port and permission of its own for the test. */
function containerEnvironment(): Record<string, string> {
  const pairs = textsOf(finalStage, "ENV").flatMap((text) => text.trim().split(/\s+/));
  const environment = Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  for (const [name, value] of Object.entries(environment)) {
    environment[name] = value.replace("/app/", `${app}/`).replace("/data/", `${data}/`);
  }
  return { ...environment, PORT: "0", HOST: "127.0.0.1", ALLOW_UNAUTHENTICATED: "true" };
}

/** The service in mounts of its own: the root is read-only, so is the app; the data folder and a small /tmp are not. */
function containerCommand(): [string, ...string[]] {
  const script = [
    `mount --bind ${data} ${data}`,
    `mount --bind ${app} ${app}`,
    `mount -o remount,bind,ro ${app}`,
    "mount -o remount,bind,ro /",
    `cd ${app}`,
    "! touch /read-only-probe 2>/dev/null", // root itself cannot
    `exec setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs --inh-caps=-all env "$@" ${bin}/node serving/src/main.ts`,
  ].join(" && ");
  const variables = Object.entries(containerEnvironment()).map(([name, value]) => `${name}=${value}`);
  return [...asRoot, "unshare", "--mount", "sh", "-c", script, "sh", ...variables] as unknown as [string, ...string[]];
}

/** Exit codes of the image's health check: against the service, and against a port where nothing listens. */
function healthCheck(port: string): (number | null)[] {
  const [command] = textsOf(finalStage, "HEALTHCHECK").map((text) => JSON.parse(text.slice(text.indexOf("["))));
  const [, ...args] = command as string[];
  return [port, "1"].map((PORT) => spawnSync(join(bin, "node"), args, { env: { PORT } }).status);
}
