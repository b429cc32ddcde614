/** Verification of committed models: checksums and the ledger, and the champion trained again where that can be. */
import { readModelDirectory } from "@churn/contract";
import { type Verification, verifyModels } from "./registry/verification.ts";
import { type Rebuild, type RebuildOptions, rebuildModel } from "./retraining/rebuild.ts";

export interface VerifyOptions extends RebuildOptions {
  readonly model: string;
  /** Whether to train the champion again where code and data are here. */
  readonly rebuild: boolean;
}

export interface VerifyResult extends Verification {
  /** Null where it was not asked for, or checksums are wrong already. */
  readonly rebuilt: Rebuild | null;
}

/** @throws what reading data and training throw; what is wrong with models is a problem of the result */
export async function verify({ model, rebuild, ...options }: VerifyOptions): Promise<VerifyResult> {
  const { verified, problems } = verifyModels(model);
  if (problems.length > 0 || !rebuild) return { verified, problems, rebuilt: null };
  const rebuilt = await rebuildModel(readModelDirectory(model).manifest, model, options);
  return { verified, problems: rebuilt.outcome === "different" ? [`${model}: ${rebuilt.note}`] : [], rebuilt };
}
