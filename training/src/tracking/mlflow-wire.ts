/** What goes over the wire to an MLflow server and back, in this program's types. */
import type { DatasetInput, MetricPoint, RunData, RunInfo, RunStatus } from "./run.ts";

/** Where a server keeps a thing, and its files. */
export interface Stored {
  readonly id: string;
  readonly artifactUri: string;
}

export interface ServerRun extends RunInfo, RunData {
  readonly isDeleted: boolean;
  readonly artifactUri: string;
  readonly modelIds: readonly string[];
}

export interface ModelVersion {
  readonly version: string;
  readonly modelId: string | undefined;
  readonly runId: string | undefined;
  readonly source: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type Entries = Readonly<Record<string, string>>;
export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** As MLflow's JSON has it; what is empty is left out. */
export interface RawRun {
  readonly info: {
    readonly run_id: string;
    readonly run_name?: string;
    readonly status: RunStatus;
    readonly start_time: number | string;
    readonly end_time?: number | string;
    readonly lifecycle_stage: string;
    readonly artifact_uri: string;
  };
  readonly data?: {
    readonly params?: readonly Pair[];
    readonly tags?: readonly Pair[];
    readonly metrics?: readonly {
      key: string;
      value: number | string;
      step?: number | string;
      timestamp: number | string;
    }[];
  };
  readonly inputs?: {
    readonly dataset_inputs?: readonly {
      readonly tags?: readonly Pair[];
      readonly dataset: Readonly<Record<"name" | "digest" | "source_type" | "source" | "schema" | "profile", string>>;
    }[];
  };
  readonly outputs?: { readonly model_outputs?: readonly { readonly model_id: string }[] };
}

export interface RawModel {
  readonly model: { readonly info: { readonly model_id: string; readonly artifact_uri: string } };
}

export interface RawVersion {
  readonly version: string | number;
  readonly model_id?: string;
  readonly run_id?: string;
  readonly source: string;
  readonly tags?: readonly Pair[];
}

export function readRun({ info, data = {}, inputs = {}, outputs = {} }: RawRun): ServerRun {
  return {
    runId: info.run_id,
    name: info.run_name ?? "",
    status: info.status,
    startTime: Number(info.start_time),
    endTime: info.end_time ? Number(info.end_time) : null,
    isDeleted: info.lifecycle_stage !== "active",
    artifactUri: info.artifact_uri,
    modelIds: (outputs.model_outputs ?? []).map(({ model_id: id }) => id),
    params: entries(data.params),
    tags: entries(data.tags),
    metrics: (data.metrics ?? []).map(({ key, value, step = 0, timestamp }) => ({
      key,
      value: Number(value),
      step: Number(step),
      timestamp: Number(timestamp),
    })),
    inputs: (inputs.dataset_inputs ?? []).map(({ dataset, tags }) => ({
      name: dataset.name,
      digest: dataset.digest,
      sourceType: dataset.source_type,
      source: dataset.source,
      schema: dataset.schema,
      profile: dataset.profile,
      context: entries(tags)["mlflow.data.context"] as DatasetInput["context"],
    })),
  };
}

export function readModel(answer: unknown): Stored {
  const { info } = (answer as RawModel).model;
  return { id: info.model_id, artifactUri: info.artifact_uri };
}

export function readVersion({ version, model_id: modelId, run_id: runId, source, tags }: RawVersion): ModelVersion {
  return {
    version: String(version),
    modelId: modelId || undefined,
    runId: runId || undefined,
    source,
    tags: entries(tags),
  };
}

/** JSON has no NaN and no infinity: MLflow takes them as texts. */
export function wirePoint({ key, value, step, timestamp }: MetricPoint) {
  return { key, value: Number.isFinite(value) ? value : String(value), step, timestamp };
}

export const pairs = (of: Entries): Pair[] => Object.entries(of).map(([key, value]) => ({ key, value }));
const entries = (of: readonly Pair[] = []): Record<string, string> =>
  Object.fromEntries(of.map(({ key, value }) => [key, value]));

/** Characters that one call may carry, with room for what is around them. */
const BATCH_CHARACTERS = 900_000;

/** In order; each of at most so many items, and of few enough characters for one call. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  const result: T[][] = [];
  let characters = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const length = JSON.stringify(item).length + 1;
    const last = result.at(-1);
    if (last === undefined || last.length === size || characters + length > BATCH_CHARACTERS) {
      result.push([item]);
      characters = length;
    } else {
      last.push(item);
      characters += length;
    }
  }
  return result;
}
