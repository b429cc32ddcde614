/**
 * Tracking: where runs are recorded, so that nothing is lost and nothing stops.
 *
 * A run is written to the local folder first; with a tracking server, it is sent from there (from a temporary folder where
 * the local one takes nothing) and taken away once the server has all of it. A server that cannot be reached costs a
 * warning, and `churn runs --push` sends what waits.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChurnError } from "@churn/contract";
import type { Logger } from "../logger.ts";
import { registerVersion } from "./file-registry.ts";
import { FileStore } from "./file-store.ts";
import { fitToLimits } from "./limits.ts";
import { MlflowClient } from "./mlflow-client.ts";
import { pushRun } from "./push.ts";
import type { Run } from "./run.ts";
import { type TrackingTarget, withoutCredentials } from "./target.ts";
import { asWaiting } from "./waiting.ts";

/** What became of a run. */
export interface TrackedRun {
  readonly runId: string;
  /** Folder of the run, or its page on the server. */
  readonly location: string;
  /** Whether it waits for the server. */
  readonly isWaiting: boolean;
  /** The number of the registered version, where one was asked for and made. */
  readonly version?: string | undefined;
}

/**
 * Records runs, parents before their children. What cannot be recorded is a warning: tracking never costs a model.
 *
 * @returns what became of the first; null when it could not even be written
 */
export async function trackRuns(
  { folder, experiment, server, warning }: TrackingTarget,
  log: Logger,
  [first, ...others]: readonly [Run, ...Run[]],
): Promise<TrackedRun | null> {
  if (warning !== undefined) log.warn({ event: "tracking.redirected" }, `${warning}; this run is in ${folder}`);
  const start = performance.now();
  const store = new FileStore(folder);
  const write = (to: FileStore) => [first, ...others].map((run) => tryWriteRun(to, experiment, server, run, log));
  const written = write(store);
  const isWhole = !written.includes(null);
  const sent =
    server === undefined
      ? null
      : ((isWhole ? null : await sendFromElsewhere(store, server, write, log)) ??
        (await sendRuns(store, server, written, log, "churn runs --push")));
  const result = sent ?? written[0];
  const durationMs = Math.round(performance.now() - start);
  if (result) log.info({ event: "run.recorded", ...result, runs: others.length + 1, durationMs }, "run recorded");
  return result;
}

/**
 * Where there is no place for a run, the server may well have one. What was written here of its family is not sent again:
 * the server knows it by its name.
 *
 * @returns what became of the first, where the server took it
 */
async function sendFromElsewhere(
  store: FileStore,
  server: string,
  write: (to: FileStore) => (TrackedRun | null)[],
  log: Logger,
): Promise<TrackedRun | null> {
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), "churn-runs-"));
  } catch {
    return null; // the warning says already that there is no place
  }
  const spare = new FileStore(folder);
  const advice = `copy what is in it to ${store.root}, then churn runs --push`;
  const sent = await sendRuns(spare, server, write(spare), log, advice);
  if (spare.listRuns().runs.length === 0) rmSync(folder, { recursive: true, force: true });
  return sent;
}

function tryWriteRun(
  store: FileStore,
  experiment: string,
  server: string | undefined,
  run: Run,
  log: Logger,
): TrackedRun | null {
  try {
    return writeRun(store, experiment, server, run, log);
  } catch (error) {
    log.warn(
      { event: "tracking.failed", runId: run.runId, reason: (error as Error).message },
      `the run could not be written to ${store.root}: ${(error as Error).message}`,
    );
    return null;
  }
}

function writeRun(
  store: FileStore,
  experiment: string,
  server: string | undefined,
  wished: Run,
  log: Logger,
): TrackedRun {
  const { run, problems } = fitToLimits(wished);
  for (const problem of problems) log.warn({ event: "tracking.changed", runId: run.runId }, problem);
  const { runId, model, endTime } = run;
  const location = store.writeRun(experiment, server === undefined ? run : asWaiting(run, withoutCredentials(server)));
  const isRegistered = server === undefined && model?.registration !== undefined;
  const version = isRegistered
    ? registerVersion(store, { modelId: model.modelId, runId }, model.registration, endTime ?? run.startTime)
    : undefined;
  return { runId, location, isWaiting: server !== undefined, version };
}

/** @param advice How to send what was not sent. @returns what became of the first, where the server took it */
async function sendRuns(
  store: FileStore,
  server: string,
  runs: readonly (TrackedRun | null)[],
  log: Logger,
  advice: string,
): Promise<TrackedRun | null> {
  let first: TrackedRun | null = null;
  try {
    const client = new MlflowClient(server, process.env);
    for (const [i, run] of runs.entries()) {
      const sent = run && (await pushRun(store, run.runId, client));
      if (i === 0 && sent) first = { ...sent, location: sent.url, isWaiting: false };
    }
  } catch (error) {
    const reason =
      error instanceof ChurnError
        ? error.message
        : `${withoutCredentials(server)}: its answer is not MLflow's: ${error}`;
    const message = `${reason}. What was not sent waits in ${store.root}: ${advice}`;
    log.warn({ event: "tracking.waiting", server: withoutCredentials(server) }, message);
  }
  return first;
}
