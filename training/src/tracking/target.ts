/** Where runs go, by MLflow's own environment variables: a tracking server, or a folder. */
import { fileURLToPath } from "node:url";
import { ChurnError } from "@churn/contract";

export interface TrackingTarget {
  /** Of the runs; with a server, of those that wait for it. */
  readonly folder: string;
  readonly experiment: string;
  /** Address of a tracking server. */
  readonly server?: string | undefined;
  /** Set when the wish could not be met. */
  readonly warning?: string | undefined;
}

const DEFAULT_FOLDER = "mlruns";
/** Not the folder itself: an MLflow server that is started beside it would take it for its own store. */
const WAITING_FOLDER = "mlruns/waiting";

/**
 * Tracking never stops a training: an address that this program does not speak to becomes the local folder, and a
 * warning.
 *
 * @throws CHURN_ERR_OPTION_INVALID for an address that is none
 */
export function trackingTarget(environment: NodeJS.ProcessEnv): TrackingTarget {
  const uri = environment.MLFLOW_TRACKING_URI?.trim() || `file:./${DEFAULT_FOLDER}`;
  const experiment = environment.MLFLOW_EXPERIMENT_NAME?.trim() || "churn";
  if (/^https?:/i.test(uri)) {
    if (!URL.canParse(uri) || new URL(uri).hostname === "") {
      const message = `MLFLOW_TRACKING_URI: expected http://host:port of a tracking server, got "${concealed(uri)}"`;
      throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
    }
    return { folder: WAITING_FOLDER, experiment, server: uri };
  }
  if (/^(?!file:)[a-z][a-z0-9+.-]+:/i.test(uri) || uri === "databricks") {
    const warning =
      `MLFLOW_TRACKING_URI: expected http://…, https://… or file:…, got "${concealed(uri)}": for a database, start ` +
      "`mlflow server --backend-store-uri …` and name its address";
    return { folder: DEFAULT_FOLDER, experiment, warning };
  }
  return { folder: folderOf(uri), experiment };
}

/**
 * Where runs and models are read from: what is asked for, and nothing in its place.
 *
 * @throws CHURN_ERR_OPTION_INVALID for an address that is none, or that this program does not speak to
 */
export function readingTarget(environment: NodeJS.ProcessEnv): TrackingTarget {
  const target = trackingTarget(environment);
  if (target.warning === undefined) return target;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", target.warning);
}

/** The folder of a `file:` address, or a path as it is. @throws CHURN_ERR_OPTION_INVALID */
function folderOf(address: string): string {
  if (!address.startsWith("file://")) return address.replace(/^file:/, "");
  try {
    return fileURLToPath(address);
  } catch (cause) {
    const message = `MLFLOW_TRACKING_URI: expected file:///path of a folder, got "${address}": ${(cause as Error).message}`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message, { cause });
  }
}

/** An address as messages may show it, even one that is none: who it is for stays out of logs. */
const concealed = (address: string): string => address.replace(/\/\/.*@/s, "//…@");

/** An address as messages may show it. */
export function withoutCredentials(address: string): string {
  const url = new URL(address);
  url.username = "";
  url.password = "";
  return url.href.replace(/\/$/, "");
}
