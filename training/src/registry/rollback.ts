/** Back to a champion of before. */
import { existsSync } from "node:fs";
import { ChurnError, readModelDirectory } from "@churn/contract";
import { championStack, championVersion, type LedgerEntry, readLedger } from "./ledger.ts";
import { finishSuccession, listPrevious, previousPath, readModelFiles, succeed } from "./succession.ts";

export interface RollbackOptions {
  readonly model: string;
  /** The one before the present one without it. */
  readonly to?: string | undefined;
  readonly reason: string;
  readonly by: string;
  /** How many champions of before to keep. */
  readonly keep: number;
  readonly now: () => Date;
}

/** @throws CHURN_ERR_OPTION_INVALID where there is none to go back to; CHURN_ERR_MODEL_INVALID where it is damaged */
export function rollBack({ model, to, reason, by, keep, now }: RollbackOptions): LedgerEntry {
  finishSuccession(model);
  const version = to ?? before(model);
  const kept = listPrevious(model);
  if (version === undefined || !existsSync(previousPath(model, version))) {
    const wanted = version === undefined ? "a champion before this one" : version;
    const got = kept.length === 0 ? "none is kept" : `kept are ${kept.join(", ")}`;
    const message = `${model}: expected ${wanted} in previous/, ${got}: name one with --to, or take it from git`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  const files = readModelFiles(previousPath(model, version));
  const { contentSha256 } = readModelDirectory(previousPath(model, version)).manifest;
  const registered = readLedger(model).findLast((entry) => entry.version === version)?.registered;
  const line = { event: "rolledBack", at: now().toISOString(), version, contentSha256, reason, by } as const;
  return succeed(model, files, { ...line, ...(registered && { registered }) }, keep);
}

/** By the ledger, whose last line says who the champion is, be it damaged; without one the newest that is kept. */
function before(model: string): string | undefined {
  const stack = championStack(readLedger(model));
  const version = championVersion(model);
  const place = typeof version === "string" ? stack.lastIndexOf(version) : stack.length - 1;
  return place === -1 ? listPrevious(model)[0] : stack[place - 1];
}
