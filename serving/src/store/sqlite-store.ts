/**
 * The prediction store in a SQLite file, asked across a thread: neither a slow disk nor a long question of the
 * dashboard holds up a prediction. `sqlite-thread.ts` is the other side, `sqlite-database.ts` what it does.
 */
import { Worker } from "node:worker_threads";
import { ChurnError, horizonMs, type LogRecord } from "@churn/contract";
import type { PredictionStore, RecentPrediction, StoreOptions, StoreSummary } from "./prediction-store.ts";
import type { Answer, Call, Method, MethodParameters, MethodResult, ThreadData } from "./sqlite-thread.ts";
import { removeInSteps } from "./statements.ts";

/**
 * A thread has a compile cache only if it asks for one before it loads anything; with it, types are stripped already,
 * and the thread is 15 MB smaller, as it loads no compiler.
 */
const THREAD = JSON.stringify(new URL("sqlite-thread.ts", import.meta.url).href);
const BOOT = `
  require("node:module").enableCompileCache();
  import(${THREAD}).then(() => require("node:module").flushCompileCache());
`;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

const failed = (message: string): ChurnError =>
  new ChurnError("CHURN_ERR_STORE_FAILED", `prediction store: ${message}`);

export class SqliteStore implements PredictionStore {
  readonly #data: ThreadData;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 0;
  #isClosed = false;

  constructor(path: string, { horizonDays }: StoreOptions = {}) {
    this.#data = { path, horizonMs: horizonMs(horizonDays) };
  }

  migrate(): Promise<void> {
    return this.#ask("migrate");
  }

  async append(records: readonly LogRecord[]): Promise<void> {
    if (records.length > 0) await this.#ask("append", records);
  }

  recent(limit: number): Promise<RecentPrediction[]> {
    return this.#ask("recent", limit);
  }

  summary(sinceMs: number): Promise<StoreSummary> {
    return this.#ask("summary", sinceMs);
  }

  removeBefore(timeMs: number): Promise<number> {
    return removeInSteps({
      predictions: () => this.#ask("removePredictions", timeMs),
      outcomesByCustomer: () => this.#ask("removeOutcomesByCustomer", timeMs),
      outcomesOfNothing: () => this.#ask("removeOutcomesOfNothing", timeMs),
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    try {
      if (this.#worker !== undefined) await this.#ask("close");
    } finally {
      this.#isClosed = true;
      await this.#worker?.terminate();
    }
  }

  #ask<M extends Method>(method: M, ...parameters: MethodParameters<M>): Promise<MethodResult<M>> {
    if (this.#isClosed) return Promise.reject(failed("it is closed"));
    this.#worker ??= this.#startWorker();
    const call: Call = { id: this.#nextId++, method, parameters };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker?.ref(); // a process does not end while it waits for an answer
      this.#worker?.postMessage(call);
    });
  }

  #startWorker(): Worker {
    const worker = new Worker(BOOT, { eval: true, workerData: this.#data, execArgv: [] });
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("error", (error) => this.#lose(worker, (error as Error).message));
    worker.on("exit", (code) => this.#lose(worker, `its thread ended with ${code}`));
    return worker;
  }

  #settle({ id, result, fault }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (fault === undefined) waiting?.resolve(result);
    else waiting?.reject(new ChurnError(fault.code, fault.message));
  }

  /** The next call starts another one. */
  #lose(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(failed(message));
    this.#waiting.clear();
  }
}
