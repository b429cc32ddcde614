/**
 * Structured logs of the training plane: JSON lines on standard error, pretty on a terminal.
 *
 * Standard output belongs to results. On a terminal a person reads those and the progress, so only warnings
 * are logged there unless LOG_LEVEL says otherwise.
 */
import { ChurnError } from "@churn/contract";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

export type { Logger } from "pino";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** @throws CHURN_ERR_OPTION_INVALID when LOG_LEVEL is not a level */
export function createLogger(environment: NodeJS.ProcessEnv, stream: NodeJS.WriteStream = process.stderr): Logger {
  const level = environment.LOG_LEVEL || (stream.isTTY ? "warn" : "info");
  if (!LEVELS.includes(level)) {
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", `LOG_LEVEL: expected one of ${LEVELS.join(", ")}, got "${level}"`);
  }
  const destination = stream.isTTY
    ? pretty({ destination: stream, sync: true })
    : pino.destination({ fd: 2, sync: true });
  return pino({ level, base: { plane: "training" }, messageKey: "msg" }, destination);
}
