/** A thread that makes the folder of a logged model, so that the report can be drawn meanwhile. */
import { parentPort, workerData } from "node:worker_threads";
import {
  compileFeatures,
  encodeForest,
  type Forest,
  type ModelManifest,
  modelDirectoryFiles,
  parseDataset,
} from "@churn/contract";
import { describeModel } from "../model-card.ts";
import { mlflowModelFiles } from "./model-folder.ts";

const { manifest, forest }: { readonly manifest: ModelManifest; readonly forest: Forest } = workerData;
parentPort?.on("message", () => {
  const features = compileFeatures(parseDataset(manifest.dataset, manifest.name), manifest.name);
  const directory = modelDirectoryFiles(manifest, encodeForest(forest), describeModel(manifest));
  parentPort?.postMessage(mlflowModelFiles({ manifest, features, forest }, directory));
});
