import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerPool } from "../src/worker-pool.ts";

/** A thread that doubles numbers, and breaks at a task of its own kind. */
const script = new URL(
  `data:text/javascript,${encodeURIComponent(`
  import { parentPort, workerData } from "node:worker_threads";
  parentPort.on("message", (task) => {
    if (task === workerData.breaksAt) throw new Error("broken");
    if (task === workerData.leavesAt) process.exit(3);
    parentPort.postMessage(2 * task);
  });
`)}`,
);

test("every task gets its own answer, whoever gives it", async () => {
  const pool = new WorkerPool<number, number>("doubling", script, {}, 3);

  const answers = await Promise.all(Array.from({ length: 50 }, (_, task) => pool.run(task)));

  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, task) => 2 * task),
  );
  await pool.close();
});

for (const [how, input, message] of [
  ["fails", { breaksAt: 4 }, /^Error: a doubling thread failed: broken$/],
  ["ends", { leavesAt: 4 }, /^Error: a doubling thread ended with exit code 3$/],
] as const) {
  test(`when one thread of three ${how}, every waiting and every later task fails`, async () => {
    const pool = new WorkerPool<number, number>("doubling", script, input, 3);

    await assert.rejects(pool.run(4), message);
    const later = [1, 2, 3].map((task) => pool.run(task));

    for (const task of later) await assert.rejects(task, message);
    await pool.close();
  });
}
