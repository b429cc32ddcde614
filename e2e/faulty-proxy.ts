/** A server in between that fails on purpose: at one request it hangs up, and from then on nothing gets through. */
import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";

export interface FaultyProxy {
  readonly url: string;
  /** Requests that came. */
  readonly count: () => number;
  close(): void;
}

/**
 * @param failAt The request at which it fails, from 1.
 * @param when Before the server has seen it, or after it has answered.
 * @param port Any free one by default.
 */
export async function startFaultyProxy(
  target: string,
  failAt: number,
  when: "before" | "after",
  port = 0,
): Promise<FaultyProxy> {
  let count = 0;
  const { hostname, port: targetPort } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const number = ++count;
    if (number > failAt || (number === failAt && when === "before")) {
      incoming.resume().on("end", () => outgoing.destroy());
      return;
    }
    const { method = "GET", url = "/", headers } = incoming;
    const inner = forward({ hostname, port: targetPort, method, path: url, headers }, (answer) => {
      if (number === failAt) {
        answer.resume().on("end", () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    inner.on("error", () => outgoing.destroy());
    incoming.pipe(inner);
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    count: () => count,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
