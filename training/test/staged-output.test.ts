import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ChurnError } from "@churn/contract";
import { checkPlace, stageOutput } from "../src/staged-output.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-staged-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("what is written takes its place at once, and replaces what was there", () => {
  const path = join(folder, "new", "page.html");
  const first = stageOutput(path);
  first.write("one");
  const second = stageOutput(path);
  writeFileSync(second.temporaryPath, "two");

  assert.equal(readFileSync(path, "utf8"), "one");
  second.commit();

  assert.equal(readFileSync(path, "utf8"), "two");
  assert.deepEqual(readdirSync(join(folder, "new")), ["page.html"]);
});

test("what is given up leaves nothing, not even the folders that were made for it", () => {
  stageOutput(join(folder, "a", "b", "page.html")).discard();

  assert.deepEqual(readdirSync(folder), []);
});

test("a place that cannot be is refused before any work, and nothing is made", () => {
  writeFileSync(join(folder, "file"), "");
  const below = join(folder, "file", "page.html");
  const isUnwritable = (error: unknown): boolean =>
    error instanceof ChurnError && error.code === "CHURN_ERR_FILE_UNWRITABLE" && error.message.startsWith(below);

  assert.throws(() => stageOutput(below), isUnwritable);
  assert.throws(() => checkPlace(below), isUnwritable);
  checkPlace(join(folder, "not", "there", "yet"));

  assert.deepEqual(readdirSync(folder), ["file"]);
});

test("a model directory keeps its own files only", () => {
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "model", "model.json"), "{}");

  assert.throws(() => stageOutput(join(folder, "model", "page.html")), /expected a place outside of model directories/);

  assert.deepEqual(readdirSync(join(folder, "model")), ["model.json"]);
});
