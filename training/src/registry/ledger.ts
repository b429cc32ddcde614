/**
 * The ledger: one JSON line per change of the champion in `ledger.jsonl` beside its directory: what served from when to when, and
 * why. Lines are only added. Models in directories of other names are nobody's champion, and leave no line.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { asidePath, ChurnError, MANIFEST_FILE, type ModelManifest, modelDirectory, sha256 } from "@churn/contract";
import type { ScenarioName } from "../customers/scenarios.ts";
import type { GateEvidence } from "../gate/evidence.ts";

/** The name of the champion's directory. */
const CHAMPION = "best_model";

/** @throws CHURN_ERR_OPTION_INVALID for a directory that cannot be the champion's */
export function checkChampionPath(path: string): void {
  if (basename(resolve(path)) === CHAMPION) return;
  const message = `--model: expected the champion's directory, called ${CHAMPION}, got ${path}`;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
}

/** What `churn retrain` promoted, `churn train` put there, `churn rollback` brought back. */
export type LedgerEvent = "promoted" | "replaced" | "rolledBack";

export interface LedgerEntry {
  readonly event: LedgerEvent;
  /** ISO 8601. */
  readonly at: string;
  readonly version: string;
  readonly contentSha256: string;
  /** Of `model.json`, which holds the sums of the other files; lines of before it was kept have none. */
  readonly manifestSha256?: string;
  /** Null when there was none, or it could not be read. */
  readonly previousVersion: string | null;
  readonly reason: string;
  /** Who or what did it. */
  readonly by?: string;
  /** What the gate saw. */
  readonly evidence?: GateEvidence;
  /** How its data were generated, where they were. */
  readonly generated?: GeneratedData;
  /** Its version in the registry. */
  readonly registered?: { readonly name: string; readonly version: string };
}

/** The options of `churn generate` that give a file again. */
export interface GeneratedData {
  readonly rows: number;
  readonly seed: number;
  readonly month: number;
  readonly scenario: ScenarioName;
  readonly from: number;
}

export const ledgerPath = (champion: string): string => join(dirname(resolve(champion)), "ledger.jsonl");

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

/** The lines beside a champion, the oldest first. @throws CHURN_ERR_FILE_UNREADABLE for a line that is none */
export function readLedger(champion: string): LedgerEntry[] {
  const ledger = ledgerPath(champion);
  if (!existsSync(ledger)) return [];
  const lines = readFileSync(ledger, "utf8").split("\n");
  return lines.flatMap((line, i) => (line.trim() === "" ? [] : [parseLine(line, `${ledger}, line ${i + 1}`)]));
}

function parseLine(line: string, place: string): LedgerEntry {
  try {
    const entry = JSON.parse(line) as LedgerEntry;
    if (typeof entry.version === "string" && typeof entry.at === "string") return entry;
  } catch {
    // Said below.
  }
  const message = `${place}: expected a JSON object with "at" and "version", got ${JSON.stringify(line.slice(0, 60))}: take the line from git`;
  throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", message);
}

/** Adds a line, aside and renamed: a reader finds all lines, or all and this one. @throws CHURN_ERR_FILE_UNWRITABLE */
export function appendLedger(champion: string, entry: LedgerEntry): void {
  const ledger = ledgerPath(champion);
  try {
    const before = existsSync(ledger) ? readFileSync(ledger, "utf8") : "";
    const isCutShort = !/(^|\n)$/.test(before);
    const aside = asidePath(ledger);
    writeFileSync(aside, `${before}${isCutShort ? "\n" : ""}${JSON.stringify(entry)}\n`, { flush: true });
    renameSync(aside, ledger);
  } catch (cause) {
    throw unwritable(`${champion} is ${entry.version} now, but ${ledger}`, cause);
  }
}

/** Adds the line of a champion that `churn train` has put in the place of another. @throws CHURN_ERR_FILE_UNWRITABLE */
export function recordReplacement(
  path: string,
  { version, contentSha256 }: Pick<ModelManifest, "version" | "contentSha256">,
  previousVersion: string | null,
  { at, reason }: { readonly at: Date; readonly reason: string },
): void {
  appendLedger(path, {
    event: "replaced",
    at: at.toISOString(),
    version,
    contentSha256,
    manifestSha256: sha256(readFileSync(join(path, MANIFEST_FILE))),
    previousVersion,
    reason,
  });
}

/**
 * The champions that one can go back to, the present one last: each that came stands on the one before; going back takes away
 * those above.
 */
export function championStack(entries: readonly LedgerEntry[]): string[] {
  const stack: string[] = [];
  for (const { event, version, previousVersion } of entries) {
    if (event === "rolledBack" && stack.includes(version)) stack.length = stack.lastIndexOf(version) + 1;
    else if (stack.length === 0 && previousVersion !== null) stack.push(previousVersion, version);
    else stack.push(version);
  }
  return stack;
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

function unwritable(subject: string, cause: unknown): ChurnError {
  const message = `${subject}: the ledger cannot be written: ${(cause as Error).message}`;
  return new ChurnError("CHURN_ERR_FILE_UNWRITABLE", message, { cause });
}
