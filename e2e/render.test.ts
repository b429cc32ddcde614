/**
 * `render.yaml` without Render: its fields by the platform's rules, then a rehearsal of what it describes. The blueprint's own
 * commands build and start clones of the repository beside each other; a proxy moves the traffic as the platform's balancer does.
 *
 *     commit ─▶ build ─▶ start ─▶ healthy? ─▶ traffic moves ─▶ SIGTERM to the old one
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseStoreUrl } from "../contract/src/index.ts";
import { openStore } from "../serving/src/store/prediction-store.ts";
import { ROOT } from "../serving/test/service-process.ts";
import { ask, type HttpAnswer, type Question } from "./http-question.ts";
import { isPostgresMissing, type PostgresServer, startPostgres } from "./postgres-server.ts";
import { BLUEPRINT, BLUEPRINT_TEXT, deploysOn } from "./render-blueprint.ts";
import { type Deployment, git, linesOf, RenderPlatform } from "./render-platform.ts";
import { type SwitchingProxy, startSwitchingProxy } from "./switching-proxy.ts";

const [WEB] = BLUEPRINT.services;
const [DATABASE] = BLUEPRINT.databases;
const MODEL = "models/best_model";
/** What `docs/operations.md` asks a platform to wait for. */
const STOP_SECONDS = 15;

const readJson = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), "utf8"));
const versionIn = (place: string): string => readJson(place, MODEL, "model.json").version;

