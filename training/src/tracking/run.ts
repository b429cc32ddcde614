/**
 * A tracked run, as MLflow knows one: what went into a piece of work and what came out. A plain value, the same in a
 * folder and on a server.
 */
import { randomUUID } from "node:crypto";
import type { Artifact } from "../mlflow/artifact.ts";

export type RunStatus = "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";

/** What a list of runs shows. */
export interface RunInfo {
  readonly runId: string;
  readonly name: string;
  readonly status: RunStatus;
  /** Milliseconds since 1970. */
  readonly startTime: number;
  /** Null while it runs. */
  readonly endTime: number | null;
}

/** The settings and the figures of a run. */
export interface RunData {
  readonly params: Readonly<Record<string, string>>;
  /** Every point of every curve. */
  readonly metrics: readonly MetricPoint[];
  readonly tags: Readonly<Record<string, string>>;
  readonly inputs: readonly DatasetInput[];
}

export interface Run extends RunInfo, RunData {
  readonly artifacts: readonly Artifact[];
  /** The model that it made. */
  readonly model?: LoggedModel | undefined;
}

export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  /** 0 for a figure that is no curve. */
  readonly step: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** A data set that a run has read. */
export interface DatasetInput {
  readonly name: string;
  /** At most 36 characters. */
  readonly digest: string;
  readonly sourceType: string;
  /** JSON, as the next two. */
  readonly source: string;
  readonly schema: string;
  readonly profile: string;
  /** MLflow's `mlflow.data.context`. */
  readonly context: "training" | "validation" | "test" | "eval";
}

/** A model in MLflow's sense: a folder with an `MLmodel`. */
export interface LoggedModel {
  /** `m-` and 32 hexadecimal digits. */
  readonly modelId: string;
  readonly name: string;
  readonly params: Readonly<Record<string, string>>;
  /** Figures of data sets among the run's inputs, by name and digest. */
  readonly metrics: readonly (MetricPoint & { readonly datasetName: string; readonly datasetDigest: string })[];
  readonly tags: Readonly<Record<string, string>>;
  readonly files: readonly Artifact[];
  /** Asks for a version of a registered model. */
  readonly registration?: Registration | undefined;
}

/** A version of a registered model, to be made. */
export interface Registration {
  readonly name: string;
  readonly alias: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A new name for a run, as MLflow makes them. */
export const newRunId = (): string => randomUUID().replaceAll("-", "");

/** A new name for a logged model. */
export const newModelId = (): string => `m-${newRunId()}`;
