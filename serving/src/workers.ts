/**
 * Several processes on one port: this one starts them, passes on signals and questions, and replaces those that die.
 *
 * A worker that ends before it ever listened has said why (a wrong environment, a damaged model), and so ends the service.
 */
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import type { Logger } from "pino";
import { passOnQuestions } from "./peers.ts";
import { onStopSignal } from "./signals.ts";

/** Before a worker that died is replaced, in ms: one that dies at once should not take the machine with it. */
const REPLACE_AFTER_MS = 1_000;

export function superviseWorkers(count: number, logger: Logger): void {
  let isStopping = false;
  const hasListened = new WeakSet<Worker>();
  const live = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const worker of live()) worker.process.kill(signal);
  };

  passOnQuestions();
  cluster.on("listening", (worker) => hasListened.add(worker));
  cluster.on("exit", (worker, code, signal) => {
    if (isStopping) return;
    if (!hasListened.has(worker)) {
      signalAll("SIGKILL");
      process.exit(code || 1);
    }
    logger.error(
      { event: "worker.died", pid: worker.process.pid, code, signal },
      "worker died, another takes its place",
    );
    setTimeout(() => isStopping || cluster.fork(), REPLACE_AFTER_MS);
  });
  process.on("SIGHUP", () => signalAll("SIGHUP"));
  process.on("exit", () => signalAll("SIGKILL")); // a second signal: nobody stays behind
  onStopSignal(
    async (signal) => {
      isStopping = true;
      const ended = live().map((worker) => once(worker, "exit"));
      signalAll(signal);
      await Promise.all(ended);
    },
    (error) => {
      throw error;
    },
  );
  for (let i = 0; i < count; i++) cluster.fork();
}
