import assert from "node:assert/strict";
import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { LiveModel } from "../src/live-model.ts";
import { testService } from "./test-app.ts";
import { writeTinyModel } from "./tiny-model.ts";

const tiny = writeTinyModel();
const next = writeTinyModel("2026-11-24T09:00:00.000Z");
const folder = mkdtempSync(join(tmpdir(), "churn-live-"));
after(() => {
  tiny.remove();
  next.remove();
  rmSync(folder, { recursive: true });
});

test("a model that is exchanged while the service starts is taken", async () => {
  const directory = join(folder, "model");
  cpSync(tiny.directory, directory, { recursive: true });
  const live = await LiveModel.load(directory, testService(pino({ level: "silent" })));
  const before = live.model.manifest.version;
  cpSync(next.directory, join(folder, "next"), { recursive: true });
  renameSync(directory, join(folder, "old"));
  renameSync(join(folder, "next"), directory);

  live.watch();
  for (let i = 0; i < 100 && live.model.manifest.version === before; i++) await sleep(20);
  assert.notEqual(live.model.manifest.version, before);
});
