/** Tracked runs, from a folder or a server: listed, side by side, and sent when they had to wait. */
import { ChurnError } from "@churn/contract";
import { FileStore } from "./tracking/file-store.ts";
import { MlflowClient } from "./tracking/mlflow-client.ts";
import { MlflowError } from "./tracking/mlflow-http.ts";
import { pushRun, type SentRun } from "./tracking/push.ts";
import type { MetricPoint, RunData, RunInfo } from "./tracking/run.ts";
import { type TrackingTarget, withoutCredentials } from "./tracking/target.ts";
import { serverOf } from "./tracking/waiting.ts";

export interface ListedRun extends RunInfo, Pick<RunData, "params" | "tags" | "inputs"> {
  /** The last point of each curve. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether it is still to be sent to its server. */
  readonly isWaiting: boolean;
}

export interface RunList {
  /** The newest first. */
  readonly runs: readonly ListedRun[];
  /** Folders that are no runs, or damaged ones. */
  readonly damaged: readonly string[];
}

/** The newest runs of the experiment; with a server, those that wait for it among them. */
export async function listRuns(target: TrackingTarget, limit: number): Promise<RunList> {
  const local = listFolder(target, limit);
  const sent = target.server === undefined ? [] : await listServer(target.server, target.experiment, limit);
  const runs = [...local.runs, ...sent].sort((a, b) => b.startTime - a.startTime).slice(0, limit);
  return { runs, damaged: local.damaged };
}

function listFolder({ folder, experiment, server }: TrackingTarget, limit: number): RunList {
  const store = new FileStore(folder);
  const { runs: infos, damaged } = store.listRuns(experiment);
  const broken = [...damaged];
  const runs = infos.slice(0, limit).flatMap(({ runId }): ListedRun[] => {
    try {
      return [listed(store.readRun(runId), server !== undefined)];
    } catch (error) {
      broken.push(`${runId}: ${(error as Error).message}`);
      return [];
    }
  });
  return { runs, damaged: broken };
}

async function listServer(server: string, experiment: string, limit: number): Promise<ListedRun[]> {
  const client = new MlflowClient(server, process.env);
  const id = await client.findExperiment(experiment);
  return id === undefined ? [] : (await client.searchRuns(id, { limit })).map((run) => listed(run, false));
}

function listed(
  { runId, name, status, startTime, endTime, ...data }: RunInfo & RunData,
  isWaiting: boolean,
): ListedRun {
  const { params, tags, inputs } = data;
  return { runId, name, status, startTime, endTime, params, tags, inputs, metrics: latest(data.metrics), isWaiting };
}

/** As MLflow has it: of each metric the point of the highest step, in doubt the later one. */
function latest(points: readonly MetricPoint[]): Record<string, number> {
  const last = new Map<string, MetricPoint>();
  for (const point of points) {
    const before = last.get(point.key);
    const isLater =
      before === undefined ||
      point.step > before.step ||
      (point.step === before.step && point.timestamp >= before.timestamp);
    if (isLater) last.set(point.key, point);
  }
  return Object.fromEntries([...last].map(([key, { value }]) => [key, value]));
}

// --- side by side ------------------------------------------------------------------------------------------

export interface Comparison {
  readonly runs: readonly ListedRun[];
  readonly params: {
    /** Per run, null where it has none. */
    readonly differing: Readonly<Record<string, readonly (string | null)[]>>;
    readonly equal: Readonly<Record<string, string>>;
  };
  /** Per run; deltas are to the first one. */
  readonly metrics: Readonly<
    Record<string, { readonly values: readonly (number | null)[]; readonly deltas: readonly (number | null)[] }>
  >;
}

/** As many as a message names. */
const MOST_CANDIDATES = 5;

/**
 * @param references Ids, their beginnings, or names.
 * @throws CHURN_ERR_OPTION_INVALID for what names no run, or several
 */
