/**
 * The check of a model by its outcomes, from the prediction store:
 *
 *     mature predictions ─▶ AUC, log-loss, profit, observed/expected, beside the held-out customers of the training
 *     young ones         ─▶ observed/expected so far
 *     half a year        ─▶ the same figures by week
 */
import { horizonMs, type Metrics, type ModelManifest } from "@churn/contract";
import { checkLevel, EARLY_SHARE, MATURE_SHARE } from "../drift/budget.ts";
import type { DriftReference } from "../drift/reference.ts";
import { DAY_MS, lastWindow, scalesFor, youngLengths } from "../drift/windows.ts";
import type { JudgedPrediction, JudgedReader, TimeWindow } from "../store/prediction-reader.ts";
import { type DepartureCurves, departureCurves } from "./departure-curves.ts";
import { testEarly } from "./early.ts";
import { DEFAULT_PERFORMANCE_FLOORS, judgeTests } from "./finding.ts";
import { historyPoint, readWeeks } from "./history.ts";
import { controlWeights, type JudgedWindow, joinWindows, judgedWindow } from "./judged-window.ts";
import { areEnough, labelledScores, testOutcomes } from "./mature.ts";
import type { EarlyWindow, MatureWindow, PerformanceResult } from "./result.ts";
import { type CalibratedScores, calibratedScores } from "./score-calibration.ts";
import { earlyReasons, matureReasons, notesOf } from "./sentences.ts";
import { measureSlices } from "./slices.ts";

export interface PerformanceSettings {
  readonly falseAlarmsPerYear: number;
  readonly everyDays: number;
  /** How long after it has happened an outcome may be reported. */
  readonly graceDays: number;
  readonly now: Date;
}

export async function checkPerformance(
  reader: JudgedReader,
  manifest: ModelManifest,
  { calibration }: DriftReference,
  { falseAlarmsPerYear, everyDays, graceDays, now }: PerformanceSettings,
): Promise<PerformanceResult> {
  const { dataset, metrics } = manifest;
  const horizonDays = dataset.target.horizonDays ?? null;
  const asOf = now.getTime();
  const seen = asOf - graceDays * DAY_MS; // all that has happened until then is known
  const isMature = (elapsed: number): boolean => elapsed >= (horizonDays ?? 0) + graceDays;
  const expectation = { dataset, metrics, calibration: calibratedScores(calibration ?? UNCALIBRATED) };

  const weeks = await readWeeks(reader, asOf, horizonDays);
  const everything = joinWindows([...weeks.values()]);
  const curves =
    horizonDays === null ? undefined : departureCurves(everything, (row) => isMature(everything.ages[row]));

  const scales = scalesFor(everyDays);
  const mature: MatureWindow[] = [];
  let longest: readonly JudgedPrediction[] = [];
  const hasSlices = (dataset.slices ?? []).length > 0;
  for (const days of scales) {
    const window = lastWindow(days, seen - (horizonDays ?? 0) * DAY_MS);
    const level = checkLevel(falseAlarmsPerYear, days, scales.length, MATURE_SHARE);
    longest = await readOwn(reader, manifest, window, hasSlices && days === scales[scales.length - 1]);
    mature.push(matureWindow(longest, asOf, window, level, expectation));
  }
  const early: EarlyWindow[] = [];
  const lengths = youngLengths(horizonDays);
  for (const days of lengths) {
    const window = lastWindow(days, seen, everyDays);
    const level = checkLevel(falseAlarmsPerYear, everyDays, lengths.length, EARLY_SHARE);
    const predictions = await readOwn(reader, manifest, window, false);
    early.push(earlyWindow(predictions, window, level, curves, expectation));
  }
  return {
    horizonDays,
    graceDays,
    reasons: [...mature.flatMap(matureReasons), ...early.flatMap(earlyReasons)],
    notes: notesOf(mature, early, curves, calibration !== undefined),
    mature,
    early,
    history: [...weeks].map(([start, window]) => historyPoint(start, window, isMature, dataset.economics)),
    slices: hasSlices ? measureSlices(longest, manifest, asOf) : [],
  };
}

/** What is expected of a model's predictions. */
interface Expectation {
  readonly dataset: ModelManifest["dataset"];
  /** Of the customers that the training held out. */
  readonly metrics: Metrics;
  readonly calibration: CalibratedScores;
}

const UNCALIBRATED = { slope: 1, intercept: 0, covariance: [0, 0, 0] } as const;

/** Predictions of this model in a window, the first of each customer. */
async function readOwn(
  reader: JudgedReader,
  { dataset, contentSha256 }: ModelManifest,
  window: TimeWindow,
  withFeatures: boolean,
): Promise<JudgedPrediction[]> {
  const predictions: JudgedPrediction[] = [];
  const query = { ...window, horizonMs: horizonMs(dataset.target.horizonDays), withFeatures };
  for await (const batch of reader.judged({ ...query, periodMs: window.to - window.from })) {
    for (const one of batch) if (one.model_sha256 === contentSha256) predictions.push(one);
  }
  return predictions;
}

function matureWindow(
  predictions: readonly JudgedPrediction[],
  asOf: number,
  window: TimeWindow,
  level: number,
  { dataset, metrics, calibration }: Expectation,
): MatureWindow {
  const judged = judgedWindow(predictions, asOf);
  const { weights, basis, controls } = controlWeights(judged);
  const labelled = labelledScores(judged, weights);
  const tests =
    basis !== "tooFew" && areEnough(labelled)
      ? testOutcomes(labelled, {
          reference: metrics,
          economics: dataset.economics,
          calibration,
          floors: DEFAULT_PERFORMANCE_FLOORS,
        })
      : [];
  const findings = judgeTests(tests, level);
  return { ...facts(window, judged, level), basis, controls, labelled: labelled.labels.length, findings };
}

function earlyWindow(
  predictions: readonly JudgedPrediction[],
  window: TimeWindow,
  level: number,
  curves: DepartureCurves | undefined,
  { calibration }: Expectation,
): EarlyWindow {
  const judged = judgedWindow(predictions, window.to);
  const { weights: everybody, basis, controls } = controlWeights(judged);
  // Who was contacted is known with his outcome, so among the young only of those who left: below the threshold nobody is.
  const weights = basis === "untouched" ? everybody : Float64Array.from(judged.decisions, (decision) => 1 - decision);
  const floor = DEFAULT_PERFORMANCE_FLOORS.observedExpected;
  const tested = curves && testEarly(judged, weights, curves, calibration, floor);
  const [finding = null] = tested === undefined ? [] : judgeTests([tested.test], level);
  const { observed = null, expected = null } = tested ?? {};
  return { ...facts(window, judged, level), basis, controls, observed, expected, finding };
}

function facts(window: TimeWindow, { rows }: JudgedWindow, level: number) {
  const [from, to] = [window.from, window.to].map((time) => new Date(time).toISOString().slice(0, 10));
  return { days: (window.to - window.from) / DAY_MS, from, to, rows, level };
}
