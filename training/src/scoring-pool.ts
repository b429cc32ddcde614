/**
 * Threads that score customers. A batch goes to the thread that has the fewest waiting; a thread answers in order, and
 * who answers does not matter: each computes the same doubles.
 */
import { Worker } from "node:worker_threads";
import { Model, type ModelFiles, type Table } from "@churn/contract";
import type { CustomerReader } from "./data/reader.ts";
import type { ScoringBatch, ScoringInput } from "./scoring-worker.ts";

/** Something that scores one table after the other. */
export interface Scorer {
  /** Tables that may be under way at once. */
  readonly inFlight: number;
  /**
   * P(churn) of each customer of a table.
   *
   * @param table Its arrays are handed over: they are empty afterwards, if another thread scores it.
   */
  score(table: Table): Promise<Float64Array>;
  close(): Promise<unknown>;
}

/** Tables per thread, one at work and some waiting: a thread need not wait for this one. */
const TABLES_PER_THREAD = 4;

/** Fewer rows are scored sooner than a thread has started. */
const ROWS_WORTH_A_THREAD = 30_000;

/**
 * Starts as many threads as pay.
 *
 * @param data How many rows there are to score, and the levels that each category column has in every table.
 */
export function startScoring(
  model: ModelFiles,
  { rows, levels }: Pick<CustomerReader, "rows" | "levels">,
  nJobs: number,
): Scorer {
  const threads = Math.min(nJobs, Math.floor(rows / ROWS_WORTH_A_THREAD));
  return threads < 2 ? new OwnThread(model) : new ScoringPool(model, levels, threads);
}

class OwnThread implements Scorer {
  readonly inFlight = 1;
  readonly #model: Model;

  constructor(model: ModelFiles) {
    this.#model = new Model(model);
  }

  async score(table: Table): Promise<Float64Array> {
    return this.#model.predictTable(table);
  }

  async close(): Promise<void> {}
}

class ScoringPool implements Scorer {
  readonly inFlight: number;
  readonly #threads: readonly ScoringThread[];

  constructor({ manifest, forest }: ModelFiles, levels: ScoringInput["levels"], threads: number) {
    this.inFlight = threads * TABLES_PER_THREAD;
    this.#threads = Array.from({ length: threads }, () => new ScoringThread({ manifest, forest, levels }));
  }

  score(table: Table): Promise<Float64Array> {
    return this.#threads.reduce((idlest, thread) => (thread.waiting < idlest.waiting ? thread : idlest)).score(table);
  }

  close(): Promise<unknown> {
    return Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class ScoringThread {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<Float64Array>[] = [];
  #failure: Error | undefined;

  constructor(input: ScoringInput) {
    this.#worker = new Worker(new URL("./scoring-worker.ts", import.meta.url), { workerData: input });
    this.#worker.on("message", (probabilities: Float64Array) => this.#waiting.shift()?.resolve(probabilities));
    this.#worker.on("error", (cause) => {
      this.#fail(new Error(`a scoring thread failed: ${(cause as Error).message}`, { cause }));
    });
    this.#worker.on("exit", (code) => this.#fail(new Error(`a scoring thread ended with exit code ${code}`)));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  score({ rows, columns }: Table): Promise<Float64Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const values = [...columns].map(([name, column]) => {
      return [name, column instanceof Float64Array ? column : column.codes] as const;
    });
    const batch: ScoringBatch = { rows, columns: new Map(values) };
    const answer = Promise.withResolvers<Float64Array>();
    this.#waiting.push(answer);
    this.#worker.postMessage(
      batch,
      values.map(([, array]) => array.buffer as ArrayBuffer),
    );
    return answer.promise;
  }

  close(): Promise<unknown> {
    return this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const answer of this.#waiting.splice(0)) answer.reject(this.#failure);
  }
}
