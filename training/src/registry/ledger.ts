/**
 * The ledger: one JSON line per change of the champion, appended to `ledger.jsonl` beside its directory. Models
 * in directories of other names are nobody's champion, and leave no line.
 */
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ChurnError, MANIFEST_FILE, type ModelManifest, modelDirectory } from "@churn/contract";

/** The name of the champion's directory. */
const CHAMPION = "best_model";

export interface LedgerEntry {
  readonly event: "replaced";
  /** ISO 8601. */
  readonly at: string;
  readonly version: string;
  readonly contentSha256: string;
  /** Null when the directory that was replaced could not be read. */
  readonly previousVersion: string | null;
  readonly reason: string;
}

const ledgerPath = (path: string): string => join(dirname(resolve(path)), "ledger.jsonl");

/**
 * Checks that the ledger beside a champion can be written: a champion must not be replaced without a line.
 *
 * @throws CHURN_ERR_FILE_UNWRITABLE
 */
export function checkLedger(path: string): void {
  if (championVersion(path) === undefined) return;
  const ledger = ledgerPath(path);
  try {
    if (lstatSync(ledger, { throwIfNoEntry: false }) === undefined) accessSync(dirname(ledger), constants.W_OK);
    else closeSync(openSync(ledger, "a"));
  } catch (cause) {
    throw unwritable(ledger, cause);
  }
}

function unwritable(subject: string, cause: unknown): ChurnError {
  const message = `${subject}: the ledger cannot be written: ${(cause as Error).message}`;
  return new ChurnError("CHURN_ERR_FILE_UNWRITABLE", message, { cause });
}

/**
 * Adds the line of a champion that has taken the place of another.
 *
 * @throws CHURN_ERR_FILE_UNWRITABLE
 */
export function recordReplacement(
  path: string,
  { version, contentSha256 }: Pick<ModelManifest, "version" | "contentSha256">,
  previousVersion: string | null,
  { at, reason }: { readonly at: Date; readonly reason: string },
): void {
  const entry: LedgerEntry = {
    event: "replaced",
    at: at.toISOString(),
    version,
    contentSha256,
    previousVersion,
    reason,
  };
  const ledger = ledgerPath(path);
  try {
    const isCutShort = existsSync(ledger) && !/(^|\n)$/.test(readFileSync(ledger, "utf8"));
    appendFileSync(ledger, `${isCutShort ? "\n" : ""}${JSON.stringify(entry)}\n`);
  } catch (cause) {
    throw unwritable(`${path} is replaced by ${version}, but ${ledger}`, cause);
  }
}

/** The version of the champion at a path; undefined when there is none, null when it is damaged. */
export function championVersion(path: string): string | null | undefined {
  const directory = modelDirectory(path);
  if (basename(resolve(path)) !== CHAMPION || !existsSync(directory)) return undefined;
  try {
    const manifest = JSON.parse(readFileSync(join(directory, MANIFEST_FILE), "utf8")) as ModelManifest;
    return manifest.version ?? null;
  } catch {
    return null;
  }
}
