/** The recorder with its real thread and a real SQLite file; the store is taken away by making its path unusable. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import type { StoreConfig } from "../src/config.ts";
import { openStore } from "../src/store/prediction-store.ts";
import { Recorder } from "../src/store/recorder.ts";
import { predictionOf } from "./records.ts";

let folder: string;
let logs: Record<string, unknown>[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-recorder-"));
  logs = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const logger = pino({ level: "info" }, { write: (line: string) => void logs.push(JSON.parse(line)) });

function config(change: Partial<StoreConfig> = {}): StoreConfig {
  return {
    url: `sqlite:${join(folder, "store/predictions.db")}`,
    retentionDays: undefined,
    hashSecret: undefined,
    spoolDirectory: join(folder, "spool"),
    spoolLimitBytes: 2 ** 26,
    ...change,
  };
}

function startRecorder(change: Partial<StoreConfig> = {}): Recorder {
  const recorder = new Recorder(config(change), logger);
  recorder.start(undefined);
  return recorder;
}

async function until(what: string, isSo: () => boolean, limitMs = 15_000): Promise<void> {
  for (const end = performance.now() + limitMs; !isSo(); ) {
    assert.ok(performance.now() < end, `expected within ${limitMs} ms: ${what}`);
    await sleep(10);
  }
}

/** Numbers of the stored predictions, by their scores. */
async function stored(): Promise<number[]> {
  const store = await openStore(config().url);
  await store.migrate();
  const recent = await store.recent(100_000);
  await store.close();
  return recent.map(({ score }) => Math.round(score * 1e6)).sort((a, b) => a - b);
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A file where the store's folder should be: nothing can be opened there. */
const takeStoreAway = (): void => writeFileSync(join(folder, "store"), "");
const bringStoreBack = (): void => rmSync(join(folder, "store"));

test("what is recorded is in the store when the recorder has closed, and nothing is left behind", async () => {
  const recorder = startRecorder();
  for (const number of numbers(5000)) recorder.record(predictionOf(number));
  await recorder.close();

  assert.deepEqual(await stored(), numbers(5000));
  assert.deepEqual(readdirSync(join(folder, "spool/1")), ["lock"]);
  const { waiting, delivered, dropped, lagSeconds } = recorder.state;
  assert.deepEqual(
    { waiting, delivered, dropped, lagSeconds },
    { waiting: 0, delivered: 5000, dropped: 0, lagSeconds: 0 },
  );
});

test("records reach the store without closing, soon", async () => {
  const recorder = startRecorder();
  recorder.record(predictionOf(1));
  await until("delivery", () => recorder.state.delivered === 1);
  const { recent, summary } = await recorder.view(0, 5);
  assert.equal(recent[0].customerKey, "m-1");
  assert.equal(summary.predictions, 1);
  await recorder.close();
});

test("a store that is away costs nothing but time: records wait, are counted, and come in order once it is back", async () => {
  takeStoreAway();
  const recorder = startRecorder();
  for (const number of numbers(3000)) recorder.record(predictionOf(number));
  await until("a failure", () => !recorder.state.isUp);
  await assert.rejects(recorder.view(0, 5));
  await until("the spool", () => recorder.state.waiting === 3000 && recorder.state.lagSeconds > 0);

  bringStoreBack();
  await until("delivery", () => recorder.state.delivered === 3000);
  await recorder.close();

  assert.deepEqual(await stored(), numbers(3000));
  assert.ok(recorder.state.isUp && recorder.state.failures > 0);
  const events = logs.map(({ event }) => event);
  assert.deepEqual(
    events.filter((event) => String(event).startsWith("store.")),
    ["store.away", "store.back"],
  );
});

test("what a store that stays away does not take waits for the next start", async () => {
  takeStoreAway();
  const first = startRecorder();
  for (const number of numbers(1000)) first.record(predictionOf(number));
  await first.close(500);
  assert.equal(logs.at(-1)?.event, "store.left");
  assert.equal(logs.at(-1)?.records, 1000);

  bringStoreBack();
  const second = startRecorder();
  second.record(predictionOf(1000));
  await until("delivery", () => second.state.delivered === 1001);
  await second.close();

  assert.deepEqual(await stored(), numbers(1001));
});

test("another process delivers what one that is gone has left in its slot", async () => {
  takeStoreAway();
  const keeper = new Recorder(config(), logger); // holds the first slot
  const gone = new Recorder(config(), logger);
  for (const number of numbers(100)) gone.record(predictionOf(number));
  await gone.close();
  assert.ok(existsSync(join(folder, "spool/2/000000000001.ndjson")));

  bringStoreBack();
  keeper.start(undefined);
  await until("delivery", () => keeper.state.delivered === 100);
  await keeper.close();

  assert.deepEqual(await stored(), numbers(100));
  assert.deepEqual(readdirSync(join(folder, "spool/2")), ["lock"]);
});

test("when the spool is full, new records are dropped, counted and logged; the old ones are kept", async () => {
  takeStoreAway();
  const recorder = startRecorder({ spoolLimitBytes: 2 ** 20 });
  for (const number of numbers(10_000)) recorder.record(predictionOf(number));
  assert.equal(await recorder.flushed(), true);
  const { dropped, spoolBytes } = recorder.state;
  assert.ok(dropped > 1000 && dropped < 9999, `${dropped} dropped`);
  assert.ok(spoolBytes <= 2 ** 20 + 1000); // the last one may stand across the limit
  assert.ok(logs.some(({ event }) => event === "store.dropped"));

  bringStoreBack();
  await until("room", () => recorder.state.spoolBytes < 2 ** 19);
  recorder.record(predictionOf(10_000));
  await recorder.close();
  assert.deepEqual(await stored(), [...numbers(10_000 - dropped), 10_000]);
});

test("a disk that takes nothing is waited for: memory keeps the records, and says that they are not safe", async () => {
  const recorder = new Recorder(config(), logger);
  recorder.record(predictionOf(0));
  assert.equal(await recorder.flushed(), true);
  const blocker = join(folder, "spool/1/000000000002.ndjson");
  mkdirSync(blocker); // no segment can be made where a folder has its name
  assert.equal(await recorder.erase("nobody", 1), false); // an order of its own segment
  recorder.record(predictionOf(1));

  assert.equal(await recorder.flushed(), false);
  assert.ok(logs.some(({ event }) => event === "spool.unwritable"));
  rmSync(blocker, { recursive: true });
  assert.equal(await recorder.flushed(), true);
  recorder.start(undefined);
  await until("delivery", () => recorder.state.waiting === 0);
  await recorder.close();
  assert.deepEqual(await stored(), [0, 1]);
});

test("a flush that takes longer than the interval does not end all flushing", async () => {
  const recorder = startRecorder();
  const end = performance.now() + 600;
  let count = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 200; i++) recorder.record(predictionOf(count++));
    const busyUntil = performance.now() + 30; // the loop is busy for longer than the interval
    while (performance.now() < busyUntil);
    await sleep(1);
  }
  await until("delivery", () => recorder.state.delivered === count, 5000);
  await recorder.close();
  assert.equal((await stored()).length, count);
});

