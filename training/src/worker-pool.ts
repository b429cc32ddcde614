/**
 * Threads that answer tasks. A task goes to the thread that has the fewest waiting; a thread answers in the order in
 * which it is asked. The first thread that fails fails the pool: every task that waits, and every later one.
 */
import { Worker } from "node:worker_threads";

interface Thread<Answer> {
  readonly worker: Worker;
  readonly waiting: PromiseWithResolvers<Answer>[];
}

export class WorkerPool<Task, Answer> {
  readonly #what: string;
  readonly #threads: readonly Thread<Answer>[];
  #failure: Error | undefined;

  /**
   * @param what What its threads do, for the message when one fails: "scoring".
   * @param script A module that posts one answer per message it gets.
   * @param input What each thread starts with, as its `workerData`.
   */
  constructor(what: string, script: URL, input: unknown, threads: number) {
    this.#what = what;
    this.#threads = Array.from({ length: threads }, () => this.#start(new Worker(script, { workerData: input })));
  }

  /** @param transfer Memory that is handed over: it is gone here afterwards. */
  run(task: Task, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>();
    answer.promise.catch(() => {}); // it is awaited in its turn; a failure before that is not unhandled
    if (this.#failure !== undefined) {
      answer.reject(this.#failure);
      return answer.promise;
    }
    const { worker, waiting } = this.#threads.reduce((idlest, thread) =>
      thread.waiting.length < idlest.waiting.length ? thread : idlest,
    );
    waiting.push(answer);
    worker.postMessage(task, transfer);
    return answer.promise;
  }

  close(): Promise<unknown> {
    return Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(worker: Worker): Thread<Answer> {
    const waiting: PromiseWithResolvers<Answer>[] = [];
    worker.on("message", (answer: Answer) => waiting.shift()?.resolve(answer));
    worker.on("error", (cause) => {
      this.#fail(new Error(`a ${this.#what} thread failed: ${(cause as Error).message}`, { cause }));
    });
    worker.on("exit", (code) => this.#fail(new Error(`a ${this.#what} thread ended with exit code ${code}`)));
    return { worker, waiting };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { waiting } of this.#threads) {
      for (const answer of waiting.splice(0)) answer.reject(this.#failure);
    }
  }
}
