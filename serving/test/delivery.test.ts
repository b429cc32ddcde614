/** The delivery with a store of the test's own. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Delivery, type DeliveryReport } from "../src/store/delivery.ts";
import type { PredictionStore } from "../src/store/prediction-store.ts";
import { SpoolWriter } from "../src/store/spool.ts";
import { predictionOf } from "./records.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-delivery-"));
  mkdirSync(join(folder, "1"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a delivery until the test has seen enough. */
async function deliver(
  change: Partial<PredictionStore>,
  look: (parts: { delivery: Delivery; writer: SpoolWriter; seen: Seen }) => Promise<void>,
): Promise<Seen> {
  const store: PredictionStore = {
    migrate: async () => {},
    append: async (records) => void seen.steps.push(...records.map(() => "append")),
    recent: async () => [],
    summary: async () => assert.fail("nobody asked"),
    removeBefore: async () => 0,
    close: async () => {},
    ...change,
  };
  const seen: Seen = { steps: [], opened: 0, reports: [], logs: [] };
  const delivery = new Delivery({
    openStore: async () => {
      seen.opened += 1;
      await sleep(20);
      return store;
    },
    spoolDirectory: folder,
    folder: join(folder, "1"),
    retentionDays: 30,
    report: (report) => seen.reports.push(report),
    log: (_level, { event }) => seen.logs.push(String(event)),
  });
  const writer = new SpoolWriter(join(folder, "1"));
  const ended = delivery.run();
  await look({ delivery, writer, seen });
  await writer.close();
  delivery.stop();
  await ended;
  return seen;
}

interface Seen {
  readonly steps: string[];
  opened: number;
  readonly reports: DeliveryReport[];
  readonly logs: string[];
}

const lineOf = (number: number): Buffer => Buffer.from(`${JSON.stringify(predictionOf(number))}\n`);

test("the store is opened once for all who need it", async () => {
  const seen = await deliver({}, async ({ delivery, writer }) => {
    await writer.append(lineOf(1));
    delivery.wake();
    await Promise.all([delivery.query((store) => store.recent(1)), delivery.query((store) => store.recent(1))]);
    await sleep(300);
  });
  assert.equal(seen.opened, 1);
  assert.deepEqual(seen.steps, ["append"]);
});

test("what is new is delivered between the steps of a long removal", async () => {
  let add = async (): Promise<void> => {};
  const steps: string[] = [];
  const removeBefore: PredictionStore["removeBefore"] = async (_time, mayGoOn = async () => true) => {
    for (let step = 0; step < 3 && (await mayGoOn()); step++) {
      steps.push("remove");
      await add();
    }
    return 3;
  };
  const append = async (): Promise<void> => void steps.push("append");
  await deliver({ removeBefore, append }, async ({ writer }) => {
    let number = 0;
    add = () => writer.append(lineOf(number++));
    await sleep(400);
  });
  assert.deepEqual(steps.slice(0, 5), ["remove", "append", "remove", "append", "remove"]);
});

test("a removal that fails is said once a while, and makes no store one that is away", async () => {
  const removeBefore = async (): Promise<number> => {
    throw new Error("no right to delete");
  };
  const seen = await deliver({ removeBefore }, async ({ delivery, writer }) => {
    for (let number = 0; number < 5; number++) {
      await writer.append(lineOf(number));
      delivery.wake();
      await sleep(200);
    }
  });
  assert.ok(seen.reports.every(({ isUp }) => isUp));
  assert.equal(seen.reports.at(-1)?.delivered, 5);
  assert.deepEqual(seen.logs, ["store.retention"]);
});
