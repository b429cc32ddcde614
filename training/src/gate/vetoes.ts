/** What keeps a challenger out, however much it earns. */
import type { DatasetSpecification, Metric } from "@churn/contract";
import { normalUpperTail } from "../statistics/gamma.ts";
import { holmAdjust } from "../statistics/holm.ts";
import { pairedDifference } from "./paired-difference.ts";

export interface Veto {
  readonly kind: "calibration" | "slice" | "size" | "latency" | "schema";
  /** A sentence. */
  readonly reason: string;
}

/** A root mean square calibration error that is above it for sure. */
const MOST_CALIBRATION_ERROR = 0.03;

/** Probabilities that cannot be taken at their word, where those of the champion could. */
export function calibrationVeto(champion: Metric, challenger: Metric): Veto[] {
  if (challenger.low <= MOST_CALIBRATION_ERROR || challenger.value <= champion.value) return [];
  const [now, before] = [challenger.value, champion.value].map((error) => error.toFixed(3));
  return [{ kind: "calibration", reason: `its calibration error is ${now}, the champion's ${before}` }];
}

/** Customers of one group, as places among all. */
export interface GateSlice {
  readonly column: string;
  readonly level: string;
  readonly rows: Uint32Array;
}

const SLICE_LEVEL = 0.05;
/** With fewer customers, or fewer churners, nothing is said of a group. */
const LEAST_ROWS = 200;
const LEAST_CHURNERS = 20;
/** Of log-loss: less is no harm, however sure it is. */
const SLICE_FLOOR = 0.005;

/**
 * Groups for whom the probabilities are worse, corrected for their number (Holm): of twenty groups one is worse by chance
 * in every second comparison of equal models.
 *
 * @param logLossGain Per customer, challenger's over the champion's.
 */
export function sliceVetoes(slices: readonly GateSlice[], logLossGain: Float64Array, labels: Uint8Array): Veto[] {
  const tested = slices.filter(({ rows }) => {
    const churners = rows.reduce((sum, row) => sum + labels[row], 0);
    return rows.length >= LEAST_ROWS && churners >= LEAST_CHURNERS;
  });
  const found = tested.map(({ rows }) =>
    pairedDifference(
      Float64Array.from(rows, (row) => logLossGain[row]),
      SLICE_LEVEL,
    ),
  );
  const adjusted = holmAdjust(
    found.map(({ mean, standardDeviation, n }) =>
      mean >= 0 || standardDeviation === 0 ? 1 : normalUpperTail((-mean * Math.sqrt(n)) / standardDeviation),
    ),
  );
  return tested.flatMap(({ column, level }, i): Veto[] => {
    const { mean } = found[i];
    if (adjusted[i] > SLICE_LEVEL || mean > -SLICE_FLOOR) return [];
    return [{ kind: "slice", reason: `its log-loss is worse by ${(-mean).toFixed(4)} where ${column} is ${level}` }];
  });
}

export interface Limits {
  /** Of the model directory. */
  readonly bytes: number;
  /** Of one prediction, median. */
  readonly microseconds: number;
}

export const DEFAULT_LIMITS: Limits = { bytes: 20_000_000, microseconds: 1000 };

export function limitVetoes(challenger: Limits, limits: Limits): Veto[] {
  const vetoes: Veto[] = [];
  if (challenger.bytes > limits.bytes) {
    vetoes.push({ kind: "size", reason: `it has ${challenger.bytes} bytes, ${limits.bytes} are allowed` });
  }
  if (challenger.microseconds > limits.microseconds) {
    const [now, most] = [challenger.microseconds, limits.microseconds].map((time) => time.toFixed(0));
    vetoes.push({ kind: "latency", reason: `a prediction takes ${now} µs, ${most} are allowed` });
  }
  return vetoes;
}

/** Whether callers of the champion can go on as they are: nothing they send may be refused, nothing more be asked of them. */
export function schemaVetoes(champion: DatasetSpecification, challenger: DatasetSpecification): Veto[] {
  const problems: string[] = [];
  for (const [name, before] of Object.entries(champion.columns)) {
    const now = challenger.columns[name];
    if (!isAsked(champion, name)) continue;
    if (now === undefined || !isAsked(challenger, name)) {
      problems.push(`${name} is no longer known, and a request with it would be refused`);
    } else if (now.type !== before.type) problems.push(`${name} was ${before.type} and is ${now.type}`);
    else if (
      (now.minimum ?? -Infinity) > (before.minimum ?? -Infinity) ||
      (now.maximum ?? Infinity) < (before.maximum ?? Infinity)
    ) {
      problems.push(`${name} has narrower bounds, and values that were taken would be refused`);
    }
  }
  for (const [name, { nullable }] of Object.entries(challenger.columns)) {
    const isFeature = isAsked(challenger, name) && ![challenger.key, challenger.time].includes(name);
    const before = champion.columns[name];
    if (isFeature && nullable !== true && (before === undefined || before.nullable === true)) {
      problems.push(`${name} is now required`);
    }
  }
  return problems.map((reason) => ({ kind: "schema", reason }));
}

/** Whether a request may have the column. */
function isAsked({ columns, target, key, time }: DatasetSpecification, name: string): boolean {
  if (name === key || name === time) return true;
  return name !== target.column && (columns[name]?.role ?? "feature") === "feature" && columns[name] !== undefined;
}
