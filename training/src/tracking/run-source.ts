/** Where tracked runs are read from: a folder, a server. */
import { ChurnError } from "@churn/contract";
import { FileStore } from "./file-store.ts";
import { MlflowClient } from "./mlflow-client.ts";
import type { MetricPoint, RunData, RunInfo } from "./run.ts";
import type { TrackingTarget } from "./target.ts";
import { serverOf } from "./waiting.ts";

export interface ListedRun extends RunInfo, Pick<RunData, "params" | "tags"> {
  /** The last point of each curve. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Name → digest of the data sets that it has read. */
  readonly datasets: Readonly<Record<string, string>>;
  /** Whether it is still to be sent to its server. */
  readonly isWaiting: boolean;
}

export interface RunList {
  /** The newest first. */
  readonly runs: readonly ListedRun[];
  /** Folders that are no runs, or damaged ones. */
  readonly damaged: readonly string[];
}

export interface RunSource {
  list(limit: number): Promise<RunList>;
  /**
   * A few of the runs that a text can mean: those that it names, else those whose ids begin so.
   *
   * @throws CHURN_ERR_FILE_UNREADABLE when one of them is damaged
   */
  find(reference: string): Promise<ListedRun[]>;
}

/** As many as a message names. */
export const MOST_CANDIDATES = 5;

/** With a server, the folder of the runs that wait for it too. */
export function runSources({ folder, experiment, server }: TrackingTarget): RunSource[] {
  const waiting = new FolderSource(new FileStore(folder), experiment);
  if (server === undefined) return [waiting];
  return [waiting, new ServerSource(new MlflowClient(server, process.env), experiment)];
}

/** Those of that id or name, where there are any, else all. */
export function exactOrAll<T extends RunInfo>(runs: readonly T[], reference: string): readonly T[] {
  const exact = runs.filter(({ runId, name }) => runId === reference || name === reference);
  return exact.length > 0 ? exact : runs;
}

class FolderSource implements RunSource {
  readonly #store: FileStore;
  readonly #experiment: string;
  #infos: ReturnType<FileStore["listRuns"]> | undefined;

  constructor(store: FileStore, experiment: string) {
    this.#store = store;
    this.#experiment = experiment;
  }

  /** Only what is listed is read. */
  async list(limit: number): Promise<RunList> {
    const { runs: infos, damaged } = this.#all();
    const runs: ListedRun[] = [];
    const broken = [...damaged];
    for (const { runId } of infos) {
      if (runs.length === limit) break;
      try {
        runs.push(listed(this.#store.readData(runId)));
      } catch {
        broken.push(this.#store.runFolder(runId));
      }
    }
    return { runs, damaged: broken };
  }

  async find(reference: string): Promise<ListedRun[]> {
    const possible = this.#all().runs.filter(({ runId, name }) => name === reference || runId.startsWith(reference));
    return exactOrAll(possible, reference)
      .slice(0, MOST_CANDIDATES)
      .map(({ runId }) => {
        try {
          return listed(this.#store.readData(runId));
        } catch (cause) {
          const message = `${this.#store.runFolder(runId)}: expected a whole run: ${(cause as Error).message}`;
          throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", message, { cause });
        }
      });
  }

  #all(): ReturnType<FileStore["listRuns"]> {
    this.#infos ??= this.#store.listRuns(this.#experiment);
    return this.#infos;
  }
}

class ServerSource implements RunSource {
  readonly #client: MlflowClient;
  readonly #experiment: string;
  #id: Promise<string | undefined> | undefined;

  constructor(client: MlflowClient, experiment: string) {
    this.#client = client;
    this.#experiment = experiment;
  }

  async list(limit: number): Promise<RunList> {
    return { runs: await this.#search({ limit }), damaged: [] };
  }

  async find(reference: string): Promise<ListedRun[]> {
    const search = (filter: string): Promise<ListedRun[]> => this.#search({ filter, limit: MOST_CANDIDATES });
    const quote = reference.includes("'") ? '"' : "'";
    const named = reference.includes(quote) ? [] : await search(`attributes.run_name = ${quote}${reference}${quote}`);
    const isBeginning = named.length === 0 && /^[a-z\d]+$/i.test(reference); // neither a quote nor a wildcard
    return isBeginning ? search(`attributes.run_id LIKE '${reference}%'`) : named;
  }

  async #search(wish: { filter?: string; limit: number }): Promise<ListedRun[]> {
    this.#id ??= this.#client.findExperiment(this.#experiment);
    const id = await this.#id;
    return id === undefined ? [] : (await this.#client.searchRuns(id, wish)).map(listed);
  }
}

function listed({ runId, name, status, startTime, endTime, params, tags, ...data }: RunInfo & RunData): ListedRun {
  const datasets = Object.fromEntries(data.inputs.map(({ name, digest }) => [name, digest]));
  const isWaiting = serverOf({ tags }) !== undefined;
  return { runId, name, status, startTime, endTime, params, metrics: latest(data.metrics), tags, datasets, isWaiting };
}

/** As MLflow has it: of each metric the point of the highest step, then time, then value. */
function latest(points: readonly MetricPoint[]): Record<string, number> {
  const curves = [...Map.groupBy(points, ({ key }) => key)];
  return Object.fromEntries(curves.map(([key, curve]) => [key, curve.toSorted(byStep)[curve.length - 1].value]));
}

const byStep = (a: MetricPoint, b: MetricPoint): number =>
  a.step - b.step || a.timestamp - b.timestamp || a.value - b.value;
