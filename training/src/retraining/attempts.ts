/**
 * Which data have judged a challenger before: run-time state, a line per attempt. It is written before an outcome is looked at, so
 * that one who is killed has spent it, and once more when it is decided.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolders } from "@churn/contract";
import type { RetrainOutcome } from "./result.ts";

interface Attempt {
  readonly at: string;
  readonly dataSha256: string;
  /** The champion's. */
  readonly contentSha256: string;
  /** The challenger's content hash. */
  readonly challenger: string;
  /** Null before it is decided. */
  readonly outcome: RetrainOutcome | null;
}

export class Attempts {
  readonly #path: string;
  readonly #lines: readonly Attempt[];

  constructor(folder: string) {
    this.#path = join(folder, "attempts.jsonl");
    this.#lines = existsSync(this.#path) ? readLines(this.#path) : [];
  }

  /** When these data have judged a challenger of this champion; undefined if never, or not to the end. */
  last(dataSha256: string, contentSha256: string): string | undefined {
    return this.#decided(contentSha256).findLast((line) => line.dataSha256 === dataSha256)?.at;
  }

  /** When this champion last had a challenger; undefined if never. */
  lastDecided(contentSha256: string): string | undefined {
    return this.#decided(contentSha256).at(-1)?.at;
  }

  #decided(contentSha256: string): Attempt[] {
    return this.#lines.filter((line) => line.contentSha256 === contentSha256 && line.outcome !== null);
  }

  /** Challengers in a row, until now, that were not promoted. */
  refusals(): number {
    const decided = this.#lines.filter(({ outcome }) => outcome !== null);
    return decided.length - 1 - decided.findLastIndex(({ outcome }) => outcome === "promoted");
  }

  /**
   * The same challenger by the same data is the same test: one that was killed before it was decided is made again.
   *
   * @returns how often these data have judged a challenger, this time included
   */
  count(attempt: Omit<Attempt, "outcome">): number {
    const isSame = (line: Attempt): boolean => line.dataSha256 === attempt.dataSha256 && line.outcome === null;
    const begun = this.#lines.filter(isSame).length;
    const last = this.#lines.at(-1);
    if (last !== undefined && isSame(last) && last.challenger === attempt.challenger) return begun;
    this.#append({ ...attempt, outcome: null });
    return begun + 1;
  }

  decide(attempt: Omit<Attempt, "outcome">, outcome: RetrainOutcome): void {
    this.#append({ ...attempt, outcome });
  }

  #append(line: Attempt): void {
    makeFolders(dirname(this.#path));
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { flush: true });
  }
}

/** A line that was cut short is no attempt: no outcome had been looked at. */
function readLines(path: string): Attempt[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Attempt];
      } catch {
        return [];
      }
    });
}
