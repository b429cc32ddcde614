/**
 * The check of a model by its outcomes, from the prediction store:
 *
 *     mature predictions ─▶ AUC, log-loss, profit, observed/expected, beside the held-out customers of the training
 *     young ones         ─▶ observed/expected so far
 *     half a year        ─▶ the same figures by week
 */
import { featureColumnNames, horizonMs, type Metric, type ModelManifest } from "@churn/contract";
import { checkLevel, EARLY_SHARE, MATURE_SHARE } from "../drift/budget.ts";
import type { DriftReference } from "../drift/reference.ts";
import { DAY_MS, lastWindow, scalesFor } from "../drift/windows.ts";
import type { Estimate } from "../statistics/auc.ts";
import type { JudgedPrediction, PredictionReader, TimeWindow } from "../store/prediction-reader.ts";
import { type DepartureCurves, departureCurves, testEarly } from "./early.ts";
import { DEFAULT_PERFORMANCE_FLOORS, judgeTests } from "./finding.ts";
import { controlWeights, type JudgedWindow, judgedWindow } from "./judged-window.ts";
import { areEnough, labelledScores, measureOutcomes, testOutcomes, withInterval } from "./mature.ts";
import type { EarlyWindow, HistoryPoint, MatureWindow, PerformanceResult, SlicePerformance } from "./result.ts";
import { calibratedScores } from "./score-calibration.ts";

export interface PerformanceSettings {
  readonly falseAlarmsPerYear: number;
  readonly everyDays: number;
  /** How long after it has happened an outcome may be reported. */
  readonly graceDays: number;
  readonly now: Date;
}

const HISTORY_DAYS = 182;
const HISTORY_PERIOD_DAYS = 7;
/** In a shorter time next to nobody has left. */
const SHORTEST_EARLY_DAYS = 7;