test("one who waits for the disk does not wait for others who go on recording", async () => {
  const recorder = startRecorder();
  let count = 0;
  const busy = setInterval(() => {
    for (let i = 0; i < 50; i++) recorder.record(predictionOf(count++));
  }, 1);
  await sleep(100);
  const start = performance.now();
  for (let i = 0; i < 20; i++) assert.equal(await recorder.flushed(), true);
  const waited = performance.now() - start;
  const erased = await Promise.all(["a", "b", "c"].map((key) => recorder.erase(key, 1)));
  clearInterval(busy);
  await recorder.close();

  assert.ok(waited < 5_000, `waited ${waited} ms`);
  assert.deepEqual(erased, [true, true, true]);
  assert.equal((await stored()).length, count);
});

test("a customer is erased from the spool at once, and from the store in turn; what comes later stays", async () => {
  takeStoreAway();
  const recorder = startRecorder();
  for (const number of numbers(200))
    recorder.record(predictionOf(number, { customerKey: number % 2 ? "stays" : "gone" }));
  await until("a failure", () => !recorder.state.isUp);

  assert.equal(await recorder.erase("gone", Date.now()), true);
  recorder.record(predictionOf(200, { customerKey: "gone" }));
  await recorder.flushed();
  const waiting = (): string =>
    readdirSync(join(folder, "spool/1"))
      .filter((name) => name.endsWith(".ndjson"))
      .sort()
      .slice(0, -1)
      .map((name) => readFileSync(join(folder, "spool/1", name), "utf8"))
      .join("");
  await until("the spool without him", () => !/"gone"/.test(waiting()));

  bringStoreBack();
  await until("delivery", () => recorder.state.isUp);
  await recorder.close();
  assert.deepEqual(await stored(), [...numbers(100).map((i) => 2 * i + 1), 200]);
});

