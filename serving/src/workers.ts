/**
 * Several processes on one port: this one starts them, passes on signals and questions, and replaces those that die.
 *
 * When the first of them ends before any has listened, it has said why (a wrong environment, a damaged model), and so ends
 * the service. Later nothing that happens to one of them may end the others.
 */
import cluster, { type Worker } from "node:cluster";
import type { Logger } from "pino";
import { passOnQuestions } from "./peers.ts";
import { onStopSignal } from "./signals.ts";

/** Before a worker that died is replaced, in ms; doubled while those that follow cannot start. */
const REPLACE_AFTER_MS = 1_000;
const MOST_REPLACE_AFTER_MS = 30_000;

export function superviseWorkers(count: number, logger: Logger): void {
  let isStopping = false;
  const listening = new WeakSet<Worker>();
  let hasAnyListened = false;
  let replaceAfterMs = REPLACE_AFTER_MS;
  const live = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  const signal = (workers: readonly Worker[], name: NodeJS.Signals): void => {
    for (const worker of workers) worker.process.kill(name);
  };

  passOnQuestions();
  cluster.on("listening", (worker) => {
    listening.add(worker);
    hasAnyListened = true;
    replaceAfterMs = REPLACE_AFTER_MS;
  });
  cluster.on("exit", (worker, code, killedBy) => {
    if (isStopping) return;
    if (!hasAnyListened) process.exit(code || 1);
    const facts = { event: "worker.died", pid: worker.process.pid, code, signal: killedBy, replaceAfterMs };
    logger.error(facts, "worker died, another takes its place");
    setTimeout(() => isStopping || cluster.fork(), replaceAfterMs);
    if (!listening.has(worker)) replaceAfterMs = Math.min(2 * replaceAfterMs, MOST_REPLACE_AFTER_MS);
  });
  // A message to one that has just died cannot be sent; its exit is all that need be known.
  cluster.on("fork", (worker) => worker.on("error", () => {}));
  // One that starts would die of it, and reads the newest model anyway.
  process.on("SIGHUP", () =>
    signal(
      live().filter((worker) => listening.has(worker)),
      "SIGHUP",
    ),
  );
  process.on("exit", () => signal(live(), "SIGKILL")); // also on a second signal: nobody stays behind
  onStopSignal(
    async (name) => {
      isStopping = true;
      const ended = live().map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
      signal(live(), name);
      await Promise.all(ended);
    },
    (error) => {
      throw error;
    },
  );
  for (let i = 0; i < count; i++) cluster.fork();
}
