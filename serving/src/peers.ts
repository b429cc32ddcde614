/**
 * Questions among the worker processes of one service: whoever is asked for something that concerns all of them
 * (metrics, an erasure) asks the others. Messages go through the primary process, which only passes them on.
 */
import cluster from "node:cluster";

/** How long an answer may take, in ms; a worker that has just died gives none. */
const ANSWER_LIMIT_MS = 2_000;

export type Answerers = Readonly<Record<string, (question: unknown) => Promise<unknown>>>;

type Message =
  | {
      readonly peers: "question";
      readonly from: number;
      readonly id: number;
      readonly topic: string;
      readonly question: unknown;
    }
  | { readonly peers: "asked"; readonly id: number; readonly count: number }
  | { readonly peers: "answer"; readonly to: number; readonly id: number; readonly answer: unknown };

interface Pending {
  readonly answers: unknown[];
  expected: number;
  readonly finish: () => void;
}

export class Peers {
  readonly #answerers: Answerers;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;

  constructor(answerers: Answerers) {
    this.#answerers = answerers;
    if (cluster.isWorker) process.on("message", (message) => void this.#hear(message as Message));
  }

  /** Everybody's answer, one's own first; undefined at the end when somebody gave none in time. */
  async ask(topic: string, question: unknown = null): Promise<unknown[]> {
    const own = this.#answerers[topic](question);
    const others = cluster.isWorker ? await this.#askOthers(topic, question) : [];
    return [await own, ...others];
  }

  #askOthers(topic: string, question: unknown): Promise<unknown[]> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const answers: unknown[] = [];
      const finish = (): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(answers);
      };
      const timer = setTimeout(() => {
        answers.push(undefined);
        finish();
      }, ANSWER_LIMIT_MS);
      this.#pending.set(id, { answers, expected: Number.POSITIVE_INFINITY, finish });
      send({ peers: "question", from: cluster.worker?.id as number, id, topic, question });
    });
  }

  async #hear(message: Message): Promise<void> {
    if (message.peers === "question") {
      const { from, id, topic, question } = message;
      const answer = await this.#answerers[topic](question);
      send({ peers: "answer", to: from, id, answer });
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.peers === "asked") pending.expected = message.count;
    else if (message.peers === "answer") pending.answers.push(message.answer);
    if (pending.answers.length >= pending.expected) pending.finish();
  }
}

function send(message: Message): void {
  process.send?.(message);
}

/** In the primary process: passes questions to the other workers, and answers back. */
export function passOnQuestions(): void {
  cluster.on("message", (worker, message: Message) => {
    if (message.peers === "question") {
      const others = Object.values(cluster.workers ?? {})
        .filter((other) => other !== undefined)
        .filter((other) => other.isConnected() && other.id !== worker.id);
      worker.send({ peers: "asked", id: message.id, count: others.length } satisfies Message);
      for (const other of others) other.send(message);
    } else if (message.peers === "answer") {
      cluster.workers?.[message.to]?.send(message);
    }
  });
}
