import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { LogRecord } from "@churn/contract";
import { takeSlot, visitAbandonedSlots } from "../src/store/slots.ts";
import { SpoolReader, SpoolWriter, spoolBytes } from "../src/store/spool.ts";
import { predictionOf } from "./records.ts";

let folder: string;
let writers: SpoolWriter[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-spool-"));
  writers = [];
});
afterEach(async () => {
  for (const writer of writers) await writer.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Closed when its test has ended: Node takes a file that is left to the garbage collector for a fault. */
function newWriter(): SpoolWriter {
  const writer = new SpoolWriter(folder);
  writers.push(writer);
  return writer;
}

const linesOf = (records: readonly LogRecord[]): Buffer =>
  Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));

/** Takes everything that waits, some at a time. */
function drain(reader: SpoolReader, limit: number): LogRecord[] {
  const taken: LogRecord[] = [];
  for (let batch = reader.next(limit); batch !== undefined; batch = reader.next(limit)) {
    taken.push(...batch.records);
    reader.advance(batch);
  }
  return taken;
}

test("what is written is read once, in order, whatever the sizes of the parts", async () => {
  const writer = newWriter();
  const reader = new SpoolReader(folder);
  const written: LogRecord[] = [];
  const read: LogRecord[] = [];
  for (let round = 0; round < 60; round++) {
    const records = Array.from({ length: (round * 37) % 211 }, (_, i) => predictionOf(round * 1000 + i));
    if (records.length > 0) await writer.append(linesOf(records));
    written.push(...records);
    if (round % 7 === 0) await writer.close();
    if (round % 3 === 0) read.push(...drain(reader, (round % 5) * 40 + 1));
  }
  read.push(...drain(reader, 1000));

  assert.equal(written.length > 5000, true);
  assert.deepEqual(read, written);
});

test("segments that are delivered are deleted, and their bytes are counted", async () => {
  const writer = newWriter();
  const reader = new SpoolReader(folder);
  const content = linesOf(Array.from({ length: 500 }, (_, i) => predictionOf(i)));
  for (let i = 0; i < 20; i++) await writer.append(content);

  assert.equal(spoolBytes(folder), 20 * content.length);
  assert.equal(reader.count(), 10_000);
  drain(reader, 1000);
  assert.ok(readdirSync(folder).length <= 1, "expected at most the segment that is being written");
  assert.equal(reader.freedBytes + spoolBytes(folder), 20 * content.length);
});

test("a batch that was not delivered comes again", async () => {
  await newWriter().append(linesOf([predictionOf(1), predictionOf(2)]));
  const reader = new SpoolReader(folder);
  assert.deepEqual(reader.next(1), reader.next(1));
});

test("a new writer begins a new segment, and what was there comes first", async () => {
  await newWriter().append(linesOf([predictionOf(1)]));
  await newWriter().append(linesOf([predictionOf(2)]));
  assert.deepEqual(drain(new SpoolReader(folder), 9), [predictionOf(1), predictionOf(2)]);
});

test("a line that a killed writer left unfinished is not read, nor in the way", async () => {
  await newWriter().append(linesOf([predictionOf(1)]));
  appendFileSync(join(folder, "000000000001.ndjson"), JSON.stringify(predictionOf(2)).slice(0, 40));
  await newWriter().append(linesOf([predictionOf(3)]));
  assert.deepEqual(drain(new SpoolReader(folder), 9), [predictionOf(1), predictionOf(3)]);
});

test("lines that are no records are told, not delivered", async () => {
  const bad = [
    "",
    "{",
    "7",
    "null",
    "[]",
    '{"kind":"other"}',
    JSON.stringify({ ...predictionOf(1), score: "0.5" }),
    JSON.stringify({ ...predictionOf(1), decision: 2 }),
    JSON.stringify({ ...predictionOf(1), predictedAt: 1.5 }),
    JSON.stringify({ kind: "outcome", predictionId: "a", customerKey: "b", observedAt: 1, reportedAt: 1, outcome: 1 }),
    '{"kind":"outcome","predictionId":"a","customerKey":null,"observedAt":1,"reportedAt":1,"outcome":1,"contacted":"no"}',
    JSON.stringify({ kind: "erasure", requestedAt: 1 }),
  ];
  writeFileSync(join(folder, "000000000001.ndjson"), `${bad.join("\n")}\n${JSON.stringify(predictionOf(1))}\n`);
  const batch = new SpoolReader(folder).next(99);
  assert.equal(batch?.broken, bad.length);
  assert.deepEqual(batch?.records, [predictionOf(1)]);
});

test("a customer is erased from what waits; the rest is delivered once", async () => {
  const writer = newWriter();
  const of = (i: number): LogRecord => predictionOf(i, { customerKey: i % 2 === 0 ? "gone" : "stays" });
  await writer.append(linesOf(Array.from({ length: 100 }, (_, i) => of(i))));
  const reader = new SpoolReader(folder);
  const first = reader.next(10);
  assert.ok(first);
  reader.advance(first);
  await writer.close();
  const order: LogRecord = { kind: "erasure", customerKey: "gone", requestedAt: 1 };
  await writer.append(linesOf([order]));

  reader.erase("gone");
  const rest = drain(reader, 7);

  assert.doesNotMatch(readFileSync(join(folder, "000000000002.ndjson"), "utf8"), /stays/);
  assert.deepEqual(rest, [...Array.from({ length: 45 }, (_, i) => of(11 + 2 * i)), order]);
});

test("an outcome that names an erased prediction goes with it; leftovers of a killed rewriting, too", async () => {
  const writer = newWriter();
  const outcome = (number: number): LogRecord => {
    const { predictionId } = predictionOf(number);
    return {
      kind: "outcome",
      predictionId,
      customerKey: null,
      observedAt: 1,
      outcome: 1,
      reportedAt: 1,
      contacted: null,
    };
  };
  await writer.append(linesOf([outcome(2), predictionOf(1), predictionOf(2, { customerKey: "gone" })]));
  await writer.rotate();
  await writer.append(linesOf([outcome(1), outcome(2)]));
  await writer.rotate();
  await writer.append(linesOf([predictionOf(3)]));
  writeFileSync(join(folder, "000000000001.ndjson.new"), "a customer");

  const reader = new SpoolReader(folder);
  assert.equal(reader.count(), 6);
  assert.equal(reader.erase("gone"), 3);
  assert.deepEqual(drain(reader, 10), [predictionOf(1), outcome(1), predictionOf(3)]);
  newWriter();
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith(".new")),
    [],
  );
});

test("a slot has one owner; another takes the next, and one that is let go is visited", async () => {
  const visited: string[] = [];
  const faults: string[] = [];
  const visit = () =>
    visitAbandonedSlots(
      folder,
      async (slot) => void visited.push(slot),
      (_error, slot) => faults.push(slot),
    );
  const first = takeSlot(folder);
  const second = takeSlot(folder);
  const third = takeSlot(folder);
  assert.deepEqual([first.folder, second.folder], [join(folder, "1"), join(folder, "2")]);
  await visit();
  assert.deepEqual(visited, []);

  first.release();
  third.release();
  rmSync(join(first.folder, "lock"));
  mkdirSync(join(first.folder, "lock")); // nobody can take this one
  await visit();
  assert.deepEqual([visited, faults], [[third.folder], [first.folder]]);
  second.release();
});
