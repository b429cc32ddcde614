/**
 * MLflow's REST interface: experiments, runs, data sets, artifacts, logged models, registered models. One method a call,
 * in this program's types.
 *
 * @source mlflow/protos/service.proto and model_registry.proto (3.17)
 */
import { MlflowError, MlflowHttp } from "./mlflow-http.ts";
import {
  chunks,
  type Entries,
  type ModelVersion,
  pairs,
  type RawModel,
  type RawRun,
  type RawVersion,
  readModel,
  readRun,
  readVersion,
  type ServerRun,
  type Stored,
  wirePoint,
} from "./mlflow-wire.ts";
import type { DatasetInput, LoggedModel, MetricPoint, RunData, RunInfo, RunStatus } from "./run.ts";

type DatasetPoint = LoggedModel["metrics"][number];

/** Items that one call may carry. */
const BATCH = { metrics: 1000, params: 100, tags: 100 };
const MOST_RUNS = 50_000;
const PAGE = 1000;

const API = "/api/2.0/mlflow";
const ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts";

export class MlflowClient {
  readonly #http: MlflowHttp;

  /** @throws CHURN_ERR_OPTION_INVALID for an environment variable that cannot be honoured */
  constructor(address: string, environment: NodeJS.ProcessEnv) {
    this.#http = new MlflowHttp(address, environment);
  }

  /** The address without credentials. */
  get address(): string {
    return this.#http.base;
  }

  // --- experiments -----------------------------------------------------------------------------------------

  /** Undefined for one that is not there or deleted. */
  async findExperiment(name: string): Promise<string | undefined> {
    const answer = await orUndefined(this.#get("experiments/get-by-name", { experiment_name: name }));
    const { experiment } = (answer ?? {}) as { experiment?: { experiment_id: string; lifecycle_stage: string } };
    return experiment?.lifecycle_stage === "active" ? experiment.experiment_id : undefined;
  }

  /** The experiment of a name; it is made where there is none. */
  async experimentId(name: string): Promise<string> {
    const existing = await this.findExperiment(name);
    if (existing !== undefined) return existing;
    try {
      const { experiment_id: id } = (await this.#create("experiments/create", { name })) as { experiment_id: string };
      return id;
    } catch (error) {
      if (!isCode(error, "RESOURCE_ALREADY_EXISTS")) throw error;
      const found = await this.findExperiment(name); // another program was faster
      if (found !== undefined) return found;
      const message = `${this.address}: the experiment "${name}" is deleted: restore it, or name another in MLFLOW_EXPERIMENT_NAME`;
      throw new MlflowError(message, { cause: error });
    }
  }

  // --- runs ------------------------------------------------------------------------------------------------

  async createRun(
    experimentId: string,
    run: Pick<RunInfo, "name" | "startTime"> & { readonly tags: Entries },
  ): Promise<Stored> {
    const body = { experiment_id: experimentId, run_name: run.name, start_time: run.startTime, tags: pairs(run.tags) };
    const answer = (await this.#create("runs/create", body)) as { run: RawRun };
    return { id: answer.run.info.run_id, artifactUri: answer.run.info.artifact_uri };
  }

  async endRun(runId: string, status: RunStatus, endTime: number | null): Promise<void> {
    await this.#post("runs/update", { run_id: runId, status, ...(endTime !== null && { end_time: endTime }) });
  }

  /** Adds to a run; what it has already is not added twice. */
  async logBatch(runId: string, data: Partial<Pick<RunData, "params" | "metrics" | "tags">>): Promise<void> {
    await this.#batches(runId, data.metrics ?? [], data.params ?? {}, data.tags ?? {}, wirePoint);
  }

  /** Figures of a model, by data set. */
  async logModelMetrics(runId: string, modelId: string, metrics: readonly DatasetPoint[]): Promise<void> {
    await this.#batches(runId, metrics, {}, {}, (point) => ({
      ...wirePoint(point),
      model_id: modelId,
      dataset_name: point.datasetName,
      dataset_digest: point.datasetDigest,
    }));
  }

