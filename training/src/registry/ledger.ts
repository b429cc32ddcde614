/**
 * The ledger: one JSON line per change of the champion, appended to `ledger.jsonl` beside its directory.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MANIFEST_FILE, type ModelManifest } from "@churn/contract";

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

export function appendToLedger(modelDirectory: string, entry: LedgerEntry): void {
  appendFileSync(join(dirname(resolve(modelDirectory)), "ledger.jsonl"), `${JSON.stringify(entry)}\n`);
}

/** The version of the model in a directory; undefined when there is no directory, null when it is damaged. */
export function currentVersion(modelDirectory: string): string | null | undefined {
  if (!existsSync(modelDirectory)) return undefined;
  try {
    const manifest = JSON.parse(readFileSync(join(modelDirectory, MANIFEST_FILE), "utf8")) as ModelManifest;
    return manifest.version;
  } catch {
    return null;
  }
}