test("a customer is erased from what a dead process has left, whoever delivers it, and in whatever order", async () => {
  takeStoreAway();
  const dead = new Recorder(config(), logger);
  const recorder = startRecorder();
  for (const number of numbers(5)) dead.record(predictionOf(number, { customerKey: number === 3 ? "gone" : "other" }));
  await dead.close();
  await until("a failure", () => !recorder.state.isUp);
  assert.equal(await recorder.erase("gone", 1_800_000_000_000), true);
  const textOf = (slot: number): string =>
    readdirSync(join(folder, `spool/${slot}`))
      .filter((name) => name.endsWith(".ndjson"))
      .map((name) => readFileSync(join(folder, `spool/${slot}`, name), "utf8"))
      .join("");
  const order = /"kind":"erasure"[^\n]*"gone"/;
  // Where the delivery has the folder just then, the order is in the own spool alone, which is delivered after it.
  if (order.test(textOf(1))) assert.doesNotMatch(textOf(1), /"kind":"prediction"[^\n]*"gone"/);
  else assert.match(textOf(2), order);

  bringStoreBack();
  // Four, and two orders; five, where a batch had been read before the order came: the order at its end removes the customer.
  // Spools of the dead are looked for every 30 s: where the first look came before this one was dead, it takes the second.
  await until("delivery of both", () => recorder.state.delivered >= 6, 45_000);
  assert.equal(recorder.state.waiting, 0);
  await recorder.close();
  assert.deepEqual(await stored(), [0, 1, 2, 4]);
});

test("a dead process's spool that cannot be read costs the others nothing", async () => {
  mkdirSync(join(folder, "spool/7/000000000001.ndjson"), { recursive: true });
  const recorder = startRecorder();
  recorder.record(predictionOf(1));
  await until("delivery", () => recorder.state.delivered === 1);
  await recorder.close();
  assert.ok(logs.some(({ event }) => event === "spool.unreadable"));
});

test("who looks while another looks gets the same, and a view after it is new", async () => {
  const recorder = startRecorder();
  recorder.record(predictionOf(1));
  await until("delivery", () => recorder.state.delivered === 1);
  const [one, other] = await Promise.all([recorder.view(0, 5), recorder.view(0, 5)]);
  assert.equal(one, other);
  assert.notEqual(await recorder.view(0, 5), one);
  await recorder.close();
});

test("records that are dropped at once are told together, and all of them by the end", async () => {
  const recorder = new Recorder(config({ spoolLimitBytes: 1 }), logger);
  for (const number of numbers(5)) recorder.record(predictionOf(number));
  await recorder.close();
  assert.deepEqual(
    logs.filter(({ event }) => event === "store.dropped").map(({ dropped }) => dropped),
    [1, 4],
  );
});

test("a clock that is set back loses nothing and turns no order around", async (t) => {
  const recorder = startRecorder();
  recorder.record(predictionOf(1));
  await recorder.flushed();
  t.mock.method(Date, "now", () => 1_000_000_000_000);
  recorder.record(predictionOf(2, { predictedAt: Date.now() }));
  assert.ok(recorder.state.lagSeconds >= 0);
  recorder.record({ kind: "erasure", customerKey: "m-1", requestedAt: Date.now() });
  await recorder.close();
  assert.deepEqual(await stored(), [2]);
});

test("old records are removed when there is a limit to their age", async () => {
  const old = startRecorder();
  old.record(predictionOf(1, { predictedAt: Date.now() - 10 * 86_400_000 }));
  old.record(predictionOf(2, { predictedAt: Date.now() }));
  await old.close();
  const young = startRecorder({ retentionDays: 9 });
  await until("retention", () => logs.some(({ event }) => event === "store.retention"));
  await young.close();
  assert.deepEqual(await stored(), [2]);
});

test("a folder that cannot be written is refused at once, by its variable's name", () => {
  writeFileSync(join(folder, "file"), "");
  chmodSync(join(folder, "file"), 0o600);
  assert.throws(() => new Recorder(config({ spoolDirectory: join(folder, "file/spool") }), logger), {
    code: "CHURN_ERR_SERVICE_START",
    message: /^SPOOL_DIR: .*expected a folder that can be written/,
  });
});
