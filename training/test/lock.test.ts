import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../src/tracking/lock.ts";

const folder = mkdtempSync(join(tmpdir(), "churn-lock-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("one works after the other, also when one fails", async () => {
  const path = join(folder, "turns");
  let working = 0;
  const work = async (i: number): Promise<number> => {
    assert.equal(++working, 1);
    await sleep(20);
    working--;
    if (i === 0) throw new Error("failed");
    return i;
  };
  const results = await Promise.allSettled([0, 1, 2].map((i) => withLock(path, 10_000, () => work(i))));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : "failed")),
    ["failed", 1, 2],
  );
});

test("who keeps it is not waited for for ever", async () => {
  const path = join(folder, "kept");
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = withLock(path, 0, () => promise);
  await assert.rejects(
    withLock(path, 300, async () => {}),
    { code: "CHURN_ERR_FILE_UNWRITABLE", message: `${path}: cannot be locked: another program has had it for 0.3 s` },
  );
  resolve();
  await first;
});

test("what is no lock is told", async () => {
  const path = join(folder, "garbage");
  writeFileSync(path, "x".repeat(5000));
  for (const place of [path, folder]) {
    await assert.rejects(
      withLock(place, 0, async () => {}),
      ({ message }: Error) =>
        message.startsWith(`${place}: cannot be locked: `) && message.endsWith("remove what is there"),
    );
  }
});
