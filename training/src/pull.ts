/** Fetching a model from MLflow into a model directory, which is all that serving knows. */
import { ChurnError, checkReplaceable, installModelDirectory, type ModelManifest } from "@churn/contract";
import { checkLedger } from "./registry/ledger.ts";
import { replaceChampion } from "./registry/succession.ts";
import { checkPlace } from "./staged-output.ts";
import { MlflowError } from "./tracking/mlflow-http.ts";
import { modelSource } from "./tracking/model-source.ts";
import { parseModelUri } from "./tracking/model-uri.ts";
import type { TrackingTarget } from "./tracking/target.ts";

export interface PullOptions {
  /** `models:/churn@champion`, `models:/churn/3`, `models:/m-…` or `runs:/…` */
  readonly uri: string;
  readonly out: string;
  readonly tracking: TrackingTarget;
  readonly now: () => Date;
}

/**
 * Verifies what it has fetched before it replaces anything.
 *
 * @throws CHURN_ERR_OPTION_INVALID, CHURN_ERR_FILE_MISSING, CHURN_ERR_TRACKING_SERVER, CHURN_ERR_MODEL_INVALID, CHURN_ERR_FILE_UNWRITABLE
 */
export async function pullModel({ uri, out, tracking, now }: PullOptions): Promise<ModelManifest> {
  const parsed = parseModelUri(uri);
  checkReplaceable(out);
  checkPlace(out);
  checkLedger(out);
  const source = modelSource(tracking);
  const files = await source.fetch(parsed).catch((cause) => {
    const isElsewhere = cause instanceof MlflowError && cause.errorCode === "RESOURCE_DOES_NOT_EXIST";
    if (cause instanceof ChurnError && !isElsewhere) throw cause;
    throw new ChurnError("CHURN_ERR_FILE_MISSING", `${uri}: not in ${source.place}: ${cause.message}`, { cause });
  });
  const replacement = { at: now(), reason: `churn models pull ${uri}` };
  return replaceChampion(out, replacement, () => installModelDirectory(out, files).manifest);
}
