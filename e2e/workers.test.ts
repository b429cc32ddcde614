/** Several worker processes on one port, and a model that changes while they answer. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "../serving/src/store/prediction-store.ts";
import { killServices, type ServiceProcess, startService } from "../serving/test/service-process.ts";
import { writeTinyModel } from "../serving/test/tiny-model.ts";
import { startLoad } from "./load.ts";

const tiny = writeTinyModel();
const next = writeTinyModel("2026-11-24T09:00:00.000Z");
const folder = mkdtempSync(join(tmpdir(), "churn-workers-"));
after(() => {
  killServices();
  tiny.remove();
  next.remove();
  rmSync(folder, { recursive: true, force: true });
});
const versionOf = (directory: string): string =>
  JSON.parse(readFileSync(join(directory, "model.json"), "utf8")).version;

const places = ["one", "two", "three"].map((name) => join(folder, name));
for (const place of places) {
  mkdirSync(place);
  cpSync(tiny.directory, join(place, "model"), { recursive: true });
}
const environmentOf = (place: string) => ({
  MODEL_DIR: join(place, "model"),
  LOG_LEVEL: "info",
  PREDICTION_STORE_URL: `sqlite:${join(place, "predictions.db")}`,
  SPOOL_DIR: join(place, "spool"),
});

async function storedIds(place: string): Promise<Set<string>> {
  const store = await openStore(environmentOf(place).PREDICTION_STORE_URL);
  const recent = await store.recent(1_000_000);
  await store.close();
  assert.equal(new Set(recent.map(({ predictionId }) => predictionId)).size, recent.length, "expected none twice");
  return new Set(recent.map(({ predictionId }) => predictionId));
}

function linesOf(stdout: string, event: string): Record<string, unknown>[] {
  return stdout
    .split("\n")
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line));
}

const post = (url: string, path: string, body: object) =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

test("two workers answer as one service: figures are sums, an erasure reaches both, one that is killed is replaced", {
  timeout: 90_000,
}, async () => {
  const [place] = places;
  const { child, url, exit } = startService({ ...environmentOf(place), WEB_CONCURRENCY: "2" });
  const address = await url;
  const load = startLoad(address, 16);
  await sleep(1500);
  await load.stop();
  assert.deepEqual(load.failures, []);
  const counted = /^churn_predictions_total\{decision="0"\} (\d+)$/m.exec(await metrics(address))?.[1];
  assert.equal(Number(counted), load.answers.length);
  assert.match(await metrics(address), /^churn_model_info\{.*\} 1$/m);

  const member = { visits: 6.5, lockers: 1, trainer: false, tariff: "full", weight: 71.3, member: "gone" };
  for (let i = 0; i < 20; i++) assert.equal((await post(address, "/predict", member)).status, 200);
  assert.equal((await post(address, "/erasures", { customer_key: "gone" })).status, 202);

  const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").map(Number);
  assert.equal(pids.length, 2);
  process.kill(pids[0], "SIGKILL");
  await sleep(2500);
  const again = startLoad(address, 16);
  await sleep(1000);
  await again.stop();
  assert.deepEqual(again.failures, []);

  child.kill("SIGTERM");
  const { code, stdout } = await exit;
  assert.equal(code, 0);
  assert.equal(linesOf(stdout, "worker.died").length, 1);
  const stored = await storedIds(place);
  for (const { id } of [...load.answers, ...again.answers]) assert.ok(stored.has(id), id);
  const store = await openStore(environmentOf(place).PREDICTION_STORE_URL);
  assert.ok((await store.recent(1_000_000)).every(({ customerKey }) => customerKey !== "gone"));
  await store.close();
});

test("a worker that cannot be replaced, or does not answer, costs the others nothing; it is replaced when it can be", {
  timeout: 90_000,
}, async () => {
  const place = join(folder, "four");
  mkdirSync(place);
  cpSync(tiny.directory, join(place, "model"), { recursive: true });
  const { child, url, exit } = startService({ ...environmentOf(place), WEB_CONCURRENCY: "2" });
  const address = await url;
  const workers = (): number[] =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").map(Number);
  const load = startLoad(address, 8);
  while (workers().length < 2) await sleep(50);
  await sleep(1500);
  const [victim, survivor] = workers();
  renameSync(join(place, "model", "forest.safetensors"), join(place, "model", "away"));
  await load.stop(); // the victim's connections would break
  process.kill(victim, "SIGKILL");
  while (workers().includes(victim)) await sleep(50);
  const without = startLoad(address, 8);
  await sleep(6000); // two replacements fail meanwhile
  assert.ok(workers().includes(survivor));
  await without.stop();
  assert.deepEqual([...load.failures, ...without.failures], []);
  assert.ok(without.answers.length > 100);

  renameSync(join(place, "model", "away"), join(place, "model", "forest.safetensors"));
  await sleep(6000);
  assert.equal(workers().length, 2);

  process.kill(survivor, "SIGSTOP");
  const asked = await Promise.allSettled(
    Array.from({ length: 4 }, () => fetch(`${address}/metrics`, { signal: AbortSignal.timeout(5000) })),
  );
  process.kill(survivor, "SIGCONT");
  const statuses = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.status] : []));
  assert.deepEqual([...new Set(statuses)], [503], "a sum without one of the workers is no answer");
  child.kill("SIGTERM");
  const { code, stdout } = await exit;
  assert.equal(code, 0);
  assert.ok(linesOf(stdout, "worker.died").length >= 3);
});

test("workers that cannot start end the service, with the reason once or twice, and exit code 2", {
  timeout: 30_000,
}, async () => {
  const { exit } = startService({
    ...environmentOf(places[0]),
    MODEL_DIR: join(folder, "nowhere"),
    WEB_CONCURRENCY: "2",
  });
  const { code, stderr } = await exit;
  assert.equal(code, 2);
  for (const line of stderr.trimEnd().split("\n")) assert.equal(JSON.parse(line).code, "CHURN_ERR_MODEL_INVALID");
});

/** As training swaps it: the old one aside, the new one in its place. */
function swap(model: string, by: string): void {
  cpSync(by, `${model}.new`, { recursive: true });
  renameSync(model, `${model}.replaced`);
  renameSync(`${model}.new`, model);
  rmSync(`${model}.replaced`, { recursive: true });
}

