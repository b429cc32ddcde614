/**
 * Registered models in a folder, in the layout of MLflow's own file store:
 *
 *     mlruns/models/<name>/                meta.yaml aliases/ tags/
 *     mlruns/models/<name>/version-<n>/    meta.yaml tags/
 *
 * @source mlflow/store/model_registry/file_store.py (3.17)
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { asidePath, ChurnError, makeFolders, removeAbandoned } from "@churn/contract";
import { encodeYaml } from "../mlflow/yaml.ts";
import { META_FILE, tryReadMeta } from "./file-reader.ts";
import type { FileStore } from "./file-store.ts";
import { writeEntries } from "./file-writer.ts";
import { describeVersion, type VersionUri } from "./model-uri.ts";
import type { LoggedModel, Registration } from "./run.ts";

/** Makes the next version of a registered model, from a logged model of the store, and points the alias to it. @returns its number */
export function registerVersion(
  store: FileStore,
  { modelId, runId }: Pick<LoggedModel, "modelId"> & { readonly runId: string },
  { name, alias, description, tags }: Registration,
  now: number,
): string {
  const folder = makeModel(store, name, now);
  const aside = asidePath(join(folder, "version"));
  const model = store.modelFolder(modelId);
  try {
    removeAbandoned(join(folder, "version"));
    mkdirSync(join(aside, "tags"), { recursive: true });
    writeEntries(join(aside, "tags"), tags);
    for (let version = latestVersion(folder) + 1; ; version++) {
      const meta = {
        creation_timestamp: now,
        current_stage: "None",
        description,
        last_updated_timestamp: now,
        model_id: modelId,
        name,
        run_id: runId,
        run_link: null,
        source: `models:/${modelId}`,
        status: "READY",
        status_message: null,
        storage_location: pathToFileURL(join(model, "artifacts")).href,
        user_id: null,
        version,
      };
      writeFileSync(join(aside, META_FILE), encodeYaml(meta));
      if (!tryRename(aside, join(folder, `version-${version}`))) continue; // another program has that number
      writeEntries(join(model, "tags"), { "mlflow.modelVersions": JSON.stringify([{ name, version }]) });
      setAlias(store, name, alias, String(version));
      return String(version);
    }
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** @throws CHURN_ERR_FILE_MISSING when there is no such version */
export function setAlias(store: FileStore, name: string, alias: string, version: string): void {
  findVersion(store, { kind: "version", name, version });
  const folder = modelFolder(store, name);
  const aside = asidePath(join(folder, alias)); // not within aliases/, where each file is one
  makeFolders(join(folder, "aliases"));
  writeFileSync(aside, version);
  renameSync(aside, join(folder, "aliases", alias));
}

/** A version and the logged model behind it. @throws CHURN_ERR_FILE_MISSING when there is none */
export function findVersion(store: FileStore, uri: VersionUri): { readonly version: string; readonly modelId: string } {
  const folder = modelFolder(store, uri.name);
  const version = uri.kind === "version" ? uri.version : readAlias(folder, uri.alias);
  const path = join(folder, `version-${version}`);
  if (version === undefined || !existsSync(join(path, META_FILE))) {
    throw new ChurnError("CHURN_ERR_FILE_MISSING", `no ${describeVersion(uri)} in ${store.root}`);
  }
  const modelId = tryReadMeta(path)?.model_id;
  if (typeof modelId === "string" && modelId.startsWith("m-")) return { version, modelId };
  const message = `${join(path, META_FILE)}: expected a version of a logged model, with its model_id`;
  throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", message);
}

const modelFolder = (store: FileStore, name: string): string => join(store.root, "models", name);

function readAlias(folder: string, alias: string): string | undefined {
  const path = join(folder, "aliases", alias);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}

function makeModel(store: FileStore, name: string, now: number): string {
  const folder = modelFolder(store, name);
  makeFolders(folder);
  const meta = {
    aliases: {},
    creation_timestamp: now,
    deployment_job_id: null,
    deployment_job_state: null,
    description: null,
    last_updated_timestamp: now,
    name,
  };
  if (tryReadMeta(folder) === undefined) {
    const aside = asidePath(join(folder, META_FILE));
    writeFileSync(aside, encodeYaml(meta));
    renameSync(aside, join(folder, META_FILE));
  }
  return folder;
}

function latestVersion(folder: string): number {
  const numbers = readdirSync(folder).map((entry) => Number(/^version-(\d+)$/.exec(entry)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/** @returns false when something is there already */
function tryRename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (existsSync(to)) return false;
    throw error;
  }
}
