/**
 * Sending a run that waits in the local folder to its server: once, whatever happens meanwhile.
 *
 * The server is brought to the state of the run, step by step. Before anything is made, it is looked for; everything
 * else can be said twice without harm. So a sending that was cut off, at whatever point, is completed by the next one.
 * The run leaves the folder when the server has all of it.
 */
import { openAsBlob } from "node:fs";
import { extname, join } from "node:path";
import type { Artifact } from "../mlflow/artifact.ts";
import { identified, MLMODEL_FILE } from "../mlflow/model-folder.ts";
import type { FileStore } from "./file-store.ts";
import { withLock } from "./lock.ts";
import type { MlflowClient } from "./mlflow-client.ts";
import type { Stored } from "./mlflow-wire.ts";
import type { LoggedModel, Registration, Run } from "./run.ts";
import { asSent } from "./waiting.ts";

/** The tag by which a server's run is known: the name that it had here. */
const ORIGIN = "churn.run_id";
const PARENT = "mlflow.parentRunId";
/** Beside the experiments, where no reader looks. */
const LOCK_FILE = ".push.lock";
/** For another program's run to be sent: a server that does not answer holds up one training, not all that come after it. */
const PATIENCE_MS = 60_000;
/** Uploads at once. */
const UPLOADS = 4;

/** A run on the server. */
export interface SentRun {
  readonly runId: string;
  /** Its page. */
  readonly url: string;
  /** Of the registered model, where one was asked for. */
  readonly version: string | undefined;
}

/**
 * @returns undefined when another program has sent it meanwhile, or it was deleted on the server
 * @throws MlflowError when the server does not take all of it; Error for a run that is damaged
 */
export function pushRun(store: FileStore, runId: string, client: MlflowClient): Promise<SentRun | undefined> {
  return withLock(join(store.root, LOCK_FILE), PATIENCE_MS, async () => {
    if (!store.hasRun(runId)) return undefined;
    const { experiment, ...waiting } = store.readRun(runId);
    const run = asSent(waiting);
    const experimentId = await client.experimentId(experiment);
    const existing = await findByOrigin(client, experimentId, run.runId);
    if (existing?.isDeleted) {
      store.removeRun(runId); // it has been there, and somebody did not want it
      return undefined;
    }
    const stored = existing ?? (await createRun(store, client, experimentId, run));
    await client.logBatch(stored.id, { params: run.params, metrics: run.metrics });
    await client.logInputs(stored.id, run.inputs);
    await upload(client, stored.artifactUri, run.artifacts);
    const version = run.model && (await sendModel(client, experimentId, stored.id, run.model));
    await client.endRun(stored.id, run.status, run.endTime);
    store.removeRun(runId);
    const url = `${client.address}/#/experiments/${experimentId}/runs/${stored.id}`;
    return { runId: stored.id, url, version };
  });
}

/** @throws Error for a run whose parent is not there yet: it could not name it later */
async function createRun(store: FileStore, client: MlflowClient, experimentId: string, run: Run): Promise<Stored> {
  const parent = run.tags[PARENT];
  const sentParent = parent === undefined ? undefined : await findByOrigin(client, experimentId, parent);
  if (parent !== undefined && sentParent === undefined && store.hasRun(parent)) {
    throw new Error(`its parent ${parent} has to be sent first`);
  }
  const tags = { ...run.tags, [ORIGIN]: run.runId, ...(sentParent && { [PARENT]: sentParent.id }) };
  return client.createRun(experimentId, { ...run, tags });
}

async function findByOrigin(
  client: MlflowClient,
  experimentId: string,
  runId: string,
): Promise<(Stored & { readonly isDeleted: boolean }) | undefined> {
  const filter = `tags.\`${ORIGIN}\` = '${runId}'`;
  const [found] = await client.searchRuns(experimentId, { filter, limit: 1, view: "ALL" });
  return found && { id: found.runId, artifactUri: found.artifactUri, isDeleted: found.isDeleted };
}

/** @returns the number of the registered version, where one is asked for */
async function sendModel(
  client: MlflowClient,
  experimentId: string,
  runId: string,
  model: LoggedModel,
): Promise<string | undefined> {
  const stored =
    (await client.findLoggedModel(experimentId, runId)) ?? (await client.createLoggedModel(experimentId, runId, model));
  const { modelIds } = await client.getRun(runId);
  if (!modelIds.includes(stored.id)) await client.logOutput(runId, stored.id);
  await client.logModelMetrics(runId, stored.id, model.metrics);
  await upload(client, stored.artifactUri, model.files, async (body) => {
    const identity = { modelId: stored.id, runId, artifactPath: stored.artifactUri };
    return new Blob([identified(await body.text(), identity)]);
  });
  await client.finishLoggedModel(stored.id);
  return model.registration && register(client, runId, stored.id, model.registration);
}

async function register(
  client: MlflowClient,
  runId: string,
  modelId: string,
  { name, alias, description, tags }: Registration,
): Promise<string> {
  await client.ensureRegisteredModel(name);
  const [existing] = await client.versionsOfRun(name, runId);
  const version = existing?.version ?? (await client.createModelVersion(name, { modelId, runId, description, tags }));
  const current = await client.getVersionByAlias(name, alias);
  // A run may have waited long: the alias stays with a model that was made after it. Versions begin with their time.
  const isNewest = current === undefined || (current.tags.model_version ?? "") <= (tags.model_version ?? "");
  if (isNewest) await client.setAlias(name, alias, version);
  return version;
}

/** @param mlmodel What becomes of the one file that says whose it is. */
async function upload(
  client: MlflowClient,
  artifactUri: string,
  artifacts: readonly Artifact[],
  mlmodel: (body: Blob) => Promise<Blob> = async (body) => body,
): Promise<void> {
  const queue = [...artifacts];
  const sendNext = async (): Promise<void> => {
    for (let artifact = queue.shift(); artifact !== undefined; artifact = queue.shift()) {
      try {
        const body = await blobOf(artifact);
        const { path } = artifact;
        await client.putArtifact(artifactUri, path, path === MLMODEL_FILE ? await mlmodel(body) : body);
      } catch (error) {
        queue.length = 0; // the others end what they are at
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: UPLOADS }, sendNext));
  const failure = results.find(({ status }) => status === "rejected");
  if (failure?.status === "rejected") throw failure.reason;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".json": "application/json",
  ".md": "text/markdown",
  ".svg": "image/svg+xml",
};

/** A file is read as it is sent, so that its size does not matter. */
async function blobOf(artifact: Artifact): Promise<Blob> {
  const type = TYPES[extname(artifact.path)] ?? "application/octet-stream";
  if ("file" in artifact) return openAsBlob(artifact.file, { type });
  const { content } = artifact;
  return new Blob([typeof content === "string" ? content : new Uint8Array(content)], { type });
}
