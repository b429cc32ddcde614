/**
 * Slots: each process that answers has a spool of its own, and a process that comes later takes over what a dead one left.
 *
 * A slot is a numbered folder whose owner holds a lock on its file `lock`. The operating system keeps the lock (through
 * SQLite, whose locks Node has) and lets go of it when the owner dies, however that happens.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolders } from "@churn/contract";

const LOCK_FILE = "lock";
/** SQLite's number of "somebody else has it". */
const BUSY = 5;
/** Two who look at once would both be told that somebody else has it: one of them waits so long for the other to let go. */
const LOOK_MS = 20;

export interface Slot {
  readonly folder: string;
  release(): void;
}

/**
 * Takes the first free slot of a spool's folder, making one when all are taken.
 *
 * @throws What the file system or SQLite says when a slot can be neither made nor locked
 */
export function takeSlot(directory: string): Slot {
  for (let number = 1; ; number++) {
    const folder = join(directory, String(number));
    makeFolders(folder);
    const slot = lock(folder);
    if (slot !== undefined) return slot;
  }
}

/**
 * What to do with every slot that nobody holds any more, one after the other; each is held meanwhile.
 *
 * @param onFault What is wrong with a slot (its folder belongs to somebody else) or went wrong with it: the others follow.
 */
export async function visitAbandonedSlots(
  directory: string,
  visit: (folder: string) => Promise<void>,
  onFault: (error: Error, folder: string) => void,
): Promise<void> {
  const folders = readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => join(directory, name));
  for (const folder of folders) {
    try {
      const slot = lock(folder);
      if (slot !== undefined) await visit(folder).finally(slot.release);
    } catch (error) {
      onFault(error as Error, folder);
    }
  }
}

function lock(folder: string): Slot | undefined {
  const database = new DatabaseSync(join(folder, LOCK_FILE), { timeout: LOOK_MS });
  try {
    database.exec("BEGIN EXCLUSIVE");
    return { folder, release: () => database.close() };
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === BUSY) return undefined;
    throw error;
  }
}
