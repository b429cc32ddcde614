/**
 * Tracking: where runs are recorded, so that nothing is lost and nothing stops.
 *
 * A run is written to the local folder first. With a tracking server it is sent from there and taken away once the
 * server has all of it; a server that cannot be reached costs a warning, and `churn runs --push` sends what waits.
 */
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
  if (warning !== undefined) log.warn({ event: "tracking.redirected" }, warning);
  const start = performance.now();
  const store = new FileStore(folder);
  const written = [first, ...others].map((run) => {
    try {
      return writeRun(store, experiment, server, run, log);
    } catch (error) {
      log.warn(
        { event: "tracking.failed", runId: run.runId, reason: (error as Error).message },
        `the run could not be written to ${store.root}: ${(error as Error).message}`,
      );
      return null;
    }
  });
  const sent = server === undefined ? null : await sendRuns(store, server, written, log);
  const result = sent ?? written[0];
  const durationMs = Math.round(performance.now() - start);
  if (result) log.info({ event: "run.recorded", ...result, runs: others.length + 1, durationMs }, "run recorded");
  return result;
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

/** @returns what became of the first, where the server took it */
async function sendRuns(
  store: FileStore,
  server: string,
  runs: readonly (TrackedRun | null)[],
  log: Logger,
): Promise<TrackedRun | null> {
  let first: TrackedRun | null = null;
  try {
    const client = new MlflowClient(server, process.env);
    for (const [i, run] of runs.entries()) {
      const sent = run && (await pushRun(store, run.runId, client));
      if (i === 0 && sent) first = { ...sent, location: sent.url, isWaiting: false };
    }
  } catch (error) {
    const message = `${(error as Error).message}. What was not sent waits in ${store.root}: churn runs --push`;
    log.warn({ event: "tracking.waiting", server: withoutCredentials(server) }, message);
  }
  return first;
}
