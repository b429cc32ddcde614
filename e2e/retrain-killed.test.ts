/**
 * Retraining that is killed (SIGKILL) at any moment: there is always a whole champion that serves and a ledger that parses, and the
 * next one goes on.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Model, modelDirectory } from "../contract/src/index.ts";
import { killServices, startService } from "../serving/test/service-process.ts";
import { Random } from "../training/src/random.ts";
import { championVersion, readLedger } from "../training/src/registry/ledger.ts";
import { MAIN, RetrainingFolder } from "./retraining-folder.ts";

const KILLS = 50;
/** Worlds that take turns, so that each challenger is promoted: what the champion learned is wrong in the next. */
const WORLDS = [
  ["--month", "3", "--scenario", "price-increase"],
  ["--month", "3", "--scenario", "stable"],
];

const folder = new RetrainingFolder();
after(() => {
  killServices();
  folder.remove();
});

/** A retraining of the next world; other seeds, so that the data are new. */
const argumentsOf = (number: number): string[] =>
  folder.retrainArguments(...WORLDS[number % 2], "--seed", String(100 + number));

/** @returns whether it ended by itself before */
async function killAfter(milliseconds: number, number: number): Promise<boolean> {
  const child = spawn(process.execPath, [MAIN, ...argumentsOf(number)], {
    cwd: folder.path,
    env: folder.environment,
    stdio: "ignore",
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  await Promise.race([exit, sleep(milliseconds)]);
  child.kill("SIGKILL");
  return (await exit) !== null;
}

test(`killed at ${KILLS} random moments`, async () => {
  const model = folder.in("models", "best_model");
  const start = performance.now();
  assert.equal(folder.retrain(...WORLDS[1], "--seed", "99").code, 0);
  const whole = performance.now() - start;
  const random = new Random(12);
  const ends = { byThemselves: 0, promoted: 0, changed: 0 };
  for (let number = 0; number < KILLS; number++) {
    const before = championVersion(model);
    ends.byThemselves += +(await killAfter(1.4 * whole * random.uniform(), number));

    const { version } = Model.load(model).manifest;
    const entries = readLedger(model);
    assert.ok(entries.length > 0);
    ends.changed += +(version !== before);
    ends.promoted = entries.filter(({ event }) => event === "promoted").length;
  }
  // Each of them has been cut, or has come to its end, in a way that the test is about.
  assert.ok(ends.byThemselves < KILLS / 2 && ends.changed > 0, JSON.stringify(ends));

  const { code, result, stderr } = folder.retrain("--month", "5", "--scenario", "service-outage");
  assert.ok(code === 0 || code === 3 || code === 4, stderr); // whatever the gate says: it has been asked
  assert.notEqual(result.evidence, null);
  assert.equal(folder.churn("verify", "--no-rebuild").code, 0);
  assert.equal(readLedger(model).at(-1)?.version, championVersion(model));
  assert.deepEqual(modelDirectory(model), model);
  const leftOver = readdirSync(folder.in("models")).filter((name) => /\.(new|replaced|succession)/.test(name));
  assert.deepEqual(leftOver, []);
  assert.ok(readdirSync(folder.in("models", "previous")).length <= 3);

  const service = startService({ MODEL_DIR: model, PREDICTION_STORE_URL: `sqlite:${folder.in("predictions.db")}` });
  const health = (await (await fetch(`${await service.url}/`)).json()) as { readonly model_version: string };
  assert.equal(health.model_version, result.championVersion);
  assert.ok(existsSync(folder.in("reports", "retrain.html")));
});
