/** Clients with kept-alive connections that ask for predictions without pause, and remember what they were answered. */
import { Agent, request } from "node:http";
import { MEMBER, P_MEMBER } from "../serving/test/tiny-model.ts";

const BODY = JSON.stringify(MEMBER);

export interface Answered {
  readonly id: string;
  /** When the answer had come, on the clock of `performance.now()`. */
  readonly at: number;
  readonly milliseconds: number;
  readonly modelVersion: string;
}

export interface Load {
  /** Answers of 200 so far. */
  readonly answers: readonly Answered[];
  /** What was no such answer: a status, or a broken connection. */
  readonly failures: readonly string[];
  /** Ends it when each client has its last answer. */
  stop(): Promise<void>;
}

export function startLoad(url: string, clients: number, headers: Readonly<Record<string, string>> = {}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const answers: Answered[] = [];
  const failures: string[] = [];
  let isStopped = false;

  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const start = performance.now();
      const fail = (reason: string): void => {
        failures.push(reason);
        resolve();
      };
      const call = request(
        `${url}/predict`,
        { method: "POST", agent, headers: { "content-type": "application/json", ...headers } },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part) => {
            text += part;
          });
          response.on("error", (error) => fail(error.message));
          response.on("end", () => {
            if (response.statusCode !== 200) return fail(`${response.statusCode} ${text}`);
            const at = performance.now();
            const { prediction_id: id, model_version: modelVersion, churn_probability } = JSON.parse(text);
            if (churn_probability !== P_MEMBER) return fail(`another probability: ${churn_probability}`);
            answers.push({ id, at, milliseconds: at - start, modelVersion });
            resolve();
          });
        },
      );
      call.on("error", (error) => fail(error.message));
      call.end(BODY);
    });
  const running = Array.from({ length: clients }, async () => {
    while (!isStopped && failures.length < 1000) await ask();
  });
  return {
    answers,
    failures,
    stop: async () => {
      isStopped = true;
      await Promise.all(running);
      agent.destroy();
    },
  };
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
