/**
 * A balancer as a platform has it: connections to clients and to the service are kept alive, and from one moment on each new
 * request goes to another instance, while those under way are finished by the one that has them. It tries nothing twice.
 */
import { once } from "node:events";
import { Agent, createServer, request as forward, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

export interface SwitchingProxy {
  readonly port: number;
  /** Requests that come from now on go to this port. */
  switchTo(port: number): void;
  close(): void;
}

const LOOPBACK = "127.0.0.1";

export async function startSwitchingProxy(firstPort: number): Promise<SwitchingProxy> {
  const agent = new Agent({ keepAlive: true });
  let target = firstPort;
  const server = createServer((incoming, outgoing) => {
    const { method, url: path } = incoming;
    const options = { agent, host: LOOPBACK, port: target, method, path, headers: endToEnd(incoming.headers) };
    const inner = forward(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      pipeline(answer, outgoing, () => {}); // destroys both when one of them fails
    });
    inner.on("error", (error) => fail(outgoing, error));
    incoming.pipe(inner);
  }).listen(0, LOOPBACK);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    switchTo: (port) => {
      target = port;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

/** Without what concerns one connection only: how long the service keeps its own is none of the client's business. */
function endToEnd({ connection, "keep-alive": keepAlive, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders {
  return headers;
}

function fail(outgoing: ServerResponse, error: Error): void {
  if (outgoing.headersSent) outgoing.destroy();
  else outgoing.writeHead(502).end(error.message);
}
