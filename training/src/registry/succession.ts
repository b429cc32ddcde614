/**
 * A champion takes the place of another, in steps that can be cut anywhere:
 *
 *     note what is meant ─▶ keep the old one in previous/ ─▶ swap the directory ─▶ line in the ledger ─▶ tidy up
 *
 * The swap is the moment at which it is done. Who is killed before it has changed nothing; who is killed after it leaves a note
 * from which the next one finishes.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  asidePath,
  ChurnError,
  installModelDirectory,
  MANIFEST_FILE,
  MODEL_FILES,
  makeFolders,
  readModelDirectory,
  removeAbandoned,
  sha256,
} from "@churn/contract";
import { withLock } from "../tracking/lock.ts";
import { appendLedger, championVersion, checkLedger, type LedgerEntry, readLedger } from "./ledger.ts";

export type ModelDirectoryFiles = Readonly<Record<string, Uint8Array>>;

/** What is meant to happen. */
interface Note {
  readonly entry: LedgerEntry;
  /** Previous champions to keep. */
  readonly keep: number;
}

const notePath = (champion: string): string => join(dirname(resolve(champion)), ".succession.json");
const previousFolder = (champion: string): string => join(dirname(champion), "previous");

/** Where a champion of before is kept. */
export const previousPath = (champion: string, version: string): string => join(previousFolder(champion), version);

/** Those that are kept, the newest first. */
export function listPrevious(champion: string): string[] {
  const folder = previousFolder(champion);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => !name.startsWith("."))
    .sort()
    .reverse();
}

/** How long another program that changes the champion is waited for. */
const PATIENCE_MS = 1000;

/** Works while no other program changes the champion. @throws LockError where one does */
export function withChampion<T>(champion: string, work: () => Promise<T>): Promise<T> {
  const lock = join(dirname(resolve(champion)), ".lock");
  makeFolders(dirname(lock));
  return withLock(lock, PATIENCE_MS, work);
}

/** A model directory as bytes, all verified. @throws CHURN_ERR_MODEL_INVALID */
export function readModelFiles(path: string): ModelDirectoryFiles {
  readModelDirectory(path);
  return Object.fromEntries(MODEL_FILES.map((name) => [name, readFileSync(join(path, name))]));
}

/** @throws CHURN_ERR_FILE_UNWRITABLE, CHURN_ERR_MODEL_INVALID for files that are no model; the champion is then as it was */
export function succeed(
  champion: string,
  files: ModelDirectoryFiles,
  line: Omit<LedgerEntry, "manifestSha256" | "previousVersion">,
  keep: number,
): LedgerEntry {
  finishSuccession(champion);
  checkLedger(champion);
  const previousVersion = championVersion(champion) ?? null;
  const entry: LedgerEntry = { ...line, manifestSha256: sha256(files[MANIFEST_FILE]), previousVersion };
  makeFolders(dirname(resolve(champion)));
  writeNote(champion, { entry, keep });
  try {
    if (previousVersion !== null) keepChampion(champion, previousVersion);
    installModelDirectory(champion, files);
  } finally {
    finishSuccession(champion);
  }
  return entry;
}

/** A damaged champion is not worth keeping; that it was there is in the ledger. */
function keepChampion(champion: string, version: string): void {
  let files: ModelDirectoryFiles;
  try {
    files = readModelFiles(champion);
  } catch (error) {
    if (error instanceof ChurnError) return;
    throw error;
  }
  installModelDirectory(previousPath(champion, version), files);
}

function writeNote(champion: string, note: Note): void {
  const path = notePath(champion);
  writeFileSync(asidePath(path), JSON.stringify(note), { flush: true });
  renameSync(asidePath(path), path);
}

/** Does what is left to do after a swap; after none, takes back what was prepared. */
export function finishSuccession(champion: string): void {
  const path = notePath(champion);
  removeAbandoned(path);
  if (!existsSync(path)) return;
  const { entry, keep } = JSON.parse(readFileSync(path, "utf8")) as Note;
  const version = championVersion(champion);
  if (version === entry.version) {
    const last = readLedger(champion).at(-1);
    if (last?.version !== entry.version || last.at !== entry.at) appendLedger(champion, entry);
  }
  // The champion is not among those before it.
  const old = listPrevious(champion).filter((name) => name !== version);
  const gone = [...old.slice(keep), ...(typeof version === "string" ? [version] : [])];
  for (const name of gone) rmSync(previousPath(champion, name), { recursive: true, force: true });
  rmSync(path);
}