  async #batches<T extends MetricPoint>(
    runId: string,
    metrics: readonly T[],
    params: Entries,
    tags: Entries,
    wire: (point: T) => unknown,
  ): Promise<void> {
    const send = (what: object): Promise<unknown> => this.#post("runs/log-batch", { run_id: runId, ...what });
    for (const batch of chunks(pairs(params), BATCH.params)) await send({ params: batch });
    for (const batch of chunks(metrics.map(wire), BATCH.metrics)) await send({ metrics: batch });
    for (const batch of chunks(pairs(tags), BATCH.tags)) await send({ tags: batch });
  }

  async logInputs(runId: string, inputs: readonly DatasetInput[]): Promise<void> {
    if (inputs.length === 0) return;
    const datasets = inputs.map(({ name, digest, sourceType, source, schema, profile, context }) => ({
      tags: [{ key: "mlflow.data.context", value: context }],
      dataset: { name, digest, source_type: sourceType, source, schema, profile },
    }));
    await this.#post("runs/log-inputs", { run_id: runId, datasets });
  }

  /** Said twice, it is refused. */
  async logOutput(runId: string, modelId: string): Promise<void> {
    await this.#create("runs/outputs", { run_id: runId, models: [{ model_id: modelId, step: 0 }] });
  }

  async getRun(runId: string): Promise<ServerRun> {
    const { run } = (await this.#get("runs/get", { run_id: runId })) as { run: RawRun };
    return readRun(run);
  }

  /** The newest first; of each metric only its last point. @param view Whether deleted ones count. */
  async searchRuns(
    experimentId: string,
    {
      filter = "",
      limit = MOST_RUNS,
      view = "ACTIVE_ONLY",
    }: { filter?: string; limit?: number; view?: "ACTIVE_ONLY" | "ALL" },
  ): Promise<ServerRun[]> {
    const runs: ServerRun[] = [];
    for (let token: string | undefined = ""; token !== undefined && runs.length < limit; ) {
      const answer = (await this.#post("runs/search", {
        experiment_ids: [experimentId],
        filter,
        run_view_type: view,
        max_results: Math.min(PAGE, limit - runs.length),
        order_by: ["attributes.start_time DESC"],
        ...(token && { page_token: token }),
      })) as { runs?: RawRun[]; next_page_token?: string };
      runs.push(...(answer.runs ?? []).map(readRun));
      token = answer.next_page_token || undefined;
    }
    return runs;
  }

  // --- artifacts -------------------------------------------------------------------------------------------

  async putArtifact(artifactUri: string, path: string, body: Blob): Promise<void> {
    await this.#http.put(this.#artifactUrl(artifactUri, path), body);
  }

  getArtifact(artifactUri: string, path: string): Promise<Uint8Array> {
    return this.#http.bytes(this.#artifactUrl(artifactUri, path));
  }

  /** @throws MlflowError for a place that only the server, or a cloud's own program, can write */
  #artifactUrl(artifactUri: string, path: string): string {
    const match = /^mlflow-artifacts:(?:\/\/([^/]+))?\/(.*)$/.exec(artifactUri);
    if (match === null) {
      const message =
        `${this.address}: its artifacts are at ${artifactUri}, which cannot be reached from here: start the server with ` +
        "--artifacts-destination, so that it takes them itself";
      throw new MlflowError(message);
    }
    const [, host, root] = match;
    const base = host === undefined ? this.address : `${new URL(this.address).protocol}//${host}`;
    return `${base}${ARTIFACTS}/${[...root.split("/"), ...path.split("/")].map(encodeURIComponent).join("/")}`;
  }

  // --- logged models ---------------------------------------------------------------------------------------

  async createLoggedModel(
    experimentId: string,
    runId: string,
    { name, params, tags }: Pick<LoggedModel, "name" | "params" | "tags">,
  ): Promise<Stored> {
    const body = { experiment_id: experimentId, name, source_run_id: runId, params: pairs(params), tags: pairs(tags) };
    return readModel(await this.#create("logged-models", body));
  }

  async findLoggedModel(experimentId: string, runId: string): Promise<Stored | undefined> {
    const body = { experiment_ids: [experimentId], filter: `source_run_id = '${runId}'`, max_results: 1 };
    const { models = [] } = (await this.#post("logged-models/search", body)) as { models?: RawModel["model"][] };
    return models.length === 0 ? undefined : readModel({ model: models[0] });
  }

  async getLoggedModel(modelId: string): Promise<Stored> {
    return readModel(await this.#get(`logged-models/${encodeURIComponent(modelId)}`));
  }

  /** Says that all of its files are there. */
  async finishLoggedModel(modelId: string): Promise<void> {
    const body = { model_id: modelId, status: "LOGGED_MODEL_READY" };
    await this.#http.send("PATCH", `${API}/logged-models/${encodeURIComponent(modelId)}`, body, "safe");
  }

  // --- registered models -----------------------------------------------------------------------------------

  async ensureRegisteredModel(name: string): Promise<void> {
    try {
      await this.#create("registered-models/create", { name });
    } catch (error) {
      if (!isCode(error, "RESOURCE_ALREADY_EXISTS")) throw error;
    }
  }

  /** @returns its number */
  async createModelVersion(
    name: string,
    model: { readonly modelId: string; readonly runId: string; readonly description: string; readonly tags: Entries },
  ): Promise<string> {
    const { modelId, runId, description, tags } = model;
    const body = {
      name,
      source: `models:/${modelId}`,
      run_id: runId,
      model_id: modelId,
      description,
      tags: pairs(tags),
    };
    const answer = (await this.#create("model-versions/create", body)) as { model_version: RawVersion };
    return String(answer.model_version.version);
  }

  async getModelVersion(name: string, version: string): Promise<ModelVersion | undefined> {
    const answer = await orUndefined(this.#get("model-versions/get", { name, version }));
    return answer === undefined ? undefined : readVersion((answer as { model_version: RawVersion }).model_version);
  }

  async getVersionByAlias(name: string, alias: string): Promise<ModelVersion | undefined> {
    const answer = await orUndefined(this.#get("registered-models/alias", { name, alias }));
    return answer === undefined ? undefined : readVersion((answer as { model_version: RawVersion }).model_version);
  }

  /** Versions of a registered model that a run has made. */
  async versionsOfRun(name: string, runId: string): Promise<ModelVersion[]> {
    const filter = `name = '${name}' and run_id = '${runId}'`;
    const answer = (await this.#get("model-versions/search", { filter })) as { model_versions?: RawVersion[] };
    return (answer.model_versions ?? []).map(readVersion);
  }

  async setAlias(name: string, alias: string, version: string): Promise<void> {
    await this.#post("registered-models/alias", { name, alias, version });
  }

  // --- calls -----------------------------------------------------------------------------------------------

  #get(path: string, query: Entries = {}): Promise<unknown> {
    return this.#http.get(`${API}/${path}`, query);
  }

  /** A call whose repetition changes nothing. */
  #post(path: string, body: unknown): Promise<unknown> {
    return this.#http.send("POST", `${API}/${path}`, body, "safe");
  }

  /** A call whose repetition would make a second one. */
  #create(path: string, body: unknown): Promise<unknown> {
    return this.#http.send("POST", `${API}/${path}`, body, "once");
  }
}

const isCode = (error: unknown, code: string): boolean => error instanceof MlflowError && error.errorCode === code;

/** Undefined for what is not there; MLflow says so in two ways. */
async function orUndefined(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (isCode(error, "RESOURCE_DOES_NOT_EXIST") || isCode(error, "INVALID_PARAMETER_VALUE")) return undefined;
    throw error;
  }
}
