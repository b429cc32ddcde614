/**
 * A lock among programs, on a file that stays. The operating system holds it (through SQLite, whose locks Node has), so a
 * program that is killed lets go.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { ChurnError } from "@churn/contract";

const POLL_MS = 100;
/** SQLite's number of "somebody else has it". */
const BUSY = 5;

export class LockError extends ChurnError {
  constructor(path: string, reason: string, cause?: unknown) {
    super("CHURN_ERR_FILE_UNWRITABLE", `${path}: cannot be locked: ${reason}`, { cause });
  }
}

/**
 * Works while no other program does, on the same file; waits for its turn, but not for ever.
 *
 * @throws LockError for a file that is no lock, or that another program keeps
 */
export async function withLock<T>(path: string, patienceMs: number, work: () => Promise<T>): Promise<T> {
  const database = explained(path, () => new DatabaseSync(path));
  try {
    const deadline = performance.now() + patienceMs;
    while (!explained(path, () => tryLock(database))) {
      if (performance.now() > deadline)
        throw new LockError(path, `another program has had it for ${patienceMs / 1000} s`);
      await sleep(POLL_MS);
    }
    return await work();
  } finally {
    database.close();
  }
}

function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new LockError(path, `${(cause as Error).message}; remove what is there`, cause);
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === BUSY) return false;
    throw error;
  }
}
