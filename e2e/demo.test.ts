/** The main job, small; and a service that does not outlive the process that started it. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readModelDirectory } from "../contract/src/index.ts";
import { writeTinyModel } from "../serving/test/tiny-model.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const RUNNING_SERVICE = new URL("../training/src/running-service.ts", import.meta.url).href;

const folder = mkdtempSync(join(tmpdir(), "churn-demo-"));
const tiny = writeTinyModel();
after(() => {
  tiny.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("churn demo --json works in its folder, and tells what the service answered", () => {
  const out = join(folder, "demo");

  const stdout = execFileSync(process.execPath, [MAIN, "demo", "--rows", "3000", "--out", out, "--json"], {
    env: { ...process.env, LOG_LEVEL: "silent" },
    encoding: "utf8",
  });

  const { version, metrics, baselines, predictions, months } = JSON.parse(stdout);
  assert.deepEqual(readdirSync(out).sort(), ["data", "mlruns", "models", "reports"]);
  const champion = readModelDirectory(join(out, "models", "best_model")).manifest.version;
  assert.equal(champion, months.at(-1).championVersion);
  assert(metrics.roc_auc.value > baselines.base_rate.roc_auc.value);
  assert(baselines.truth.roc_auc.value > 0.7);
  const [typical, risky] = predictions;
  assert.deepEqual([typical.model_version, risky.model_version], [version, version]);
  assert(risky.churn_probability > typical.churn_probability);
  assert.deepEqual(
    months.map(({ scenario, outcome }: { scenario: string; outcome: string }) => [scenario, outcome]).slice(0, 2),
    [
      ["stable", "skipped"],
      ["price-increase", "promoted"],
    ],
  );
  for (const { requests, failures } of months) assert.ok(requests > 5 && failures === 0);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`a service ends when ${signal} ends the process that started it`, async () => {
    const script = `
      import { startService } from ${JSON.stringify(RUNNING_SERVICE)};
      console.log((await startService(${JSON.stringify(tiny.directory)}, ${JSON.stringify(`${tiny.directory}-live`)})).url);
      setInterval(() => {}, 1000);
    `;
    const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(starter.stdout, "data");
    const url = String(line).trim();
    assert.equal((await fetch(url)).status, 200);

    starter.kill(signal);
    assert.deepEqual(await once(starter, "exit"), [null, signal]);

    assert(await isSilent(url), `${url} still answers`);
  });
}

/** Whether nothing answers any more, or stops to within ten seconds. */
async function isSilent(url: string): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    try {
      await fetch(url);
    } catch {
      return true;
    }
    await sleep(100);
  }
  return false;
}
