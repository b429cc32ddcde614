/**
 * Which calibration a model gets: the one with the lowest cross-validated log-loss on out-of-bag scores, in doubt the
 * simpler one.
 *
 * Isotonic regression bends to whatever it is given, so it takes part only where there are very many rows, and must
 * win by more than its luck.
 */
import { type Calibration, type CalibrationMethod, calibrator, type ModelCalibration } from "@churn/contract";
import { take } from "../data/take.ts";
import { logLossOf, type Scored } from "../evaluation/metrics.ts";
import { Random } from "../random.ts";
import { rowsWhere } from "../sample.ts";
import { fitIsotonic } from "./isotonic.ts";
import { fitSigmoid } from "./sigmoid.ts";

const FOLDS = 5;
/** A stream that no tree, shuffle or sample draws from. */
const FOLD_STREAM = -4;
/** With fewer there is nothing to learn a calibration from. */
const MINIMUM_ROWS = 500;
const MINIMUM_CHURNERS = 50;
const ISOTONIC_MINIMUM_ROWS = 50_000;

type Fit = (scored: Scored) => Calibration | undefined;

const FITS: Readonly<Record<CalibrationMethod, Fit>> = {
  none: () => ({ method: "none" }),
  sigmoid: ({ scores, labels }) => fitSigmoid(scores, labels),
  isotonic: ({ scores, labels }) => fitIsotonic(scores, labels),
};

export interface Choice {
  readonly calibration: ModelCalibration;
  /** Log-loss of each row under a calibration that has not seen it; NaN for rows without a score. */
  readonly losses: Float64Array;
  /** Mean log-loss of each candidate, fold by fold; empty where there is nothing to learn from. */
  readonly foldLogLoss: Readonly<Partial<Record<CalibrationMethod, readonly number[]>>>;
}

/** @param scored Scores of rows that the trees have not fitted; rows with a NaN score are left out. */
export function chooseCalibration(scored: Scored, seed: number): Choice {
  const rows = rowsWhere(scored.scores.length, (row) => !Number.isNaN(scored.scores[row]));
  const { scores, labels } = rowsOf(scored, rows);
  const churners = labels.reduce((sum, label) => sum + label, 0);
  const rarer = Math.min(churners, rows.length - churners);
  if (rows.length < MINIMUM_ROWS || rarer < MINIMUM_CHURNERS) {
    const reason = `learning one takes ${MINIMUM_ROWS} out-of-bag rows and ${MINIMUM_CHURNERS} of either outcome, got ${rows.length} and ${rarer}`;
    const losses = scored.scores.map((score, row) => logLossOf(score, scored.labels[row])); // NaN of NaN
    return { calibration: { method: "none", logLoss: {}, reason }, losses, foldLogLoss: {} };
  }
  const methods: CalibrationMethod[] = ["none", "sigmoid"];
  if (rows.length >= ISOTONIC_MINIMUM_ROWS) methods.push("isotonic");
  const fitted = new Map(methods.map((method) => [method, FITS[method]({ scores, labels })]));
  const { losses, fold } = crossValidate(
    { scores, labels },
    methods.filter((method) => fitted.get(method)),
    seed,
  );
  const method = best(losses);
  const logLoss = Object.fromEntries([...losses].map(([name, values]) => [name, mean(values)]));
  const figures = Object.entries(logLoss).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  const reason = `log-loss in ${FOLDS}-fold cross-validation on ${rows.length} out-of-bag scores: ${figures.join(", ")}`;
  const chosen = losses.get(method) as Float64Array;
  const spread = new Float64Array(scored.scores.length).fill(Number.NaN);
  for (const [i, row] of rows.entries()) spread[row] = chosen[i];
  const foldLogLoss = Object.fromEntries([...losses].map(([name, values]) => [name, meanByFold(values, fold)]));
  return { calibration: { ...(fitted.get(method) as Calibration), logLoss, reason }, losses: spread, foldLogLoss };
}

/** The fold of each row, and per method its loss under a calibration that has not seen it; without those that cannot be fitted. */
function crossValidate(
  scored: Scored,
  methods: readonly CalibrationMethod[],
  seed: number,
): { readonly losses: Map<CalibrationMethod, Float64Array>; readonly fold: Uint8Array } {
  const random = new Random(seed, FOLD_STREAM);
  const fold = Uint8Array.from(scored.scores, () => random.integer(FOLDS));
  const losses = new Map(methods.map((method) => [method, new Float64Array(fold.length)]));
  for (let k = 0; k < FOLDS; k++) {
    const fitted = rowsOf(
      scored,
      rowsWhere(fold.length, (row) => fold[row] !== k),
    );
    const judged = rowsWhere(fold.length, (row) => fold[row] === k);
    for (const [method, values] of losses) {
      const calibration = FITS[method](fitted);
      if (calibration === undefined) {
        losses.delete(method);
        continue;
      }
      const calibrate = calibrator(calibration);
      for (const row of judged) values[row] = logLossOf(calibrate(scored.scores[row]), scored.labels[row]);
    }
  }
  return { losses, fold };
}

const meanByFold = (values: Float64Array, fold: Uint8Array): number[] =>
  Array.from({ length: FOLDS }, (_, k) => mean(values.filter((_, row) => fold[row] === k)));

/** In order of simplicity; isotonic must be better by more than a standard error. */
function best(losses: ReadonlyMap<CalibrationMethod, Float64Array>): CalibrationMethod {
  let chosen: CalibrationMethod = "none";
  for (const [method, values] of losses) {
    const gains = (losses.get(chosen) as Float64Array).map((loss, row) => loss - values[row]);
    const margin = method === "isotonic" ? standardError(gains) : 0;
    if (mean(gains) > margin) chosen = method;
  }
  return chosen;
}

function rowsOf({ scores, labels }: Scored, rows: Uint32Array): Scored {
  return { scores: take(scores, rows), labels: take(labels, rows) };
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: Float64Array): number {
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
