/** Where models are fetched from: the folder or the server that runs go to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChurnError, MODEL_FILES } from "@churn/contract";
import { DIRECTORY } from "../mlflow/model-folder.ts";
import { findVersion, setAlias } from "./file-registry.ts";
import { FileStore } from "./file-store.ts";
import { MlflowClient } from "./mlflow-client.ts";
import { MlflowError } from "./mlflow-http.ts";
import type { ModelVersion } from "./mlflow-wire.ts";
import { describeVersion, type ModelUri, type VersionUri } from "./model-uri.ts";
import type { TrackingTarget } from "./target.ts";

export interface ModelSource {
  /** As messages name it. */
  readonly place: string;
  /** The files of the model directory that a logged model carries. @throws Error when there is none */
  fetch(uri: ModelUri): Promise<Readonly<Record<string, Uint8Array>>>;
  /** The number of a version. @throws CHURN_ERR_FILE_MISSING when there is none */
  version(uri: VersionUri): Promise<string>;
  /** Points an alias to a version. @throws CHURN_ERR_FILE_MISSING when there is no such version */
  setAlias(name: string, version: string, alias: string): Promise<void>;
}

export function modelSource({ server, folder }: TrackingTarget): ModelSource {
  return server === undefined
    ? new FolderSource(new FileStore(folder))
    : new ServerSource(new MlflowClient(server, process.env));
}

class FolderSource implements ModelSource {
  readonly place: string;
  readonly #store: FileStore;

  constructor(store: FileStore) {
    this.#store = store;
    this.place = store.root;
  }

  async fetch(uri: ModelUri): Promise<Record<string, Uint8Array>> {
    const folder = join(this.#store.modelFolder(this.#modelId(uri)), "artifacts", DIRECTORY);
    return Object.fromEntries(MODEL_FILES.map((name) => [name, readFileSync(join(folder, name))]));
  }

  async version(uri: VersionUri): Promise<string> {
    return findVersion(this.#store, uri).version;
  }

  async setAlias(name: string, version: string, alias: string): Promise<void> {
    setAlias(this.#store, name, alias, version);
  }

  #modelId(uri: ModelUri): string {
    if (uri.kind === "model") return uri.modelId;
    if (uri.kind !== "run") return findVersion(this.#store, uri).modelId;
    const { model } = this.#store.readRun(uri.runId);
    if (model === undefined) throw missing(`run ${uri.runId} has no model`);
    return model.modelId;
  }
}

class ServerSource implements ModelSource {
  readonly place: string;
  readonly #client: MlflowClient;

  constructor(client: MlflowClient) {
    this.#client = client;
    this.place = client.address;
  }

  async fetch(uri: ModelUri): Promise<Record<string, Uint8Array>> {
    const { artifactUri } = await this.#client.getLoggedModel(await this.#modelId(uri));
    const fetched = MODEL_FILES.map(async (name): Promise<[string, Uint8Array]> => {
      return [name, await this.#client.getArtifact(artifactUri, `${DIRECTORY}/${name}`).catch(explainForeign)];
    });
    return Object.fromEntries(await Promise.all(fetched));
  }

  async version(uri: VersionUri): Promise<string> {
    return (await this.#find(uri)).version;
  }

  async setAlias(name: string, version: string, alias: string): Promise<void> {
    await this.#client.setAlias(name, alias, version);
  }

  async #modelId(uri: ModelUri): Promise<string> {
    if (uri.kind === "model") return uri.modelId;
    if (uri.kind === "run") {
      const [modelId] = (await this.#client.getRun(uri.runId)).modelIds;
      if (modelId === undefined) throw missing(`run ${uri.runId} has no model`);
      return modelId;
    }
    const { modelId, source } = await this.#find(uri);
    const id = modelId ?? /^models:\/(m-\w+)$/.exec(source)?.[1];
    if (id === undefined) throw missing(`it is no logged model but ${source}`);
    return id;
  }

  async #find(uri: VersionUri): Promise<ModelVersion> {
    const found =
      uri.kind === "alias"
        ? await this.#client.getVersionByAlias(uri.name, uri.alias)
        : await this.#client.getModelVersion(uri.name, uri.version);
    if (found === undefined) throw missing(`no ${describeVersion(uri)} at ${this.place}`);
    return found;
  }
}

const missing = (message: string): ChurnError => new ChurnError("CHURN_ERR_FILE_MISSING", message);

/** @throws CHURN_ERR_FILE_MISSING for a model that another program has logged */
function explainForeign(error: unknown): never {
  if (!(error instanceof MlflowError && error.status === 404)) throw error;
  throw missing(`the model has no folder "${DIRECTORY}": expected one that churn train has logged`);
}
