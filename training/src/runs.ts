/** Tracked runs, from a folder or a server: listed, side by side, and sent when they had to wait. */
import { ChurnError } from "@churn/contract";
import { FileStore } from "./tracking/file-store.ts";
import { LockError } from "./tracking/lock.ts";
import { MlflowClient } from "./tracking/mlflow-client.ts";
import { MlflowError } from "./tracking/mlflow-http.ts";
import { pushRun, type SentRun } from "./tracking/push.ts";
import { exactOrAll, type ListedRun, MOST_CANDIDATES, type RunList, runSources } from "./tracking/run-source.ts";
import { type TrackingTarget, withoutCredentials } from "./tracking/target.ts";
import { serverOf } from "./tracking/waiting.ts";

/** The newest runs of the experiment; with a server, those that wait for it among them. */
export async function listRuns(target: TrackingTarget, limit: number): Promise<RunList> {
  const lists = await Promise.all(runSources(target).map((source) => source.list(limit)));
  const runs = lists.flatMap((list) => list.runs).sort((a, b) => b.startTime - a.startTime);
  return { runs: runs.slice(0, limit), damaged: lists.flatMap(({ damaged }) => damaged) };
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

/**
 * @param references Ids, their beginnings, or names.
 * @throws CHURN_ERR_OPTION_INVALID for what names no run, or several; CHURN_ERR_FILE_UNREADABLE for one that is damaged
 */
export function findRuns(target: TrackingTarget, references: readonly string[]): Promise<ListedRun[]> {
  const sources = runSources(target);
  const find = async (reference: string): Promise<ListedRun> => {
    const possible = await Promise.all(sources.map((source) => source.find(reference)));
    const found = exactOrAll(possible.flat(), reference);
    if (found.length === 1) return found[0];
    const candidates = found.length > 0 ? found : (await listRuns(target, MOST_CANDIDATES)).runs;
    const names = candidates.slice(0, MOST_CANDIDATES).map(({ runId, name }) => `${runId} (${name})`);
    const message =
      `"${reference}": expected the id of one run, its beginning or its name, ` +
      `got ${found.length === 0 ? "none" : "several"} in experiment "${target.experiment}"` +
      (names.length === 0 ? "" : `: ${found.length === 0 ? "the newest are " : ""}${names.join(", ")}`);
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  };
  return Promise.all(references.map(find));
}

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
 * @throws CHURN_ERR_OPTION_INVALID without a server; CHURN_ERR_TRACKING_SERVER when it cannot be reached;
 *   CHURN_ERR_FILE_UNWRITABLE while another program keeps sending
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
      const isForAll = error instanceof MlflowError ? error.status === undefined : error instanceof LockError;
      if (isForAll) throw error;
      failed.push({ runId, reason: (error as Error).message });
    }
  }
  return { sent, failed, elsewhere };
}
