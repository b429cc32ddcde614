/**
 * Runs and logged models as files of MLflow's file store. Each is written aside and renamed: a reader finds it whole or
 * not at all.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { asidePath, makeFolders, removeAbandoned } from "@churn/contract";
import type { Artifact } from "../mlflow/artifact.ts";
import { identified, MLMODEL_FILE } from "../mlflow/model-folder.ts";
import { encodeYaml } from "../mlflow/yaml.ts";
import { type Experiment, META_FILE, STATUSES } from "./file-reader.ts";
import type { DatasetInput, LoggedModel, MetricPoint, Run } from "./run.ts";

/** MLflow's number of a logged model that is whole. */
const READY = 2;

/** @returns the run's folder @throws Error when it cannot be written */
export function writeRun(experiment: Experiment, run: Run): string {
  const folder = join(experiment.folder, run.runId);
  for (const input of run.inputs) writeDataset(experiment, input);
  writeAside(experiment, folder, (aside) => fillRun(aside, folder, experiment, run));
  return folder;
}

/** Takes a folder of an experiment away: a reader, or the next program when this one is killed, finds it whole or not at all. */
export function removeAtOnce({ folder }: Pick<Experiment, "folder">, path: string): void {
  const aside = asidePath(join(folder, "datasets", "new"));
  makeFolders(dirname(aside));
  rmSync(aside, { recursive: true, force: true });
  renameSync(path, aside);
  rmSync(aside, { recursive: true, force: true });
}

/** Makes a folder whole or not at all. What is being written stands among the data sets, where no reader looks for runs. */
function writeAside(experiment: Experiment, folder: string, fill: (aside: string) => void): void {
  const place = join(experiment.folder, "datasets", "new");
  const aside = asidePath(place);
  try {
    makeFolders(dirname(place));
    removeAbandoned(place);
    rmSync(aside, { recursive: true, force: true });
    mkdirSync(aside);
    fill(aside);
    makeFolders(dirname(folder));
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
}

function fillRun(aside: string, folder: string, { id }: Experiment, run: Run): void {
  const { runId, name, status, startTime, endTime, params, metrics, tags, inputs, artifacts, model } = run;
  // A run without these is none to MLflow, even where there is nothing in them.
  for (const part of ["params", "metrics", "tags", "artifacts"]) mkdirSync(join(aside, part));
  writeEntries(join(aside, "params"), params);
  writeEntries(join(aside, "tags"), { ...tags, "mlflow.runName": name });
  writeMetrics(join(aside, "metrics"), metrics, () => "");
  writeArtifacts(join(aside, "artifacts"), artifacts);
  for (const input of inputs) {
    const source = datasetId(input);
    writeMeta(join(aside, "inputs", md5(source + runId)), {
      source_type: "DATASET",
      source_id: source,
      destination_type: "RUN",
      destination_id: source, // as MLflow does
      tags: { "mlflow.data.context": input.context },
    });
  }
  if (model !== undefined) {
    writeMeta(join(aside, "outputs", model.modelId), {
      source_type: "RUN_OUTPUT",
      source_id: model.modelId,
      destination_type: "MODEL_OUTPUT",
      destination_id: model.modelId, // as MLflow does
      tags: {},
      step: 0,
    });
  }
  writeMeta(aside, {
    artifact_uri: uri(join(folder, "artifacts")),
    deleted_time: null,
    end_time: endTime,
    entry_point_name: "",
    experiment_id: id,
    lifecycle_stage: "active",
    run_id: runId,
    run_name: name,
    run_uuid: runId,
    source_name: "",
    source_type: 4,
    source_version: "",
    start_time: startTime,
    status: STATUSES.indexOf(status) + 1,
    tags: [],
    user_id: tags["mlflow.user"] ?? "",
  });
}

function writeDataset(experiment: Experiment, input: DatasetInput): void {
  const { name, digest, sourceType, source, schema, profile } = input;
  const folder = join(experiment.folder, "datasets", datasetId(input));
  if (existsSync(folder)) return;
  try {
    writeAside(experiment, folder, (aside) =>
      writeMeta(aside, { name, digest, source_type: sourceType, source, schema, profile }),
    );
  } catch (error) {
    if (!existsSync(folder)) throw error; // else another program was faster
  }
}

const datasetId = ({ name, digest }: DatasetInput): string => md5(name + digest);

/** @throws Error when it cannot be written */
export function writeModel(experiment: Experiment, runId: string, model: LoggedModel): void {
  const { modelId, name, params, metrics, tags, files } = model;
  const folder = join(experiment.folder, "models", modelId);
  const artifactPath = uri(join(folder, "artifacts"));
  writeAside(experiment, folder, (aside) => {
    for (const part of ["params", "metrics", "tags", "artifacts"]) mkdirSync(join(aside, part));
    writeEntries(join(aside, "params"), params);
    writeEntries(join(aside, "tags"), tags);
    writeMetrics(join(aside, "metrics"), metrics, (point) => ` ${runId} ${point.datasetName} ${point.datasetDigest}`);
    writeArtifacts(join(aside, "artifacts"), files);
    const mlmodel = join(aside, "artifacts", MLMODEL_FILE);
    writeFileSync(mlmodel, identified(readFileSync(mlmodel, "utf8"), { modelId, runId, artifactPath }));
    const [{ timestamp }] = metrics;
    writeMeta(aside, {
      artifact_location: artifactPath,
      creation_timestamp: timestamp,
      experiment_id: experiment.id,
      last_updated_timestamp: timestamp,
      lifecycle_stage: "active",
      model_id: modelId,
      model_type: null,
      name,
      source_run_id: runId,
      status: READY,
      status_message: null,
    });
  });
}

function writeMeta(folder: string, meta: Readonly<Record<string, unknown>>): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, META_FILE), encodeYaml(meta));
}

/** One file an entry, which holds its value and nothing else; a slash in a key makes a folder. */
export function writeEntries(folder: string, entries: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(entries)) {
    const path = join(folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, value);
  }
}

/** One file a metric, one line a point. @param rest What stands at the end of a line. */
function writeMetrics<T extends MetricPoint>(folder: string, points: readonly T[], rest: (point: T) => string): void {
  const lines = Map.groupBy(points, ({ key }) => key);
  for (const [key, ofKey] of lines) {
    const path = join(folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      ofKey.map((point) => `${point.timestamp} ${point.value} ${point.step}${rest(point)}\n`).join(""),
    );
  }
}

/** @returns bytes written */
export function writeArtifacts(folder: string, artifacts: readonly Artifact[]): number {
  let sizeBytes = 0;
  for (const artifact of artifacts) {
    const path = join(folder, artifact.path);
    mkdirSync(dirname(path), { recursive: true });
    if ("file" in artifact) copyFileSync(artifact.file, path);
    else writeFileSync(path, artifact.content);
    sizeBytes += statSync(path).size;
  }
  return sizeBytes;
}

const uri = (path: string): string => pathToFileURL(path).href;
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
