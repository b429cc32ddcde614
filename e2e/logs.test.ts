/** What every command logs: JSON lines on standard error, and nothing but the result on standard output. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "churn-logs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** In the order in which one needs what another made. */
const COMMANDS = [
  ["generate", "--rows", "2000", "--out", "customers.parquet"],
  ["train", "--dataset", DATASET, "--data", "customers.parquet", "--out", "model", "--n-estimators", "5"],
  ["evaluate", "--model", "model", "--data", "customers.parquet", "--out", "judged.html"],
  ["predict", "--model", "model", "--data", "customers.parquet", "--out", "scores.csv"],
  ["export", "--model", "model", "--format", "onnx", "--out", "model.onnx"],
  ["demo", "--rows", "2000", "--out", "demo"],
] as const;

for (const [command, ...options] of COMMANDS) {
  test(`churn ${command} --json logs JSON lines from started to finished, and prints one document`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, command, ...options, "--json"], {
      cwd: folder,
      env: { ...process.env, LOG_LEVEL: "info" },
      encoding: "utf8",
    });

    assert.equal(status, 0, stderr);
    assert.equal(typeof JSON.parse(stdout), "object");
    const entries = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const { plane, event, level, time, msg } of entries) {
      assert.match(plane, /^(training|serving)$/);
      assert.match(event, /^[a-z]+\.[a-z]+$/);
      assert(typeof level === "number" && typeof time === "number" && typeof msg === "string");
    }
    const ofTraining = entries.filter(({ plane }) => plane === "training");
    const finished = ofTraining.filter(({ event }) => event.endsWith(".finished"));
    assert.equal(ofTraining[0].event, `${command}.started`);
    assert.equal(ofTraining.at(-1).event, `${command}.finished`);
    assert(finished.every(({ durationMs }) => Number.isInteger(durationMs) && durationMs >= 0));
  });

  test(`churn ${command} --quiet prints no result`, () => {
    const { status, stdout } = spawnSync(process.execPath, [MAIN, command, ...options, "--quiet"], {
      cwd: folder,
      env: { ...process.env, LOG_LEVEL: "silent" },
      encoding: "utf8",
    });

    assert.deepEqual([status, stdout], [0, ""]);
  });
}
