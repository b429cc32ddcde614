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

/** @returns whether it was killed: not when it had ended by itself before */
async function killAfter(milliseconds: number, number: number): Promise<boolean> {
  const child = spawn(process.execPath, [MAIN, ...argumentsOf(number)], {
    cwd: folder.path,
    env: folder.environment,
    stdio: "ignore",
  });
  const exit = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  await Promise.race([exit, sleep(milliseconds)]);
  child.kill("SIGKILL");
  return (await exit) === "SIGKILL";
}

test(`killed at ${KILLS} random moments`, async () => {
  const model = folder.in("models", "best_model");
  const random = new Random(12);
  let whole = 0;
  let before = "";
  let changed = 0;
  for (let kills = 0, number = 0; kills < KILLS; number++) {
    if (number % 6 === 0) {
      // One that nobody kills: it tells how long one takes now, and that what was left behind hinders nobody.
      const start = performance.now();
      const { code, stderr } = folder.churn(...argumentsOf(number / 6));
      whole = performance.now() - start;
      assert.ok(code === 0 || code === 3 || code === 4, stderr); // whatever the gate says
    } else {
      kills += +(await killAfter(whole * random.uniform(), 100 + number));
    }
    assert.ok(readLedger(model).length > 0);
    const { version = "" } = Model.load(model).manifest;
    changed += +(version !== before);
    before = version;
  }
  // The kills have been about something: champions have followed one another all the while.
  assert.ok(changed > 2, `${changed} champions`);

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
