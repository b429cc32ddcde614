/**
 * Leaving without losing a request.
 *
 * Closing a server at once loses the request that is already on its way on a kept-alive connection. So a
 * service that is to stop first says so, while it still listens: readiness turns false for the balancer,
 * and every answer asks its client to close the connection. `stop.ts` does the rest.
 */
import type { FastifyInstance } from "fastify";

/** Whether the service is on its way out; shared by what decides it and what shows it. */
export class Drain {
  #isDraining = false;

  get isDraining(): boolean {
    return this.#isDraining;
  }

  begin(): void {
    this.#isDraining = true;
  }
}

/** Puts `Connection: close` on every answer once draining has begun, also on those asked for before. */
export function addConnectionClose(app: FastifyInstance, drain: Drain): void {
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (drain.isDraining) reply.header("connection", "close");
    done(null, payload);
  });
}
