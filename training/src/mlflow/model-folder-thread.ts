/** The folder of a logged model, made by a thread of its own: the report is drawn meanwhile. */
import type { Artifact } from "../tracking/run.ts";
import { WorkerPool } from "../worker-pool.ts";

/** @param version Of the model that is there now; another that takes its place is an error. */
export function startModelFolder(directory: string, version: string): Promise<Artifact[]> {
  const script = new URL("./model-folder-worker.ts", import.meta.url);
  const pool = new WorkerPool<null, Artifact[]>("model folder", script, { directory, version }, 1);
  const files = pool.run(null).finally(() => pool.close());
  files.catch(() => {}); // it is awaited in its turn
  return files;
}
