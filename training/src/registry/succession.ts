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
  finishSwap,
  installModelDirectory,
  MANIFEST_FILE,
  MODEL_FILES,
  type ModelManifest,
  makeFolders,
  modelDirectory,
  readModelDirectory,
  removeAbandoned,
  sha256,
} from "@churn/contract";
import { withLock } from "../tracking/lock.ts";
import {
  appendLedger,
  championStack,
  championVersion,
  checkLedger,
  type LedgerEntry,
  ledgerPath,
  readLedger,
  recordReplacement,
} from "./ledger.ts";

export type ModelDirectoryFiles = Readonly<Record<string, Uint8Array>>;

/** What is meant to happen. */
interface Note {
  readonly entry: LedgerEntry;
  /** Previous champions to keep. */
  readonly keep: number;
}

const notePath = (champion: string): string => join(dirname(resolve(champion)), ".succession.json");
/** As near to the path that was given as can be: it is in messages. */
const previousFolder = (champion: string): string => {
  const beside = dirname(champion);
  return join(resolve(beside) === dirname(resolve(champion)) ? beside : dirname(resolve(champion)), "previous");
};

/** Where a champion of before is kept. */
export const previousPath = (champion: string, version: string): string => join(previousFolder(champion), version);

/** Those that are kept: first those that one can go back to, the last of them first, then the others, the newest first. */
export function listPrevious(champion: string): string[] {
  const folder = previousFolder(champion);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".")) : [];
  const stack = championStack(readLedger(champion));
  return names.sort((a, b) => stack.lastIndexOf(b) - stack.lastIndexOf(a) || (a < b ? 1 : -1));
}

const LOCK_FILE = ".lock";
/** How long another program that changes the champion is waited for. */
const PATIENCE_MS = 1000;

/** Works while no other program changes the champion. @throws LockError where one does */
export async function withChampion<T>(champion: string, work: () => Promise<T>): Promise<T> {
  const folder = dirname(resolve(champion));
  const made: string[] = [];
  makeFolders(folder, made);
  try {
    return await withLock(join(folder, LOCK_FILE), PATIENCE_MS, work);
  } finally {
    const isUnused = made.length > 0 && readdirSync(folder).every((name) => name === LOCK_FILE);
    if (isUnused) rmSync(made[0], { recursive: true, force: true });
  }
}

/** A model directory as bytes, all verified. @throws CHURN_ERR_MODEL_INVALID */
export function readModelFiles(path: string): ModelDirectoryFiles {
  readModelDirectory(path);
  const directory = modelDirectory(path);
  return Object.fromEntries(MODEL_FILES.map((name) => [name, readFileSync(join(directory, name))]));
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
  const { version, contentSha256 } = JSON.parse(new TextDecoder().decode(files[MANIFEST_FILE])) as ModelManifest;
  if (version !== line.version || contentSha256 !== line.contentSha256) {
    throw new Error(`expected the files of ${line.version}, got those of ${version}`);
  }
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

/** Writes a model without a gate; where it takes a champion's place, under its lock and with a line in the ledger. */
export async function replaceChampion(
  path: string,
  replacement: { readonly at: Date; readonly reason: string },
  write: () => ModelManifest,
): Promise<ModelManifest> {
  if (championVersion(path) === undefined) return write();
  return withChampion(path, async () => {
    finishSuccession(path);
    const previousVersion = championVersion(path) ?? null;
    const manifest = write();
    if (previousVersion !== manifest.version) recordReplacement(path, manifest, previousVersion, replacement);
    return manifest;
  });
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

/**
 * Does what is left to do after a swap; after none, takes back what was prepared. Under the champion's lock.
 *
 * @returns the line of one that was finished here
 */
export function finishSuccession(champion: string): LedgerEntry | undefined {
  const path = notePath(champion);
  finishSwap(champion);
  for (const written of [path, ledgerPath(champion)]) removeAbandoned(written);
  if (!existsSync(path)) return undefined;
  const { entry, keep } = JSON.parse(readFileSync(path, "utf8")) as Note;
  const version = championVersion(champion);
  const isDone = version === entry.version;
  if (isDone) {
    const last = readLedger(champion).at(-1);
    if (last?.version !== entry.version || last.at !== entry.at) appendLedger(champion, entry);
  }
  // The champion is not among those before it.
  const old = listPrevious(champion).filter((name) => name !== version);
  const gone = [...(isDone ? old.slice(keep) : []), ...(typeof version === "string" ? [version] : [])];
  for (const name of gone) rmSync(previousPath(champion, name), { recursive: true, force: true });
  for (const name of asidesIn(previousFolder(champion))) rmSync(name, { recursive: true, force: true });
  rmSync(path);
  return isDone ? entry : undefined;
}

/** What one who was killed has left while it kept the champion; nobody else writes there. */
function asidesIn(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => name.startsWith(".")).map((name) => join(folder, name));
}
