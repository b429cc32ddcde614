/** What outcomes show of a model. */
import type { Metric } from "@churn/contract";
import type { PerformanceFinding } from "./finding.ts";
import type { ControlWeights } from "./judged-window.ts";

/** Predictions of a window of time, made by the model that is checked. */
interface CheckedPredictions {
  readonly days: number;
  /** ISO 8601, from inclusive to exclusive. */
  readonly from: string;
  readonly to: string;
  readonly rows: number;
  readonly level: number;
  readonly basis: ControlWeights["basis"];
  /** Customers above the threshold who were left alone. */
  readonly controls: number;
}

/** Predictions whose horizon is over. */
export interface MatureWindow extends CheckedPredictions {
  /** Of those that count, whose outcome is known. */
  readonly labelled: number;
  /** Empty when there are too few, or too few who were left alone. */
  readonly findings: readonly PerformanceFinding[];
}

/** Predictions whose horizon runs. */
export interface EarlyWindow extends CheckedPredictions {
  /** Customers who have left so far, and who should have; null when there are too few. */
  readonly observed: number | null;
  readonly expected: number | null;
  readonly finding: PerformanceFinding | null;
}

/** A week of predictions, of whatever model. */
export interface HistoryPoint {
  readonly from: string;
  readonly rows: number;
  readonly labelled: number;
  readonly meanScore: number;
  readonly decisions: number;
  /** Those of mature weeks with enough outcomes. */
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface SlicePerformance {
  readonly column: string;
  readonly level: string;
  readonly rows: number;
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface PerformanceResult {
  /** Null: an outcome holds whenever it comes. */
  readonly horizonDays: number | null;
  readonly graceDays: number;
  /** What is an alarm; a sentence each. */
  readonly reasons: readonly string[];
  /** What one must know to read it. */
  readonly notes: readonly string[];
  readonly mature: readonly MatureWindow[];
  readonly early: readonly EarlyWindow[];
  /** The oldest first. */
  readonly history: readonly HistoryPoint[];
  /** Of the longest mature window. */
  readonly slices: readonly SlicePerformance[];
}