export async function checkPerformance(
  reader: PredictionReader,
  manifest: ModelManifest,
  { calibration }: DriftReference,
  settings: PerformanceSettings,
): Promise<PerformanceResult> {
  const { dataset, metrics, contentSha256 } = manifest;
  const { falseAlarmsPerYear, everyDays, graceDays, now } = settings;
  const horizonDays = dataset.target.horizonDays ?? null;
  const horizon = horizonMs(dataset.target.horizonDays);
  const seen = now.getTime() - graceDays * DAY_MS; // all that has happened until then is known
  const maturity = (horizonDays ?? 0) * DAY_MS;
  const scales = scalesFor(everyDays);
  const calibrated = calibratedScores(calibration ?? { slope: 1, intercept: 0, covariance: [0, 0, 0] });
  const readWindow = async (window: TimeWindow, withFeatures = false): Promise<JudgedPrediction[]> => {
    const predictions: JudgedPrediction[] = [];
    const query = { ...window, horizonMs: horizon, periodMs: window.to - window.from, withFeatures };
    for await (const batch of reader.judged(query)) {
      for (const one of batch) if (one.model_sha256 === contentSha256) predictions.push(one);
    }
    return predictions;
  };

  const past = lastWindow(HISTORY_PERIOD_DAYS, now.getTime());
  const from =
    past.to - Math.ceil((HISTORY_DAYS + (horizonDays ?? 0)) / HISTORY_PERIOD_DAYS) * HISTORY_PERIOD_DAYS * DAY_MS;
  const weeks = await readWeeks(reader, { from, to: past.to }, horizon, now.getTime());
  const everything = joinWindows([...weeks.values()]);
  const isMature =
    (window: JudgedWindow) =>
    (row: number): boolean =>
      window.ages[row] >= (horizonDays ?? 0) + graceDays;
  const curves = horizonDays === null ? undefined : departureCurves(everything, isMature(everything));

  const mature: MatureWindow[] = [];
  let slices: readonly SlicePerformance[] = [];
  for (const days of scales) {
    const window = lastWindow(days, seen - maturity);
    const hasSlices = days === scales[scales.length - 1] && (dataset.slices ?? []).length > 0;
    const predictions = await readWindow(window, hasSlices);
    const level = checkLevel(falseAlarmsPerYear, days, scales.length, MATURE_SHARE);
    mature.push(matureWindow(predictions, window, level));
    if (hasSlices) slices = measureSlices(predictions, manifest, now.getTime());
  }
  const early: EarlyWindow[] = [];
  if (horizonDays !== null) {
    const lengths = scales.filter((days) => days >= SHORTEST_EARLY_DAYS && days < horizonDays);
    for (const days of lengths) {
      const window = lastWindow(days, seen);
      const level = checkLevel(falseAlarmsPerYear, days, lengths.length, EARLY_SHARE);
      early.push(earlyWindow(await readWindow(window), window, level));
    }
  }
  return {
    horizonDays,
    graceDays,
    reasons: [...mature.flatMap(matureReasons), ...early.flatMap(earlyReasons)],
    notes: notesOf(mature, early, curves, calibration !== undefined),
    mature,
    early,
    history: [...weeks].map(([week, window]) => historyPoint(from + week * HISTORY_PERIOD_DAYS * DAY_MS, window)),
    slices,
  };

  function matureWindow(predictions: readonly JudgedPrediction[], window: TimeWindow, level: number): MatureWindow {
    const judged = judgedWindow(predictions, now.getTime());
    const { weights, basis, controls } = controlWeights(judged);
    const labelled = labelledScores(judged, weights);
    const tests = areEnough(labelled)
      ? testOutcomes(labelled, {
          reference: metrics,
          economics: dataset.economics,
          calibration: calibrated,
          floors: DEFAULT_PERFORMANCE_FLOORS,
        })
      : [];
    return {
      ...facts(window, judged, level),
      basis,
      controls,
      labelled: labelled.labels.length,
      findings: judgeTests(tests, level),
    };
  }

  function earlyWindow(predictions: readonly JudgedPrediction[], window: TimeWindow, level: number): EarlyWindow {
    const judged = judgedWindow(predictions, window.to);
    const { weights: everybody, basis, controls } = controlWeights(judged);
    // Who was contacted is known with his outcome, so among the young only of those who left: below the threshold nobody is.
    const weights = basis === "untouched" ? everybody : Float64Array.from(judged.decisions, (decision) => 1 - decision);
    const floor = DEFAULT_PERFORMANCE_FLOORS.observedExpected;
    const tested = curves && testEarly(judged, weights, curves, calibrated, floor);
    const [finding = null] = tested === undefined ? [] : judgeTests([tested.test], level);
    const { observed = null, expected = null } = tested ?? {};
    return { ...facts(window, judged, level), basis, controls, observed, expected, finding };
  }

  function historyPoint(start: number, window: JudgedWindow): HistoryPoint {
    const labelled = labelledScores(window, controlWeights(window).weights, isMature(window));
    return {
      from: isoDay(start),
      rows: window.rows,
      labelled: labelled.labels.length,
      meanScore: window.scores.reduce((sum, score) => sum + score, 0) / window.rows,
      decisions: window.decisions.reduce((sum, decision) => sum + decision, 0) / window.rows,
      metrics: areEnough(labelled) ? asMetrics(measureOutcomes(labelled, dataset.economics)) : {},
    };
  }
}

function facts(window: TimeWindow, { rows }: JudgedWindow, level: number) {
  const days = (window.to - window.from) / DAY_MS;
  return { days, from: isoDay(window.from), to: isoDay(window.to), rows, level };
}

const isoDay = (time: number): string => new Date(time).toISOString().slice(0, 10);

const asMetrics = (estimates: Readonly<Record<string, Estimate>>): Record<string, Metric> =>
  Object.fromEntries(Object.entries(estimates).map(([name, estimate]) => [name, withInterval(estimate)]));

/** Week → its predictions, of all models. */
async function readWeeks(
  reader: PredictionReader,
  window: TimeWindow,
  horizon: number | null,
  now: number,
): Promise<Map<number, JudgedWindow>> {
  const periodMs = HISTORY_PERIOD_DAYS * DAY_MS;
  const weeks = new Map<number, JudgedPrediction[]>();
  for await (const batch of reader.judged({ ...window, horizonMs: horizon, periodMs, withFeatures: false })) {
    for (const one of batch) {
      const week = weeks.get(one.period) ?? [];
      weeks.set(one.period, week);
      week.push(one);
    }
  }
  return new Map(
    [...weeks].sort(([a], [b]) => a - b).map(([week, predictions]) => [week, judgedWindow(predictions, now)]),
  );
}

