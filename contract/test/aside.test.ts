import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { asidePath, makeFolders, removeAbandoned } from "../src/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-aside-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what a killed writer left is removed, file or folder; what others wrote stays", () => {
  const target = join(folder, "scores.csv");
  const { pid } = spawnSync(process.execPath, ["--version"]); // has ended
  const others = [
    ".scores.csv.new-backup",
    ".scores.csv.new-2026-notes",
    ".scores.csv.new-",
    ".other.csv.new-1",
    "scores.csv",
  ];
  for (const name of [...others, `.scores.csv.new-${process.ppid}`]) writeFileSync(join(folder, name), "");
  writeFileSync(asidePath(target), "mine, from before");
  mkdirSync(join(folder, `.scores.csv.new-${pid}`, "deep"), { recursive: true });

  removeAbandoned(target);

  assert.deepEqual(readdirSync(folder).sort(), [...others, `.scores.csv.new-${process.ppid}`].sort());
});

test("a folder that cannot be listed is no fault of its own", () => {
  removeAbandoned(join(folder, "nowhere", "scores.csv"));
});

test("folders are made on the way, and listed from the outside in", () => {
  const made: string[] = [];

  makeFolders(join(folder, "a", "b"), made);

  assert.deepEqual(made, [join(folder, "a"), join(folder, "a", "b")]);
  assert(existsSync(join(folder, "a", "b")));
  makeFolders(join(folder, "a", "b"), made);
  assert.equal(made.length, 2);
});
