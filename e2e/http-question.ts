/** One HTTP request to a service of this machine, and its answer: what `fetch` hides (connections, names) is in the caller's hand. */
import { type Agent, request } from "node:http";
import { text } from "node:stream/consumers";

export interface Question {
  /** Whose connections are kept. */
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
  /** With a body it is a POST. */
  readonly body?: string;
  /** All but the first letter of the body is sent when this resolves. */
  readonly until?: Promise<void>;
}

export interface HttpAnswer {
  readonly status: number | undefined;
  readonly body: string;
}

/** Rejects when no answer comes. */
export function ask(port: number, path: string, question: Question = {}): Promise<HttpAnswer> {
  const { agent, headers, body, until } = question;
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const call = request({ host: "127.0.0.1", port, path, method, agent, headers: { ...headers } }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    call.on("error", reject);
    if (until === undefined) {
      call.end(body);
    } else {
      call.write(body?.slice(0, 1));
      until.then(() => call.end(body?.slice(1)));
    }
  });
}