export async function findRuns(target: TrackingTarget, references: readonly string[]): Promise<ListedRun[]> {
  const { folder, experiment, server } = target;
  const store = new FileStore(folder);
  const local = store.listRuns(experiment).runs;
  const client = server === undefined ? undefined : new MlflowClient(server, process.env);
  const experimentId = await client?.findExperiment(experiment);
  const search = async (reference: string): Promise<ListedRun[]> => {
    if (client === undefined || experimentId === undefined) return [];
    const filters = [
      ...(reference.includes("'") ? [] : [`attributes.run_name = '${reference}'`]),
      ...(/^[\w-]+$/.test(reference) ? [`attributes.run_id LIKE '${reference}%'`] : []),
    ];
    const found = filters.map((filter) => client.searchRuns(experimentId, { filter, limit: MOST_CANDIDATES }));
    return (await Promise.all(found)).flat().map((run) => listed(run, false));
  };
  const find = async (reference: string): Promise<ListedRun> => {
    const here = local
      .filter(({ runId, name }) => name === reference || runId.startsWith(reference))
      .slice(0, MOST_CANDIDATES)
      .map(({ runId }) => listed(store.readRun(runId), server !== undefined));
    const all = [...here, ...(await search(reference))];
    const exact = all.filter(({ runId, name }) => runId === reference || name === reference);
    const found = distinct(exact.length > 0 ? exact : all);
    if (found.length === 1) return found[0];
    const candidates = found.slice(0, MOST_CANDIDATES).map(({ runId, name }) => `${runId} (${name})`);
    const got = found.length === 0 ? "none" : candidates.join(", ");
    const message = `"${reference}": expected the id of one run, its beginning or its name, found ${got} in experiment "${experiment}"`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  };
  return Promise.all(references.map(find));
}

const distinct = <T extends RunInfo>(runs: readonly T[]): T[] => [
  ...new Map(runs.map((run) => [run.runId, run])).values(),
];

export function compareRuns(runs: readonly ListedRun[]): Comparison {
  const differing: Record<string, (string | null)[]> = {};
  const equal: Record<string, string> = {};
  for (const key of keysOf(runs.map(({ params }) => params))) {
    const values = runs.map(({ params }) => params[key] ?? null);
    const [first] = values;
    if (first !== null && values.every((value) => value === first)) equal[key] = first;
    else differing[key] = values;
  }
  const metrics = keysOf(runs.map(({ metrics }) => metrics)).map((key) => {
    const values = runs.map((run) => run.metrics[key] ?? null);
    const [first] = values;
    return [key, { values, deltas: values.map((value) => (value === null || first === null ? null : value - first)) }];
  });
  return { runs, params: { differing, equal }, metrics: Object.fromEntries(metrics) };
}

const keysOf = (records: readonly Readonly<Record<string, unknown>>[]): string[] =>
  [...new Set(records.flatMap((record) => Object.keys(record)))].sort();

// --- sending -----------------------------------------------------------------------------------------------

export interface PushResult {
  readonly sent: readonly SentRun[];
  readonly failed: readonly { readonly runId: string; readonly reason: string }[];
  /** Servers that other runs wait for, and how many. */
  readonly elsewhere: Readonly<Record<string, number>>;
}

/**
 * Sends what waits for the server, the oldest first, so that parents come before their children.
 *
 * @throws CHURN_ERR_OPTION_INVALID without a server; CHURN_ERR_TRACKING_SERVER when it cannot be reached
 */
export async function pushRuns({ folder, server }: TrackingTarget): Promise<PushResult> {
  if (server === undefined) {
    const message = "--push: expected MLFLOW_TRACKING_URI to be a server, http://host:port, got a folder";
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  const store = new FileStore(folder);
  const client = new MlflowClient(server, process.env);
  const sent: SentRun[] = [];
  const { runs, damaged } = store.listRuns();
  const failed = damaged.map((path) => ({ runId: path, reason: "it is damaged" }));
  const elsewhere: Record<string, number> = {};
  for (const { runId } of runs.toReversed()) {
    try {
      const waitsFor = serverOf(store.readRun(runId));
      if (waitsFor !== undefined && waitsFor !== withoutCredentials(server)) {
        elsewhere[waitsFor] = (elsewhere[waitsFor] ?? 0) + 1;
        continue;
      }
      const run = await pushRun(store, runId, client);
      if (run !== undefined) sent.push(run);
    } catch (error) {
      if (!store.hasRun(runId)) continue; // another program has sent it meanwhile
      if (error instanceof MlflowError && error.status === undefined) throw error;
      failed.push({ runId, reason: (error as Error).message });
    }
  }
  return { sent, failed, elsewhere };
}
