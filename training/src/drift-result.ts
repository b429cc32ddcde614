/** What comes of a drift check. */

import type { Metrics } from "@churn/contract";
import type { DriftCheck, Verdict } from "./drift/check.ts";
import type { DriftReference } from "./drift/reference.ts";
import type { DriftWindow } from "./drift/window.ts";
import type { PerformanceEstimate } from "./performance/estimate.ts";
import type { PerformanceResult } from "./performance/result.ts";
import type { TrackedRun } from "./tracking/tracker.ts";

/** One of the windows that were checked. */
export interface WindowSummary {
  /** Null of a file. */
  readonly days: number | null;
  /** When its predictions were made, ISO 8601, from inclusive to exclusive; null of a file. */
  readonly from: string | null;
  readonly to: string | null;
  readonly rows: number;
  readonly level: number;
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
}

/** The facts of columns and scores are of the window that makes the verdict, else of the longest with enough customers. */
export interface DriftResult extends DriftCheck {
  readonly modelVersion: string;
  /** Null when none was asked for. */
  readonly report: string | null;
  /** Null when it could not be written, or none was asked for. */
  readonly run: TrackedRun | null;
  readonly current: string;
  readonly falseAlarmsPerYear: number;
  readonly everyDays: number;
  /** All that were checked, the shortest first. */
  readonly windows: readonly WindowSummary[];
  /** What outcomes show; null of a file. */
  readonly performance: PerformanceResult | null;
  /** What figures would be if people still react as they did; null where the training's customers cannot stand for these. */
  readonly estimate: PerformanceEstimate | null;
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
  /** Of the customers that the training held out. */
  readonly metrics: Metrics;
}
