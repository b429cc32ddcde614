/** Whether committed models are what they say: by their checksums, and by the ledger's. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ChurnError, MANIFEST_FILE, MODEL_FILES, modelDirectory, readModelDirectory, sha256 } from "@churn/contract";
import { championVersion, type LedgerEntry, ledgerPath, readLedger } from "./ledger.ts";
import { listPrevious, previousPath } from "./succession.ts";

export interface Verification {
  /** One per directory that is whole. */
  readonly verified: readonly { readonly path: string; readonly version: string; readonly contentSha256: string }[];
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** Every checksum of the champion and of those before it, and the ledger's own. */
export function verifyModels(champion: string): Verification {
  const verified: Verification["verified"][number][] = [];
  const problems: string[] = [];
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ChurnError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const entries = attempt(() => readLedger(champion)) ?? [];
  for (const path of [champion, ...listPrevious(champion).map((version) => previousPath(champion, version))]) {
    const manifest = attempt(() => readModelDirectory(path).manifest);
    if (manifest === undefined) continue;
    const { version, contentSha256 } = manifest;
    const found = problemsOf(path, version, entries);
    if (found.length === 0) verified.push({ path, version, contentSha256 });
    problems.push(...found);
  }
  const last = entries.at(-1);
  const present = championVersion(champion);
  if (last !== undefined && typeof present === "string" && present !== last.version) {
    problems.push(
      `${champion}: expected ${last.version}, by the last line of ${ledgerPath(champion)}, got ${present}: train or roll back, which adds a line, or restore both from git`,
    );
  }
  return { verified, problems };
}

/** What the directory's own sums cannot show: a `model.json` that was changed where no sum looks. */
function problemsOf(path: string, version: string, entries: readonly LedgerEntry[]): string[] {
  const directory = modelDirectory(path);
  const foreign = readdirSync(directory).filter((name) => !MODEL_FILES.includes(name));
  if (foreign.length > 0) return [`${path}: expected the files of a model and nothing else, got ${foreign.join(", ")}`];
  const file = join(directory, MANIFEST_FILE);
  const bytes = readFileSync(file);
  const expected = entries.findLast((entry) => entry.version === version)?.manifestSha256;
  if (expected !== undefined) {
    const actual = sha256(bytes);
    return actual === expected
      ? []
      : [`${file}: expected sha256 ${expected.slice(0, 12)}…, as in the ledger, got ${actual.slice(0, 12)}…`];
  }
  const isAsWritten = `${JSON.stringify(JSON.parse(bytes.toString("utf8")), null, 2)}\n` === bytes.toString("utf8");
  return isAsWritten ? [] : [`${file}: expected the text that training writes, got another spelling of it`];
}
