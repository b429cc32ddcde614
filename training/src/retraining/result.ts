/** What comes of a retraining. */
import type { DriftResult } from "../drift-result.ts";
import type { GateEvidence } from "../gate/evidence.ts";
import type { LedgerEntry } from "../registry/ledger.ts";
import type { TrackedRun } from "../tracking/tracker.ts";
import type { NewData } from "./new-data.ts";

export type RetrainOutcome = "promoted" | "kept" | "notEnoughEvidence" | "skipped";

export interface RetrainResult {
  readonly outcome: RetrainOutcome;
  /** A sentence. */
  readonly reason: string;
  /** Whether somebody has to look: a fault of the data, an alarm that no challenger answers, refusals that repeat. */
  readonly needsPerson: boolean;
  readonly data: DataFacts;
  /** Why a challenger was trained; empty when none was. */
  readonly why: readonly string[];
  /** Null where there was no champion to check, or nothing new to check it by. */
  readonly drift: DriftFacts | null;
  /** Null when no challenger was compared. */
  readonly evidence: GateEvidence | null;
  /** Who serves from now on; null where there is no champion. */
  readonly championVersion: string | null;
  /** Who served until now. */
  readonly previousVersion: string | null;
  readonly challengerVersion: string | null;
  /** The line in the ledger; null when nothing has changed. */
  readonly ledger: LedgerEntry | null;
  readonly report: string;
  /** Null when it could not be written. */
  readonly run: TrackedRun | null;
}

/** Without path and sum where there were too few to make a file of. */
export type DataFacts = Pick<NewData, "source" | "notes"> & {
  readonly path: string | null;
  readonly sha256: string | null;
  /** Null for those that were not generated. */
  readonly generated: NewData["generated"] | null;
};

export type DriftFacts = Pick<DriftResult, "verdict" | "reasons" | "rows" | "report">;
