/**
 * The service's log: JSON lines on standard output, pretty on a terminal where the tool for that is installed
 * (a development dependency; production has none).
 *
 * Lines are written at once, in order. A buffer would be faster, but a full disk or a reader that stalls would
 * then hold the process at its end, for ever.
 */
import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { LogLevel } from "./config.ts";

export const LOG_BASE = { plane: "serving" };

/** @param onFailure Told when a line cannot be written; a pipe that was closed is no failure. */
export async function createLogger(level: LogLevel, onFailure: (error: Error) => void): Promise<Logger> {
  const stream: LogStream = (process.stdout.isTTY && (await prettyStream())) || destination({ dest: 1, sync: true });
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") onFailure(error);
  });
  return pino({ level, base: LOG_BASE }, stream);
}

type LogStream = DestinationStream & Pick<NodeJS.EventEmitter, "on">;

async function prettyStream(): Promise<LogStream | undefined> {
  try {
    const { default: pretty } = await import("pino-pretty");
    return pretty({ sync: true });
  } catch {
    return undefined;
  }
}