async function loaded({ child }: ServiceProcess, version: string, stdout: () => string): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (linesOf(stdout(), "model.loaded").some(({ modelVersion }) => modelVersion === version)) return;
    assert.equal(child.exitCode, null);
    await sleep(100);
  }
  assert.fail(`${version} was not loaded within 15 s`);
}

test("a model that changes under load is taken between two requests, by itself and on SIGHUP; a damaged one is not", {
  timeout: 90_000,
}, async () => {
  const place = places[1];
  const model = join(place, "model");
  const service = startService(environmentOf(place));
  let stdout = "";
  service.child.stdout?.on("data", (part) => {
    stdout += part;
  });
  const address = await service.url;
  const load = startLoad(address, 16);
  await sleep(500);

  swap(model, next.directory);
  await loaded(service, versionOf(next.directory), () => stdout);
  const health = (await (await fetch(`${address}/`)).json()) as { model_version: string };
  assert.equal(health.model_version, versionOf(next.directory));
  const document = (await (await fetch(`${address}/docs/json`)).json()) as { info: { version: string } };
  assert.equal(document.info.version, versionOf(next.directory));

  truncateSync(join(model, "forest.safetensors"), 100);
  service.child.kill("SIGHUP");
  for (let i = 0; i < 100 && linesOf(stdout, "model.refused").length === 0; i++) await sleep(100);
  const [refused] = linesOf(stdout, "model.refused");
  assert.match(String(refused.detail), /forest.safetensors: expected sha256/);
  assert.match(await metrics(address), /^churn_model_reload_failures_total 1$/m);
  assert.equal((await fetch(`${address}/health/ready`)).status, 200);

  swap(model, tiny.directory);
  service.child.kill("SIGHUP");
  await sleep(1500);
  await load.stop();
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);

  assert.deepEqual(load.failures, []);
  const versions = load.answers.map(({ modelVersion }) => modelVersion);
  assert.deepEqual([...new Set(versions)], [versionOf(tiny.directory), versionOf(next.directory)]);
  assert.equal(versions.at(-1), versionOf(tiny.directory));
  assert.equal((await storedIds(place)).size, load.answers.length);
});
