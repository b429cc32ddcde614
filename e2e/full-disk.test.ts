/**
 * A disk that is full in the middle of a write: one message, exit code 1, the old file as it was, nothing half-written.
 * The disk is a small tmpfs; who may not mount one skips the test, unless skips are forbidden.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { churn } from "../bench/command.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const ROWS = "400000";

const folder = mkdtempSync(join(tmpdir(), "churn-full-"));
const disk = join(folder, "disk");
mkdirSync(disk);

/** As root, or by way of sudo where it asks for no password. */
const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
function root(...command: string[]): boolean {
  const [name, ...args] = [...asRoot, ...command];
  return spawnSync(name, args).status === 0;
}
const isMounted = root("mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", disk);
const skip = !isMounted && process.env.CHURN_REQUIRE_ALL !== "1" && "no right to mount a tmpfs";
after(() => {
  if (isMounted) root("umount", disk);
  rmSync(folder, { recursive: true, force: true });
});

for (const name of ["customers.parquet", "customers.csv"]) {
  test(`churn generate into ${name}`, { skip }, () => fillsUp(name, ["generate", "--rows", ROWS]));
}

for (const name of ["scores.parquet", "scores.csv"]) {
  test(`churn predict into ${name}`, { skip }, () => {
    const data = join(folder, "customers.parquet");
    churn(folder, "generate", "--rows", ROWS, "--out", data);
    fillsUp(name, ["predict", "--model", MODEL, "--data", data]);
  });
}

function fillsUp(name: string, args: readonly string[]): void {
  assert(isMounted, "expected the right to mount a tmpfs");
  const out = join(disk, name);
  writeFileSync(out, "old");

  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args, "--out", out], {
    env: { ...process.env, LOG_LEVEL: "silent" },
    encoding: "utf8",
  });

  assert.match(stderr, /^churn: [^\n]* cannot be written \([^\n]*(no space|No space)[^\n]*\n$/);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.deepEqual(readdirSync(disk), [name]);
  assert.equal(readFileSync(out, "utf8"), "old");
  rmSync(out);
}
