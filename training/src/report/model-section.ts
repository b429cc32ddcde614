/** What the model is and where it comes from. */
import type { Html, ModelManifest } from "@churn/contract";
import { facts } from "./facts.ts";
import { count, figure } from "./words.ts";

export function modelFacts({ manifest }: { readonly manifest: ModelManifest }): Html {
  const { version, contentSha256, threshold, forest, features, lineage, calibration } = manifest;
  const { data, code, engine } = lineage;
  const commit = code.commit ?? "outside a repository";
  return facts([
    ["Version", version],
    ["Content hash", contentSha256],
    ["Threshold", `${figure(threshold.value)}: ${threshold.reason}`],
    ["Forest", `${count(forest.nEstimators)} trees, depth at most ${forest.maxDepth}, ${count(forest.nNodes)} nodes`],
    ["Features", `${features.length}; calibration: ${calibration.method}`],
    ["Trained on", `${count(data.trainingRows)} of ${count(data.rows)} rows, seed ${lineage.seed}`],
    ["Training data", data.sha256],
    ["Created", lineage.created],
    ["Code", code.modified ? `${commit}, with uncommitted changes` : commit],
    [
      "Engine",
      Object.entries(engine)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
    ],
  ]);
}
