/**
 * Threads that answer tasks. A task goes to the thread that has the fewest waiting; a thread answers in the order in
 * which it is asked. The first thread that fails fails the pool: every task that waits, and every later one.
 */
import { Worker } from "node:worker_threads";

export class WorkerPool<Task, Answer> {
  readonly #threads: readonly Thread<Task, Answer>[];

  /**
   * @param what What its threads do, for the message when one fails: "scoring".
   * @param script A module that posts one answer per message it gets.
   * @param input What each thread starts with, as its `workerData`.
   */
  constructor(what: string, script: URL, input: unknown, threads: number) {
    this.#threads = Array.from({ length: threads }, () => new Thread<Task, Answer>(what, script, input));
  }

  /** @param transfer Memory that is handed over: it is gone here afterwards. */
  run(task: Task, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    const idlest = this.#threads.reduce((best, thread) => (thread.waiting < best.waiting ? thread : best));
    return idlest.run(task, transfer);
  }

  close(): Promise<unknown> {
    return Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class Thread<Task, Answer> {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<Answer>[] = [];
  #failure: Error | undefined;

  constructor(what: string, script: URL, input: unknown) {
    this.#worker = new Worker(script, { workerData: input });
    this.#worker.on("message", (answer: Answer) => this.#waiting.shift()?.resolve(answer));
    this.#worker.on("error", (cause) => {
      this.#fail(new Error(`a ${what} thread failed: ${(cause as Error).message}`, { cause }));
    });
    this.#worker.on("exit", (code) => this.#fail(new Error(`a ${what} thread ended with exit code ${code}`)));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  run(task: Task, transfer: readonly ArrayBuffer[]): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>();
    answer.promise.catch(() => {}); // it is awaited in its turn; a failure before that is not unhandled
    if (this.#failure !== undefined) {
      answer.reject(this.#failure);
    } else {
      this.#waiting.push(answer);
      this.#worker.postMessage(task, transfer);
    }
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
