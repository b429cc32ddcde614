/** Threads that score customers. Who answers does not matter: each computes the same doubles. */
import { Model, type ModelFiles, type Table } from "@churn/contract";
import type { CustomerReader } from "./data/reader.ts";
import type { ScoringBatch, ScoringInput } from "./scoring-worker.ts";
import { WorkerPool } from "./worker-pool.ts";

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
  readonly #pool: WorkerPool<ScoringBatch, Float64Array>;

  constructor({ manifest, forest }: ModelFiles, levels: ScoringInput["levels"], threads: number) {
    const input: ScoringInput = { manifest, forest, levels };
    this.inFlight = threads * TABLES_PER_THREAD;
    this.#pool = new WorkerPool("scoring", new URL("./scoring-worker.ts", import.meta.url), input, threads);
  }

  score({ rows, columns }: Table): Promise<Float64Array> {
    const values = [...columns].map(([name, column]) => {
      return [name, column instanceof Float64Array ? column : column.codes] as const;
    });
    return this.#pool.run(
      { rows, columns: new Map(values) },
      values.map(([, array]) => array.buffer as ArrayBuffer),
    );
  }

  close(): Promise<unknown> {
    return this.#pool.close();
  }
}