function joinWindows(windows: readonly JudgedWindow[]): JudgedWindow {
  const rows = windows.reduce((sum, window) => sum + window.rows, 0);
  const floats = (pick: (window: JudgedWindow) => Float64Array): Float64Array => {
    const all = new Float64Array(rows);
    fill(all, windows.map(pick));
    return all;
  };
  const bytes = (pick: (window: JudgedWindow) => Uint8Array): Uint8Array => {
    const all = new Uint8Array(rows);
    fill(all, windows.map(pick));
    return all;
  };
  return {
    rows,
    scores: floats(({ scores }) => scores),
    decisions: bytes(({ decisions }) => decisions),
    labels: bytes(({ labels }) => labels),
    ages: floats(({ ages }) => ages),
    departures: floats(({ departures }) => departures),
    contacted: bytes(({ contacted }) => contacted),
  };
}

function fill<T extends Float64Array | Uint8Array>(all: T, parts: readonly T[]): void {
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
}

/** Mature customers by the groups that the specification names. */
function measureSlices(
  predictions: readonly JudgedPrediction[],
  { dataset }: ModelManifest,
  now: number,
): SlicePerformance[] {
  const names = (dataset.slices ?? []).filter((name) => featureColumnNames(dataset).includes(name));
  const groups = new Map<
    string,
    { readonly column: string; readonly level: string; readonly members: JudgedPrediction[] }
  >();
  for (const one of predictions) {
    const customer = JSON.parse(one.features as string) as Record<string, unknown>;
    for (const column of names) {
      if (customer[column] === null || customer[column] === undefined) continue;
      const level = String(customer[column]);
      const key = JSON.stringify([column, level]);
      const group = groups.get(key) ?? { column, level, members: [] };
      groups.set(key, group);
      group.members.push(one);
    }
  }
  return [...groups.values()]
    .map(({ column, level, members }): SlicePerformance => {
      const window = judgedWindow(members, now);
      const labelled = labelledScores(window, controlWeights(window).weights);
      return {
        column,
        level,
        rows: labelled.labels.length,
        metrics: areEnough(labelled) ? asMetrics(measureOutcomes(labelled, dataset.economics)) : {},
      };
    })
    .sort((a, b) => names.indexOf(a.column) - names.indexOf(b.column) || (a.level < b.level ? -1 : 1));
}

const METRIC_WORDS: Readonly<Record<string, string>> = {
  roc_auc: "ROC AUC",
  log_loss: "log-loss",
  profit_per_customer: "profit per customer",
  observed_expected: "departures for each that was expected",
};

function matureReasons({ from, to, findings }: MatureWindow): string[] {
  return findings
    .filter(({ tier }) => tier === "alarm")
    .map(
      ({ metric, value, reference }) =>
        `predictions of ${from} to ${to}: ${METRIC_WORDS[metric]} is ${value.toPrecision(4)}, expected ${reference.toPrecision(4)}`,
    );
}

function earlyReasons({ from, to, observed, expected, finding }: EarlyWindow): string[] {
  if (finding?.tier !== "alarm") return [];
  const [seen, promised] = [observed, expected].map((count) => (count as number).toFixed(0));
  return [`predictions of ${from} to ${to}: ${seen} customers have left so far, ${promised} should have`];
}

function notesOf(
  mature: readonly MatureWindow[],
  early: readonly EarlyWindow[],
  curves: DepartureCurves | undefined,
  isCalibrated: boolean,
): string[] {
  const last = mature[mature.length - 1];
  const isAny = (basis: MatureWindow["basis"]): boolean =>
    [...mature, ...early].some((window) => window.basis === basis);
  return [
    ...(last.findings.length === 0
      ? [
          `too few mature outcomes of this model for a verdict: ${last.labelled} of ${last.rows} predictions of ${last.from} to ${last.to}`,
        ]
      : []),
    ...(early.length > 0 && curves === undefined
      ? ["too few customers have left so far to know how soon they do: young predictions are not tested"]
      : []),
    ...(isAny("control")
      ? ["customers who were contacted are left out; those above the threshold who were not stand for them"]
      : []),
    ...(isAny("tooFew")
      ? [
          "too few customers above the threshold were left alone (50 are needed): figures are of customers who were contacted, who leave less",
        ]
      : []),
    ...(isAny("untouched") && last.labelled > 0
      ? ["no outcome says that its customer was contacted: where some were, figures are wrong"]
      : []),
    ...(isCalibrated
      ? []
      : ["the training's scores could not be calibrated: what is expected is taken from the scores as they are"]),
  ];
}
