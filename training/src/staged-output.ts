/**
 * A file that is written beside its final name and renamed into place: it is whole, or it is not there. However
 * the process ends, short of SIGKILL, what was half-written goes with it; after SIGKILL, with the next writer.
 */
import { accessSync, constants, existsSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { asidePath, ChurnError, isFolder, MANIFEST_FILE, makeFolders, removeAbandoned } from "@churn/contract";
import { onExit } from "signal-exit";

export interface StagedOutput {
  /** Where to write until `commit`; an empty file is there already. */
  readonly temporaryPath: string;
  /** Puts the file in its place. @throws CHURN_ERR_FILE_UNWRITABLE */
  readonly commit: () => void;
  /** Writes the whole file and puts it in its place. @throws CHURN_ERR_FILE_UNWRITABLE */
  readonly write: (content: string | Uint8Array) => void;
  /** Leaves everything as it was. */
  readonly discard: () => void;
}

/**
 * Begins a file at `path`; folders on the way are made. Done early, it says before hours of work that the place
 * cannot be written.
 *
 * @throws CHURN_ERR_FILE_UNWRITABLE; CHURN_ERR_OPTION_INVALID within a model directory
 */
export function stageOutput(path: string): StagedOutput {
  const target = resolve(path);
  if (existsSync(join(dirname(target), MANIFEST_FILE))) {
    const message = `${path}: expected a place outside of model directories, which hold their own files only`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  const temporaryPath = asidePath(target);
  const madeFolders: string[] = [];

  const discard = () => {
    forget();
    try {
      rmSync(temporaryPath, { force: true });
    } catch {
      // It never came to be: its place cannot be.
    }
    removeFolders(madeFolders);
  };
  const forget = onExit(discard); // before the first folder is made: a signal may come at any time

  try {
    makeFolders(dirname(target), madeFolders);
    if (isFolder(target)) throw Object.assign(new Error("there is a folder of that name"), { code: "EISDIR" });
    removeAbandoned(target);
    writeFileSync(temporaryPath, "");
  } catch (error) {
    discard();
    throw unwritable(path, error);
  }

  const commit = () => {
    try {
      renameSync(temporaryPath, target);
    } catch (error) {
      throw unwritable(path, error);
    }
    madeFolders.length = 0;
    discard();
  };
  const write = (content: string | Uint8Array) => {
    try {
      writeFileSync(temporaryPath, content);
    } catch (error) {
      discard();
      throw unwritable(path, error);
    }
    commit();
  };
  return { temporaryPath, commit, write, discard };
}

/**
 * Says early whether a file or folder can be made at `path`, without making anything: before hours of work.
 *
 * @throws CHURN_ERR_FILE_UNWRITABLE
 */
export function checkPlace(path: string): void {
  let folder = dirname(resolve(path));
  try {
    while (!existsSync(folder)) folder = dirname(folder);
    if (!isFolder(folder)) throw Object.assign(new Error(`${folder} is no folder`), { code: "ENOTDIR" });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** Removes the folders, innermost first, until one is no longer empty. */
function removeFolders(folders: readonly string[]): void {
  try {
    for (const folder of folders.toReversed()) rmdirSync(folder);
  } catch {
    // Something else lives there now: it stays.
  }
}

/** The error of a file that cannot be written, with the reason. */
export function unwritable(path: string, cause: unknown): ChurnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ChurnError(
    "CHURN_ERR_FILE_UNWRITABLE",
    `${path}: cannot be written (${reason}). Nothing was left behind; check the folder's permissions and free space`,
    { cause },
  );
}
