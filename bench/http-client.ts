/** A keep-alive connection of a bench's own load: one request at a time, and what came back. */
import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Whether the server asked to close the connection. */
  readonly isLast: boolean;
}

export function jsonHeaders(key: string | undefined): Record<string, string> {
  return { "content-type": "application/json", ...(key !== undefined && { authorization: `Bearer ${key}` }) };
}

/** At most so many connections, kept open between requests. */
export const keepAliveAgent = (connections: number): Agent => new Agent({ keepAlive: true, maxSockets: connections });

/** Posts a customer. Nothing is tried again: rejects when the connection fails. */
export function postPredict(url: string, agent: Agent, key: string | undefined, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...jsonHeaders(key), "content-length": Buffer.byteLength(body) };
    const post = request(`${url}/predict`, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text, isLast: response.headers.connection === "close" });
      });
    });
    post.on("error", reject);
    post.end(body);
  });
}
