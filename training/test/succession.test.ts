import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MANIFEST_FILE, Model, modelDirectory, modelVersion, readModelDirectory } from "@churn/contract";
import { Random } from "../src/random.ts";
import { championStack, type LedgerEntry, type LedgerEvent, readLedger } from "../src/registry/ledger.ts";
import { rollBack } from "../src/registry/rollback.ts";
import { finishSuccession, listPrevious, previousPath, readModelFiles, succeed } from "../src/registry/succession.ts";

const COMMITTED = fileURLToPath(new URL("../../models/best_model", import.meta.url));
const WRITER = fileURLToPath(new URL("succession-writer.ts", import.meta.url));

const root = mkdtempSync(join(tmpdir(), "churn-succession-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** The committed model as if it had been made on another day: another version, as good a model. */
function modelOf(day: string): string {
  const path = join(root, "made", day);
  cpSync(COMMITTED, path, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(path, MANIFEST_FILE), "utf8"));
  manifest.lineage.created = `${day}T00:00:00.000Z`;
  manifest.version = modelVersion(manifest.lineage.created, manifest.contentSha256);
  writeFileSync(join(path, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  return path;
}

const DAYS = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"];
const made = new Map<string, string>();
before(() => {
  for (const day of DAYS) made.set(day, modelOf(day));
});

let champion: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, "case-"));
  champion = join(folder, "models", "best_model");
});

const versionOf = (path: string): string => readModelDirectory(path).manifest.version;
const madeVersion = (day: string): string => versionOf(made.get(day) as string);

function promote(day: string, keep = 3): LedgerEntry {
  const path = made.get(day) as string;
  const { version, contentSha256 } = readModelDirectory(path).manifest;
  const line = { event: "promoted", at: new Date().toISOString(), version, contentSha256, reason: day } as const;
  return succeed(champion, readModelFiles(path), line, keep);
}

const rollback = (to?: string): LedgerEntry =>
  rollBack({ model: champion, to, reason: "test", by: "test", keep: 3, now: () => new Date() });

describe("a champion that succeeds another", () => {
  test("is in its place, the old one is kept, and a line says so", () => {
    promote(DAYS[0]);
    const entry = promote(DAYS[1]);
    assert.equal(versionOf(champion), madeVersion(DAYS[1]));
    assert.equal(entry.previousVersion, madeVersion(DAYS[0]));
    assert.deepEqual(listPrevious(champion), [madeVersion(DAYS[0])]);
    assert.deepEqual(readLedger(champion).at(-1), JSON.parse(JSON.stringify(entry)));
    assert.deepEqual(readdirSync(join(folder, "models")).sort(), ["best_model", "ledger.jsonl", "previous"]);
  });

  test("leaves the newest of those before it, as many as wished", () => {
    for (const day of DAYS) promote(day, 2);
    assert.deepEqual(listPrevious(champion), [madeVersion(DAYS[3]), madeVersion(DAYS[2])]);
    assert.equal(readLedger(champion).length, DAYS.length);
  });

  test("is refused when its files are no model, and the old one stays", () => {
    promote(DAYS[0]);
    const path = made.get(DAYS[1]) as string;
    const files = { ...readModelFiles(path), "forest.safetensors": new Uint8Array(10) };
    const { version, contentSha256 } = readModelDirectory(path).manifest;
    const line = { event: "promoted", at: "", version, contentSha256, reason: "" } as const;
    assert.throws(() => succeed(champion, files, { ...line, version: "another" }, 3), /expected the files of another/);
    assert.throws(() => succeed(champion, files, line, 3), /forest\.safetensors/);
    assert.equal(versionOf(champion), madeVersion(DAYS[0]));
    assert.equal(readLedger(champion).length, 1);
    assert.deepEqual([listPrevious(champion), existsSync(join(folder, "models", ".succession.json"))], [[], false]);
  });

  test("is there after one who was killed between the two renames of its swap", () => {
    promote(DAYS[0]);
    renameSync(champion, `${champion}.replaced`);
    promote(DAYS[1]);
    assert.equal(versionOf(champion), madeVersion(DAYS[1]));
    assert.deepEqual(listPrevious(champion), [madeVersion(DAYS[0])]);
  });

  test("leaves those that one can go back to, before those that were left", () => {
    promote(DAYS[0]);
    promote(DAYS[1]);
    rollback();
    promote(DAYS[2], 1);
    assert.deepEqual(listPrevious(champion), [madeVersion(DAYS[0])]);
    assert.equal(rollback().version, madeVersion(DAYS[0]));
  });

  test("takes the place of a damaged one, which is not kept", () => {
    promote(DAYS[0]);
    writeFileSync(join(champion, "forest.safetensors"), "damaged");
    promote(DAYS[1]);
    assert.equal(versionOf(champion), madeVersion(DAYS[1]));
    assert.deepEqual(listPrevious(champion), []);
  });
});

