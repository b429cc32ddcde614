/** The folder of a logged model, made by a thread of its own: the report is drawn meanwhile. */
import type { ModelManifest, ModelTensors } from "@churn/contract";
import { WorkerPool } from "../worker-pool.ts";
import type { Artifact } from "./artifact.ts";

export interface WrittenModel extends ModelTensors {
  readonly manifest: ModelManifest;
}

/** From what is in memory: where the model was written, another may have taken its place. */
export function startModelFolder(model: WrittenModel): Promise<Artifact[]> {
  const script = new URL("./model-folder-worker.ts", import.meta.url);
  const pool = new WorkerPool<null, Artifact[]>("model folder", script, model, 1);
  const files = pool.run(null).finally(() => pool.close());
  files.catch(() => {}); // it is awaited in its turn
  return files;
}
