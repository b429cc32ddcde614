/** Runs and logged models from files of MLflow's file store, whoever wrote them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { isFolder } from "@churn/contract";
import type { Artifact } from "../mlflow/artifact.ts";
import { decodeYaml, type YamlMap } from "../mlflow/yaml.ts";
import type { DatasetInput, LoggedModel, MetricPoint, Run, RunData, RunInfo, RunStatus } from "./run.ts";

export const META_FILE = "meta.yaml";
/** MLflow's numbers of them: the place in this list, and one. */
export const STATUSES: readonly RunStatus[] = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];

export interface Experiment {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
}

/** Undefined for a deleted run. @throws Error for a folder that is no run */
export function readInfo(folder: string): RunInfo | undefined {
  const meta = readMeta(folder);
  const { run_id: runId, run_name: name = "", status, start_time: start, end_time: end, lifecycle_stage: stage } = meta;
  const named = STATUSES[Number(status) - 1];
  // A copy of a run by hand is none: it would be the same run twice.
  const isRun = runId === basename(folder) && named !== undefined && /^\d+$/.test(String(start));
  if (!isRun) throw new Error("no run");
  if (stage === "deleted") return undefined;
  const endTime = /^\d+$/.test(String(end)) ? Number(end) : null;
  return { runId, name: String(name), status: named, startTime: Number(start), endTime };
}

/** @throws Error for a run that is damaged or deleted */
export function readRun(experiment: Experiment, runId: string): Run {
  const folder = join(experiment.folder, runId);
  const [modelId] = subfolders(join(folder, "outputs"));
  return {
    ...readData(experiment, runId),
    artifacts: readArtifacts(join(folder, "artifacts")),
    model: modelId === undefined ? undefined : readModel(join(experiment.folder, "models", modelId)),
  };
}

/** A run without its files. @throws Error for one that is damaged or deleted */
export function readData(experiment: Experiment, runId: string): RunInfo & RunData {
  const folder = join(experiment.folder, runId);
  const info = readInfo(folder);
  if (info === undefined) throw new Error(`run ${runId} is deleted`);
  return {
    ...info,
    params: readEntries(join(folder, "params")),
    metrics: readMetrics(join(folder, "metrics")),
    tags: readEntries(join(folder, "tags")),
    inputs: subfolders(join(folder, "inputs")).map((id) => readInput(experiment, readMeta(join(folder, "inputs", id)))),
  };
}

function readInput({ folder }: Experiment, { source_id: id, tags }: YamlMap): DatasetInput {
  const meta = readMeta(join(folder, "datasets", String(id)));
  const text = (name: string): string => String(meta[name] ?? "");
  return {
    name: text("name"),
    digest: text("digest"),
    sourceType: text("source_type"),
    source: text("source"),
    schema: text("schema"),
    profile: text("profile"),
    context: (tags as YamlMap)["mlflow.data.context"] as DatasetInput["context"],
  };
}

function readModel(folder: string): LoggedModel {
  const { model_id: modelId, name } = readMeta(folder);
  const metrics = readLines(join(folder, "metrics")).map(({ key, fields }) => {
    const [, , , , datasetName = "", datasetDigest = ""] = fields;
    return { ...pointOf(key, fields), datasetName, datasetDigest };
  });
  return {
    modelId: String(modelId),
    name: String(name),
    params: readEntries(join(folder, "params")),
    metrics,
    tags: readEntries(join(folder, "tags")),
    files: readArtifacts(join(folder, "artifacts")),
  };
}

const readMetrics = (folder: string): MetricPoint[] => readLines(folder).map(({ key, fields }) => pointOf(key, fields));

/** @throws Error for a line that is no point */
function pointOf(key: string, [timestamp, value = "", step = "0"]: readonly string[]): MetricPoint {
  const point = { key, value: numberOf(value), step: Number(step), timestamp: Number(timestamp) };
  const isNumber = value !== "" && (!Number.isNaN(point.value) || /^[-+]?nan$/i.test(value));
  if (isNumber && Number.isInteger(point.step) && Number.isInteger(point.timestamp)) return point;
  throw new Error(`metric ${key}: expected lines of timestamp, value and step`);
}

/** As Python writes numbers. */
function numberOf(text: string): number {
  if (/^[-+]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text); // `nan` too
}

function readLines(folder: string): { readonly key: string; readonly fields: readonly string[] }[] {
  return Object.entries(readEntries(folder)).flatMap(([key, text]) =>
    text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => ({ key, fields: line.trim().split(/\s+/) })),
  );
}

/** The files below a folder, by their paths with slashes. */
export function readEntries(folder: string): Record<string, string> {
  return Object.fromEntries(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

const readArtifacts = (folder: string): Artifact[] =>
  filesBelow(folder).map((path) => ({ path, file: join(folder, path) }));

function filesBelow(folder: string, prefix = ""): string[] {
  if (!isFolder(join(folder, prefix))) return [];
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${prefix}${entry.name}`;
      if (entry.isDirectory()) return filesBelow(folder, `${path}/`);
      if (entry.isFile() || statSync(join(folder, path)).isFile()) return [path];
      throw new Error(`${join(folder, path)}: expected a file`); // reading a pipe would never end
    });
}

export function subfolders(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name);
}

const readMeta = (folder: string): YamlMap => decodeYaml(readFileSync(join(folder, META_FILE), "utf8"));

export function tryReadMeta(folder: string): YamlMap | undefined {
  try {
    return readMeta(folder);
  } catch {
    return undefined;
  }
}
