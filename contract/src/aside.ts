/**
 * Writing aside: what is being written stands beside its place under a name of its writer's, until it is whole
 * and renamed. A writer that is killed leaves it; the next one removes it.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const prefix = (target: string): string => `.${basename(target)}.new-`;

/** Where this process writes what is to become `target`. */
export function asidePath(target: string): string {
  return join(dirname(target), `${prefix(target)}${process.pid}`);
}

/** Removes what killed writers of `target` left. This is housekeeping: what cannot be removed stays. */
export function removeAbandoned(target: string): void {
  try {
    for (const name of readdirSync(dirname(target))) {
      const writer = name.startsWith(prefix(target)) ? name.slice(prefix(target).length) : "";
      if (/^\d+$/.test(writer) && !isRunning(Number(writer))) {
        rmSync(join(dirname(target), name), { recursive: true, force: true });
      }
    }
  } catch {
    // Another user's, or a folder that cannot be listed: the writing itself will say what it needs.
  }
}

/** Whether another process of this number runs. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // running, as another user
  }
}

/** Makes a folder and its parents as needed, and lists what it made, outermost first. */
export function makeFolders(folder: string, made: string[] = []): void {
  // Not mkdir's own `recursive`, which never returns for a folder under /proc (Node 26.10).
  if (isFolder(folder)) return;
  makeFolders(dirname(folder), made);
  try {
    mkdirSync(folder);
    made.push(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error; // else another process was faster
  }
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
