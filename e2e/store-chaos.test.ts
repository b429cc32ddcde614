/**
 * What happens to predictions when something is killed, full or away: each that was answered is in the store afterwards, none
 * twice, and none was slower for it. A killed service may lose its last flush interval.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore } from "../serving/src/store/prediction-store.ts";
import { FLUSH_INTERVAL_MS } from "../serving/src/store/recorder.ts";
import { killServices, type ServiceProcess, startService } from "../serving/test/service-process.ts";
import { writeTinyModel } from "../serving/test/tiny-model.ts";
import { quantile, startLoad } from "./load.ts";
import { isPostgresMissing, postgresSkip, startPostgres } from "./postgres-server.ts";

const CLIENTS = 16;
/** A flush takes its time, and so does this machine when it is busy; see the figure that the test prints. */
const MOST_LOST_MS = FLUSH_INTERVAL_MS + 230;

const tiny = writeTinyModel();
const folder = mkdtempSync(join(tmpdir(), "churn-chaos-"));
let started = 0;
after(() => {
  killServices();
  tiny.remove();
  if (isMounted) root("umount", "--lazy", disk);
  rmSync(folder, { recursive: true, force: true });
});

/** A place of its own for one test: store and spool. */
function newPlace(url?: string): Record<string, string> {
  const home = join(folder, String(started++));
  mkdirSync(home);
  return {
    MODEL_DIR: tiny.directory,
    LOG_LEVEL: "warn",
    PREDICTION_STORE_URL: url ?? `sqlite:${join(home, "predictions.db")}`,
    SPOOL_DIR: join(home, "spool"),
  };
}

/** As `startService`, at a log level that has no line for its address. */
async function start(environment: Readonly<Record<string, string>>): Promise<ServiceProcess & { address: string }> {
  const service = startService({ ...environment, LOG_LEVEL: "info" });
  service.child.stdout?.on("data", () => {}); // predictions fill it
  return { ...service, address: await service.url };
}

async function storedIds(url: string): Promise<string[]> {
  const store = await openStore(url);
  await store.migrate();
  const recent = await store.recent(1_000_000);
  await store.close();
  return recent.map(({ predictionId }) => predictionId);
}

async function metric(address: string, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** Stops the service and compares the store with what was answered. */
async function assertAllStored(service: ServiceProcess, url: string, ids: readonly string[]): Promise<void> {
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);
  const stored = await storedIds(url);
  const found = new Set(stored);
  assert.equal(found.size, stored.length, "expected none twice");
  assert.deepEqual(
    ids.filter((id) => !found.has(id)),
    [],
  );
}

test("kill -9 of the service: what was answered before the last flush is stored after the next start", {
  timeout: 60_000,
}, async (t) => {
  const environment = newPlace();
  const first = await start(environment);
  const load = startLoad(first.address, CLIENTS);
  await sleep(1500);
  const killedAt = performance.now();
  first.child.kill("SIGKILL");
  await first.exit;
  await load.stop();

  const second = await start(environment);
  await sleep(1000);
  second.child.kill("SIGTERM");
  await second.exit;

  const stored = await storedIds(environment.PREDICTION_STORE_URL);
  const found = new Set(stored);
  const lost = load.answers.filter(({ id }) => !found.has(id));
  const lostMs = Math.max(0, ...lost.map(({ at }) => killedAt - at));
  t.diagnostic(
    `${load.answers.length} answered, ${lost.length} lost, the oldest ${lostMs.toFixed(1)} ms before the kill`,
  );
  assert.ok(load.answers.length > 500);
  assert.equal(found.size, stored.length, "expected none twice");
  assert.ok(lostMs <= MOST_LOST_MS, `lost one answered ${lostMs} ms before the kill`);
});

/** As root, or by way of sudo where it asks for no password. */
const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
const disk = join(folder, "disk");
mkdirSync(disk);
const root = (...command: string[]): boolean => {
  const [name, ...args] = [...asRoot, ...command];
  return spawnSync(name, args).status === 0;
};
const isMounted = root("mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", disk);

test("a full disk under SQLite: predictions go on, and are stored once there is room", {
  skip: !isMounted && process.env.CHURN_REQUIRE_ALL !== "1" && "no right to mount a tmpfs",
  timeout: 90_000,
}, async () => {
  assert.ok(isMounted, "expected the right to mount a tmpfs");
  const url = `sqlite:${join(disk, "predictions.db")}`;
  const service = await start({ ...newPlace(), PREDICTION_STORE_URL: url });
  const load = startLoad(service.address, CLIENTS);
  for (let i = 0; i < 100 && (await metric(service.address, "churn_store_up")) !== 0; i++) await sleep(100);
  assert.equal(await metric(service.address, "churn_store_up"), 0);
  const before = load.answers.length;
  await sleep(1000);
  assert.ok(load.answers.length > before + 100, "expected predictions to go on");
  await load.stop();
  assert.ok(root("mount", "-o", "remount,size=64m", disk));
  for (let i = 0; i < 300 && (await metric(service.address, "churn_spool_records")) !== 0; i++) await sleep(100);

  assert.deepEqual(load.failures, []);
  await assertAllStored(
    service,
    url,
    load.answers.map(({ id }) => id),
  );
});

describe("PostgreSQL", { skip: postgresSkip, timeout: 120_000 }, async () => {
  const postgres = isPostgresMissing ? undefined : await startPostgres();
  after(() => postgres?.remove());

  test("killed under load and brought back: all that was answered is stored, none twice", async () => {
    assert.ok(postgres);
    const url = postgres.createDatabase("killed");
    const service = await start(newPlace(url));
    const load = startLoad(service.address, CLIENTS);
    await sleep(1500);
    await postgres.kill();
    await sleep(1500);
    await postgres.restart();
    await sleep(1500);
    await load.stop();
    for (let i = 0; i < 300 && (await metric(service.address, "churn_spool_records")) !== 0; i++) await sleep(100);

    assert.deepEqual(load.failures, []);
    await assertAllStored(
      service,
      url,
      load.answers.map(({ id }) => id),
    );
  });

  test("halted, so that it answers nothing: no prediction waits for it", async (t) => {
    assert.ok(postgres);
    const url = postgres.createDatabase("halted");
    const service = await start(newPlace(url));
    const load = startLoad(service.address, CLIENTS);
    await sleep(1500);
    const from = load.answers.length;
    postgres.pause();
    await sleep(4000);
    const during = load.answers.slice(from).map(({ milliseconds }) => milliseconds);
    postgres.resume();
    await load.stop();
    for (let i = 0; i < 300 && (await metric(service.address, "churn_spool_records")) !== 0; i++) await sleep(100);

    const before = quantile(
      load.answers.slice(0, from).map(({ milliseconds }) => milliseconds),
      0.99,
    );
    const after = quantile(during, 0.99);
    t.diagnostic(`p99 ${before.toFixed(1)} ms before, ${after.toFixed(1)} ms while it was halted`);
    assert.deepEqual(load.failures, []);
    assert.ok(Math.max(...during) < 2000, "expected no prediction to wait");
    await assertAllStored(
      service,
      url,
      load.answers.map(({ id }) => id),
    );
  });
});
