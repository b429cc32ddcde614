/** What comes of a drift check. */
import type { DriftCheck } from "./check.ts";
import type { DriftReference } from "./reference.ts";
import type { DriftWindow } from "./window.ts";

export interface DriftResult extends DriftCheck {
  readonly modelVersion: string;
  /** Null when none was asked for. */
  readonly report: string | null;
  readonly current: string;
  readonly falseAlarmsPerYear: number;
  readonly everyDays: number;
  readonly missingColumns: readonly string[];
  readonly extraColumns: readonly string[];
  /** Columns of which the store has hashes: they are not checked. */
  readonly hiddenColumns: readonly string[];
}

/** A result and what it was found in: what a report is made of. */
export interface CheckedWindow {
  readonly result: DriftResult;
  readonly reference: DriftReference;
  readonly window: DriftWindow;
}
