/**
 * The way out: drain, wait, close.
 *
 *     readiness false, Connection: close ─▶ wait for balancer and clients ─▶ close ─▶ done
 *
 * Closing finishes what is in flight; a client that never finishes does not hold the process for ever.
 */
import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Drain } from "./plugins/draining.ts";

/**
 * How long clients may still come while the service drains, in ms: enough for one more answer on each busy
 * connection, and for a balancer that asks for readiness often.
 */
const DRAIN_DELAY_MS = 400;

/** How long requests in flight may take once the service has stopped listening, in ms. */
const CLOSE_LIMIT_MS = 5_000;

/** Resolves when every connection is closed. */
export async function stopGracefully(
  server: Server,
  drain: Drain,
  logger: Logger,
  { drainDelayMs = DRAIN_DELAY_MS, signal }: { readonly drainDelayMs?: number; readonly signal?: string } = {},
): Promise<void> {
  const start = performance.now();
  drain.begin();
  logger.info({ event: "service.draining", signal, drainDelayMs }, "service draining");
  await sleep(drainDelayMs);
  const cutOff = setTimeout(() => server.closeAllConnections(), CLOSE_LIMIT_MS);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(cutOff);
  logger.info({ event: "service.closed", durationMs: Math.round(performance.now() - start) }, "connections closed");
}