describe("going back", () => {
  test("leads to the one before, and once more to the one before that", () => {
    for (const day of DAYS.slice(0, 3)) promote(day);
    assert.equal(rollback().version, madeVersion(DAYS[1]));
    assert.equal(rollback().version, madeVersion(DAYS[0]));
    assert.throws(() => rollback(), /expected a champion before this one in previous\/, kept are /);
    assert.deepEqual(listPrevious(champion), [madeVersion(DAYS[2]), madeVersion(DAYS[1])]);
  });

  test("is refused when what is kept is damaged", () => {
    for (const day of DAYS.slice(0, 2)) promote(day);
    writeFileSync(join(previousPath(champion, madeVersion(DAYS[0])), "MODEL_CARD.md"), "damaged");
    assert.throws(() => rollback(), /MODEL_CARD\.md: expected sha256/);
    assert.equal(versionOf(champion), madeVersion(DAYS[1]));
    assert.equal(readLedger(champion).length, 2);
  });

  test("follows the ledger: going back takes away what came after", () => {
    const line = (event: LedgerEvent, version: string, previousVersion: string | null): LedgerEntry => ({
      event,
      version,
      previousVersion,
      at: "",
      contentSha256: "",
      reason: "",
    });
    assert.deepEqual(championStack([]), []);
    assert.deepEqual(championStack([line("replaced", "b", "a")]), ["a", "b"]);
    const history = [
      line("promoted", "a", null),
      line("promoted", "b", "a"),
      line("promoted", "c", "b"),
      line("rolledBack", "a", "c"),
      line("promoted", "d", "a"),
    ];
    assert.deepEqual(championStack(history.slice(0, 4)), ["a"]);
    assert.deepEqual(championStack(history), ["a", "d"]);
  });
});

test("a writer that is killed leaves a whole champion and a whole ledger, and the next one finishes what it began", async () => {
  mkdirSync(join(folder, "models"), { recursive: true });
  promote(DAYS[0]);
  const random = new Random(3);
  let interrupted = 0;
  for (let kill = 0; kill < 25; kill++) {
    const child = spawn(process.execPath, [
      WRITER,
      champion,
      ...DAYS.slice(1, 3).map((day) => made.get(day) as string),
    ]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await sleep(60 * random.uniform());
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exit;
    interrupted += +existsSync(join(folder, "models", ".succession.json"));
    const { version } = Model.load(modelDirectory(champion)).manifest;
    readLedger(champion);
    finishSuccession(champion);
    assert.equal(readLedger(champion).at(-1)?.version, version);
    assert.equal(listPrevious(champion).includes(version), false);
  }
  assert.ok(interrupted > 5, `${interrupted} of 25`);
  promote(DAYS[3]);
  assert.deepEqual(readdirSync(join(folder, "models")).sort(), ["best_model", "ledger.jsonl", "previous"]);
});