describe("render.yaml", () => {
  test("has the fields of one web service and one database, and no more", () => {
    // A disk, for example, would end deployments without a gap.
    assert.equal(
      BLUEPRINT_TEXT.split("\n")[0],
      "# yaml-language-server: $schema=https://render.com/schema/render.yaml.json",
    );
    assert.deepEqual(Object.keys(BLUEPRINT).sort(), ["databases", "previews", "services"]);
    assert.deepEqual([BLUEPRINT.services.length, BLUEPRINT.databases.length], [1, 1]);
    assert.deepEqual(Object.keys(WEB).sort(), [
      ...["autoDeployTrigger", "buildCommand", "buildFilter", "envVars", "healthCheckPath", "maxShutdownDelaySeconds"],
      ...["name", "plan", "region", "runtime", "startCommand", "type"],
    ]);
    assert.deepEqual(Object.keys(WEB.buildFilter).sort(), ["ignoredPaths", "paths"]);
    assert.deepEqual(Object.keys(DATABASE).sort(), [
      "databaseName",
      "ipAllowList",
      "name",
      "plan",
      "postgresMajorVersion",
      "region",
      "user",
    ]);
  });

  test("names values that Render knows", () => {
    const regions = ["oregon", "ohio", "virginia", "frankfurt", "singapore"];
    const plans = ["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"];

    assert.deepEqual([WEB.type, WEB.runtime, BLUEPRINT.previews.generation], ["web", "node", "off"]);
    assert.ok(plans.includes(WEB.plan), WEB.plan);
    assert.match(DATABASE.plan, /^(free|basic-(256mb|1gb|4gb)|(pro|accelerated)-\d+gb)$/);
    assert.ok(regions.includes(WEB.region), WEB.region);
    assert.equal(DATABASE.region, WEB.region);
    assert.equal(WEB.autoDeployTrigger, "commit"); // with checksPass no promotion would be deployed
    assert.ok(Number(WEB.maxShutdownDelaySeconds) >= STOP_SECONDS && Number(WEB.maxShutdownDelaySeconds) <= 300);
  });

  test("gives each variable one source, which the service or Node reads, and no secret", () => {
    const [serving] = readFileSync(join(ROOT, ".env.example"), "utf8").split("# -- training");
    const known = new Set([...serving.matchAll(/^(\w+)=/gm)].map(([, name]) => name));
    for (const { key, ...sources } of WEB.envVars) {
      assert.equal(Object.keys(sources).length, 1, key);
      assert.ok(known.has(key) || key === "NODE_OPTIONS", key);
      assert.doesNotMatch(`${key}=${sources.value ?? ""}`, /(KEY|SECRET|PASSWORD|TOKEN|URL)\w*=./);
    }
    const [keys] = WEB.envVars.filter(({ key }) => key === "API_KEYS");
    const [store] = WEB.envVars.filter(({ key }) => key === "PREDICTION_STORE_URL");
    assert.deepEqual(keys, { key: "API_KEYS", generateValue: "true" });
    assert.deepEqual(store.fromDatabase, { name: DATABASE.name, property: "connectionString" });
    for (const [, value] of BLUEPRINT_TEXT.matchAll(/^ +value: ([^#\n]*\S)/gm)) {
      assert.doesNotMatch(value, /^(\d+(\.\d+)?|true|false|yes|no|on|off)$/, "expected a text: quote it");
    }
  });

  test("gives the store an address as Render writes it, which the service takes", () => {
    const user = ["churn", "of-nobody"].join(":"); // in one piece it would look like a secret that was committed
    const place = parseStoreUrl(`postgresql://${user}@dpg-d4abc123def-a/churn_x1y2`, "PREDICTION_STORE_URL");
    assert.equal(place.kind, "postgres");
  });

  test("runs on the Node that package.json pins, by a script that may be run", () => {
    assert.equal(
      readFileSync(join(ROOT, ".node-version"), "utf8").trim(),
      readJson(ROOT, "package.json").dependencies.node,
    );
    assert.equal(WEB.startCommand, "exec ./start.sh");
    assert.match(git(ROOT, "ls-files", "--stage", "start.sh"), /^100755 /);
  });

  test("deploys on a push of whatever the process reads, and of nothing else", () => {
    const image = readFileSync(join(ROOT, ".dockerignore"), "utf8").matchAll(/^!(.+)$/gm); // what the image holds suffices
    const needed = [...[...image].map(([, path]) => path), "start.sh", ".node-version", "render.yaml"];
    const files = linesOf(git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "--", ...needed));
    const others = [
      ...["README.md", "docs/runbook.md", "training/src/train.ts", "training/package.json", "e2e/render.test.ts"],
      ...["models/ledger.jsonl", "models/previous/20261129T065334Z-254ad83b/model.json", "reports/retrain.html"],
      ...["serving/test/app.test.ts", "contract/assembly/kernel.ts", ".github/workflows/ci.yml", "Dockerfile"],
    ];

    assert.ok(files.length > 80 && files.includes(`${MODEL}/model.json`), `${files.length} files`);
    assert.deepEqual(
      files.filter((path) => !deploysOn(path, WEB.buildFilter)),
      [],
    );
    assert.deepEqual(
      others.filter((path) => deploysOn(path, WEB.buildFilter)),
      [],
    );
  });
});

let postgres: PostgresServer | undefined;
let platform: RenderPlatform;
/** What has the traffic. */
let live: Deployment;
/** Ids of all predictions that were answered. */
const answeredIds: string[] = [];

describe("a rehearsal of render.yaml", { timeout: 240_000 }, () => {
  before(async () => {
    postgres = isPostgresMissing ? undefined : await startPostgres();
    // Render writes the scheme in full.
    platform = new RenderPlatform(postgres?.createDatabase(DATABASE.databaseName).replace("postgres:", "postgresql:"));
    await platform.push();
  });
  after(async () => {
    platform.remove();
    await postgres?.remove();
  });

  test("its build installs nothing of training, and what it starts is healthy and asks for the generated key", async (t) => {
    const start = performance.now();
    live = await platform.deploy("first");
    const built = performance.now();
    assert.ok(await platform.becomesHealthy(live));
    t.diagnostic(`clone and build ${seconds(built - start)}, to healthy ${seconds(performance.now() - built)}`);

    assertServingAlone(live.folder);
    assert.equal(
      git(live.folder, "status", "--porcelain"),
      "",
      "expected a build that changes no file of the repository",
    );
    const answer = await ask(live.port, "/predict", prediction());
    assert.equal(answer.status, 200, answer.body);
    assert.equal(noted(answer).model_version, versionIn(live.folder));
    assert.equal((await ask(live.port, "/predict", { body: prediction().body })).status, 401);
  });

  test("a promotion goes live under load: no request fails, each is answered by the model of its time", async (t) => {
    const changed = promote();
    assert.ok(
      changed.every((path) => path.startsWith("models/")),
      changed.join(),
    );
    assert.ok(
      changed.some((path) => deploysOn(path, WEB.buildFilter)),
      changed.join(),
    );
    const proxy = await startSwitchingProxy(live.port);
    const load = startLoad(proxy.port, 8);
    t.after(load.stop);
    t.after(proxy.close);

    const previous = live;
    live = await platform.deploy("promoted");
    assert.ok(await platform.becomesHealthy(live));
    const switched = await switchOver(proxy, previous);
    await sleep(2000);
    await load.stop();

    assert.deepEqual(load.failures, []);
    assert.equal(switched.slow.model_version, versionIn(previous.folder));
    assertModelOfItsTime(load.answers, switched.at, versionIn(previous.folder), versionIn(live.folder));
    report(t, load, switched);
  });

  test("a deployment with a damaged model never becomes healthy, and the one before goes on", async (t) => {
    const { repository } = platform;
    const good = git(repository, "rev-parse", "HEAD:models");
    truncateSync(join(repository, MODEL, "forest.safetensors"), 1000);
    const changed = platform.commit("somebody", "models: half a champion");
    assert.ok(changed.some((path) => deploysOn(path, WEB.buildFilter)));
    const load = startLoad(live.port, 1);
    t.after(load.stop);

    const damaged = await platform.deploy("damaged");
    assert.equal(await platform.becomesHealthy(damaged), false);
    const { code, stderr } = await damaged.service.exit;
    await load.stop();

    assert.deepEqual([code, JSON.parse(stderr).code], [2, "CHURN_ERR_MODEL_INVALID"]);
    assert.deepEqual(load.failures, []);
    assert.ok(load.answers.length > 0);
    assert.ok(load.answers.every(({ modelVersion }) => modelVersion === versionIn(live.folder)));
    platform.revert("somebody");
    assert.equal(git(repository, "rev-parse", "HEAD:models"), good, "expected a revert to bring the champion back");
  });

  test("both instances have left each prediction in the store, once", async () => {
    await stopInOrder(live);

    const store = await openStore(platform.variables.PREDICTION_STORE_URL);
    const stored = (await store.recent(1_000_000)).map(({ predictionId }) => predictionId);
    await store.close();
    assert.deepEqual(stored.sort(), answeredIds.sort());
  });
});

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

/** A prediction of the model's own example, with the generated key. */
function prediction(): Question & { readonly body: string } {
  const headers = { authorization: `Bearer ${platform.variables.API_KEYS}`, "content-type": "application/json" };
  return { headers, body: JSON.stringify(readJson(platform.repository, MODEL, "model.json").inputExample) };
}

interface Predicted {
  readonly prediction_id: string;
  readonly model_version: string;
}

/** What was predicted, remembered. @throws Error for any other answer */
function noted({ status, body }: HttpAnswer): Predicted {
  if (status !== 200) throw new Error(`${status} ${body}`);
  const predicted: Predicted = JSON.parse(body);
  answeredIds.push(predicted.prediction_id);
  return predicted;
}

/** A model of other customers, in the champion's place: what a scheduled training leaves. @returns What its commit changes. */
function promote(): string[] {
  const work = join(platform.folder, "training");
  const churn = (...args: readonly string[]): void => {
    const env = { ...process.env, LOG_LEVEL: "silent", MLFLOW_TRACKING_URI: "" };
    execFileSync(process.execPath, [join(ROOT, "training/src/main.ts"), ...args, "--quiet"], { cwd: work, env });
  };
  mkdirSync(work);
  const customers = join(work, "customers.parquet");
  const data = ["--dataset", join(ROOT, "datasets/customers/dataset.json"), "--data", customers];
  const small = ["--seed", "7", "--n-estimators", "20", "--max-depth", "8"];
  churn("generate", "--rows", "5000", "--seed", "7", "--out", customers);
  churn("train", ...data, "--out", join(platform.repository, MODEL), ...small);
  return platform.commit("github-actions[bot]", "models: another champion");
}

interface Answer {
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly modelVersion: string;
}

interface Load {
  readonly answers: readonly Answer[];
  readonly failures: readonly string[];
  /** Ends it when each client has its last answer. */
  stop(): Promise<void>;
}

/** Clients that ask without pause, each on a connection that it keeps. */
function startLoad(port: number, clients: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const question = { ...prediction(), agent };
  const answers: Answer[] = [];
  const failures: string[] = [];
  let isStopped = false;
  const askOnce = async (): Promise<void> => {
    const askedAt = performance.now();
    const { model_version: modelVersion } = noted(await ask(port, "/predict", question));
    answers.push({ askedAt, answeredAt: performance.now(), modelVersion });
  };
  const running = Array.from({ length: clients }, async () => {
    while (!isStopped && failures.length < 100) await askOnce().catch((error) => failures.push(error.message));
  });
  const stop = async (): Promise<void> => {
    isStopped = true;
    await Promise.all(running);
    agent.destroy();
  };
  return { answers, failures, stop };
}

/** @returns Milliseconds from SIGTERM to its end. */
async function stopInOrder(deployment: Deployment): Promise<number> {
  const { code, signal, stdout, stderr, milliseconds } = await platform.stop(deployment);
  assert.deepEqual([code, signal, stderr], [0, null, ""]);
  assert.match(stdout, /"event":"service\.stopped"/);
  return milliseconds;
}

interface Switch {
  /** When new requests went to the new one. */
  readonly at: number;
  readonly stoppedMs: number;
  /** What was answered to a request that was under way, all the while, at the old one. */
  readonly slow: Predicted;
}

/** New requests go to what is live; the other one is told to stop at once, though Render waits a minute. */
async function switchOver(proxy: SwitchingProxy, previous: Deployment): Promise<Switch> {
  await sleep(1000);
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const slow = ask(proxy.port, "/predict", { ...prediction(), until }).then(noted);
  await sleep(100); // by then the old one has its beginning
  proxy.switchTo(live.port);
  const at = performance.now();
  setTimeout(release, 200);
  const [stoppedMs, predicted] = await Promise.all([stopInOrder(previous), slow]);
  return { at, stoppedMs, slow: predicted };
}

/** A request that was under way at the switch may have either. */
function assertModelOfItsTime(answers: readonly Answer[], switchedAt: number, before: string, since: string): void {
  const earlier = answers.filter(({ answeredAt }) => answeredAt < switchedAt);
  const later = answers.filter(({ askedAt }) => askedAt > switchedAt);
  assert.notEqual(before, since);
  assert.ok(earlier.length > 100 && later.length > 100, `${earlier.length} before, ${later.length} after`);
  assert.deepEqual([...new Set(earlier.map(({ modelVersion }) => modelVersion))], [before]);
  assert.deepEqual([...new Set(later.map(({ modelVersion }) => modelVersion))], [since]);
}

function report(t: TestContext, { answers }: Load, { at, stoppedMs }: Switch): void {
  const later = answers.filter(({ askedAt }) => askedAt > at).length;
  const slowest = Math.max(...answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt));
  t.diagnostic(`${answers.length} requests, ${later} of them after the switch, the slowest ${Math.round(slowest)} ms`);
  t.diagnostic(`the old one ended ${Math.round(stoppedMs)} ms after SIGTERM`);
}

/** What training needs, and neither serving nor the contract does. */
function assertServingAlone(place: string): void {
  const needs = (room: string): string[] => {
    const { dependencies, devDependencies } = readJson(place, room, "package.json");
    return Object.keys({ ...dependencies, ...devDependencies });
  };
  const shared = new Set([...needs("serving"), ...needs("contract")]);
  const forbidden = [...needs("training").filter((name) => !shared.has(name)), "typescript", "@churn/training"];
  const isInstalled = (name: string): boolean => existsSync(join(place, "node_modules", name));
  assert.ok(forbidden.length >= 10 && isInstalled("fastify"), forbidden.join());
  assert.deepEqual(forbidden.filter(isInstalled), []);
}
