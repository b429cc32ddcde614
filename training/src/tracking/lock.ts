/**
 * A lock among programs, on a file that stays. The operating system holds it (through SQLite, whose locks Node has), so a
 * program that is killed lets go.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 100;
/** SQLite's number of "somebody else has it". */
const BUSY = 5;

/** Works while no other program does, on the same file; waits for its turn. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const database = new DatabaseSync(path);
  try {
    while (!tryLock(database)) await sleep(POLL_MS);
    return await work();
  } finally {
    database.close();
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
