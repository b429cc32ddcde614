/**
 * A process of bench/tracking.ts: records one run, and tells what that took.
 *
 *     MLFLOW_TRACKING_URI=… node bench/tracked-run.ts FOLDER
 *
 * The files of the folder become the run's artifacts.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "../training/src/logger.ts";
import { newRunId } from "../training/src/tracking/run.ts";
import { trackingTarget } from "../training/src/tracking/target.ts";
import { trackRuns } from "../training/src/tracking/tracker.ts";

const METRICS = 1000;
const CURVE_POINTS = 10_000;
const PARAMS = 500;

/** What the process tells. */
export interface Recorded {
  readonly seconds: number;
  /** Peak of the process. */
  readonly mebibytes: number;
}

const [folder] = process.argv.slice(2);
const timestamp = Date.now();
const point = (key: string, step: number) => ({ key, value: Math.sin(step), step, timestamp });
const start = performance.now();
const run = await trackRuns(trackingTarget(process.env), createLogger(process.env), [
  {
    runId: newRunId(),
    name: "large",
    status: "FINISHED",
    startTime: timestamp,
    endTime: timestamp,
    params: Object.fromEntries(Array.from({ length: PARAMS }, (_, i) => [`param_${i}`, String(i)])),
    metrics: [
      ...Array.from({ length: METRICS }, (_, i) => point(`metric_${i}`, 0)),
      ...Array.from({ length: CURVE_POINTS }, (_, i) => point("curve", i)),
    ],
    tags: {},
    inputs: [],
    artifacts: readdirSync(folder).map((name) => ({ path: name, file: join(folder, name) })),
  },
]);
const isServer = /^http/.test(process.env.MLFLOW_TRACKING_URI ?? "");
if (run === null || run.isWaiting || run.location.startsWith("http") !== isServer) throw new Error("not recorded");
const recorded: Recorded = {
  seconds: (performance.now() - start) / 1000,
  mebibytes: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(JSON.stringify(recorded));
