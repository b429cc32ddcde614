/** A thread that makes the folder of a logged model, so that the report can be drawn meanwhile. */
import { parentPort, workerData } from "node:worker_threads";
import { readModelDirectory } from "@churn/contract";
import { mlflowModelFiles } from "./model-folder.ts";

const { directory, version }: { readonly directory: string; readonly version: string } = workerData;
parentPort?.on("message", () => {
  const files = readModelDirectory(directory);
  const found = files.manifest.version;
  if (found !== version)
    throw new Error(`${directory}: expected model ${version}, found ${found}: another took its place`);
  parentPort?.postMessage(mlflowModelFiles(directory, files));
});
