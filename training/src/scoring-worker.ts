/**
 * A thread of the scoring pool: builds the model from the parts it is started with, then answers each batch of
 * customers with their probabilities, in the order in which batches come.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Column, compileFeatures, Model, type ModelFiles } from "@churn/contract";

/** What a thread is started with: a model read once, whatever becomes of its directory meanwhile. */
export interface ScoringInput extends Pick<ModelFiles, "manifest" | "forest"> {
  /** Category column → its levels, the same for every batch. */
  readonly levels: ReadonlyMap<string, readonly string[]>;
}

/** A table without its levels; its arrays are handed over. */
export interface ScoringBatch {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, Float64Array | Int32Array>;
}

function answerBatches({ manifest, forest, levels }: ScoringInput): void {
  const features = compileFeatures(manifest.dataset, "model.json");
  const model = new Model({ manifest, features, forest });
  parentPort?.on("message", ({ rows, columns }: ScoringBatch) => {
    const whole = [...columns].map(([name, values]): [string, Column] => {
      return [name, values instanceof Float64Array ? values : { codes: values, levels: levels.get(name) ?? [] }];
    });
    const probabilities = model.predictTable({ rows, columns: new Map(whole) });
    parentPort?.postMessage(probabilities, [probabilities.buffer as ArrayBuffer]);
  });
}

answerBatches(workerData);
