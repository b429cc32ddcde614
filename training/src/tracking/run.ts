/**
 * A tracked run: what went into a training and what came out, in a folder of its own under `mlruns/`.
 *
 * The folder is written aside and renamed, so a run is there whole or not at all.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { asidePath, ChurnError, type Lineage, type Metrics, makeFolders, removeAbandoned } from "@churn/contract";
import type { Logger } from "../logger.ts";

export interface Run {
  readonly runId: string;
  readonly name: string;
  /** ISO 8601. */
  readonly startTime: string;
  readonly endTime: string;
  readonly params: Readonly<Record<string, string | number>>;
  readonly metrics: Metrics;
  readonly tags: Readonly<Record<string, string>>;
  /** Of a run that made a model. */
  readonly lineage?: Lineage;
}

/** Where runs go, by MLflow's own environment variables. */
export interface TrackingTarget {
  readonly folder: string;
  readonly experiment: string;
  /** Set when the wish could not be met. */
  readonly warning?: string;
}

/**
 * Tracking never stops a training: a target this version cannot reach becomes the local folder, and a warning.
 *
 * @throws CHURN_ERR_OPTION_INVALID for an address that is none
 */
export function trackingTarget(environment: NodeJS.ProcessEnv): TrackingTarget {
  const uri = environment.MLFLOW_TRACKING_URI || "file:./mlruns";
  const experiment = environment.MLFLOW_EXPERIMENT_NAME || "churn";
  if (/^(?!file:)[a-z][a-z0-9+.-]+:/i.test(uri) || uri === "databricks") {
    return {
      folder: "mlruns",
      experiment,
      warning: `MLFLOW_TRACKING_URI: this version tracks to a folder only, got "${uri}"`,
    };
  }
  return { folder: uri.startsWith("file://") ? pathOf(uri) : uri.replace(/^file:/, ""), experiment };
}

function pathOf(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    const message = `MLFLOW_TRACKING_URI: expected file:///path of a folder, got "${uri}": ${(cause as Error).message}`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message, { cause });
  }
}

/** A new name for a run, as MLflow makes them. */
export const newRunId = (): string => randomUUID().replaceAll("-", "");

/** A run that cannot be written is a warning: tracking never costs a model. @returns its folder, or null */
export function trackRun(target: TrackingTarget, log: Logger, run: Run): string | null {
  try {
    return writeRun(target, run);
  } catch (error) {
    const message = `the run could not be written to ${join(target.folder, target.experiment)}`;
    log.warn({ event: "tracking.failed", reason: (error as Error).message }, message);
    return null;
  }
}

/** @returns the run's folder */
function writeRun({ folder, experiment: name }: TrackingTarget, run: Run): string {
  const experiment = join(folder, encodeURIComponent(name).replaceAll(".", "%2E")); // "..", too, stays inside
  const final = join(experiment, run.runId);
  const anyRun = join(experiment, "run"); // ids differ: under one name, the next run removes what this one may leave
  const aside = asidePath(anyRun);
  try {
    makeFolders(resolve(experiment));
    removeAbandoned(anyRun);
    mkdirSync(aside);
    writeFileSync(join(aside, "run.json"), `${JSON.stringify({ ...run, experiment: name }, null, 2)}\n`);
    renameSync(aside, final);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
  return final;
}
