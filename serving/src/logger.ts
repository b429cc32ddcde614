/**
 * The service's log: JSON lines on standard output, pretty on a terminal where the tool for that is installed
 * (a development dependency; production has none).
 *
 * Lines are written at once, in order: a buffer that is flushed at the end would hold the process there for ever
 * when the disk under it is full. A pipe is written without waiting for its reader: one that stalls costs lines,
 * and neither answers nor the way out.
 */
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { LogLevel } from "./config.ts";

export const LOG_BASE = { plane: "serving" };

/** What may wait for a reader that stalls, in bytes; the rest is dropped. */
const MAX_WAITING = 2 ** 20;

/** Faults that are the reader's: it has gone, or it is slow. */
const READER_FAULTS: ReadonlySet<string | undefined> = new Set(["EPIPE", "EAGAIN"]);

type LogStream = DestinationStream & Pick<NodeJS.EventEmitter, "on">;

/** @param onFailure Told when a line cannot be written, but for a reader's fault. */
export async function createLogger(level: LogLevel, onFailure: (error: Error) => void): Promise<Logger> {
  const stream = (process.stdout.isTTY && (await prettyStream())) || plainStream();
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!READER_FAULTS.has(error.code)) onFailure(error);
  });
  return pino({ level, base: LOG_BASE }, stream);
}

/** A pipe does not block, as Node has made it so by looking at what standard output is. */
function plainStream(): LogStream {
  return destination({ dest: 1, sync: true, maxLength: MAX_WAITING, retryEAGAIN: () => false });
}

async function prettyStream(): Promise<LogStream | undefined> {
  try {
    const { default: pretty } = await import("pino-pretty");
    return pretty({ sync: true });
  } catch {
    return undefined;
  }
}
