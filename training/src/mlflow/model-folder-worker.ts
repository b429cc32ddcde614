/** A thread that makes the folder of a logged model, so that the report can be drawn meanwhile. */
import { parentPort, workerData } from "node:worker_threads";
import { compileFeatures, encodeForest, modelDirectoryFiles, parseDataset } from "@churn/contract";
import { describeModel } from "../model-card.ts";
import { mlflowModelFiles } from "./model-folder.ts";
import type { WrittenModel } from "./model-folder-thread.ts";

const { manifest, forest, reference }: WrittenModel = workerData;
parentPort?.on("message", () => {
  const features = compileFeatures(parseDataset(manifest.dataset, manifest.name), manifest.name);
  const directory = modelDirectoryFiles(manifest, { forest: encodeForest(forest), reference }, describeModel(manifest));
  parentPort?.postMessage(mlflowModelFiles({ manifest, features, forest }, directory));
});
