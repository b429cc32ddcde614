/**
 * A tracked run: what went into a training and what came out, in a folder of its own under `mlruns/`.
 *
 * The folder is written aside and renamed, so a run is there whole or not at all.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { asidePath, ChurnError, type Lineage, type Metrics, makeFolders, removeAbandoned } from "@churn/contract";

export interface Run {
  readonly runId: string;
  readonly experiment: string;
  readonly name: string;
  /** ISO 8601. */
  readonly startTime: string;
  readonly endTime: string;
  readonly params: Readonly<Record<string, string | number>>;
  readonly metrics: Metrics;
  readonly tags: Readonly<Record<string, string>>;
  readonly lineage: Lineage;
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

/** @returns the run's folder */
export function writeRun(folder: string, run: Run): string {
  const experiment = join(folder, encodeURIComponent(run.experiment).replaceAll(".", "%2E")); // "..", too, stays inside
  const final = join(experiment, run.runId);
  const anyRun = join(experiment, "run"); // ids differ: under one name, the next run removes what this one may leave
  const aside = asidePath(anyRun);
  try {
    makeFolders(resolve(experiment));
    removeAbandoned(anyRun);
    mkdirSync(aside);
    writeFileSync(join(aside, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
    renameSync(aside, final);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw error;
  }
  return final;
}
