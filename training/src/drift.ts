/**
 * The drift check, from a file or the prediction store to a verdict:
 *
 *     model and its reference ─▶ customers, counted and sampled ─▶ faults, tests, harm ─▶ verdict of each window
 *                                predictions and outcomes ─▶ performance ─────────────▶ verdict
 *
 * It needs no training data: what they looked like is in the model.
 */
import { join } from "node:path";
import { ChurnError, isStoreUrl, Model, type ModelFiles, REFERENCE_FILE, readModelDirectory } from "@churn/contract";
import { checkLevel } from "./drift/budget.ts";
import { type DriftCheck, judgeWindow, measureWindow, type Verdict } from "./drift/check.ts";
import { type CustomerSource, openFile, openWindow } from "./drift/customer-source.ts";
import { findRowFaults } from "./drift/data-quality.ts";
import { DEFAULT_FLOORS } from "./drift/harm.ts";
import { type DriftReference, decodeReference } from "./drift/reference.ts";
import { type DriftWindow, WindowCounter } from "./drift/window.ts";
import { DAY_MS, lastWindow, scalesFor } from "./drift/windows.ts";
import type { CheckedWindow, DriftResult, WindowSummary } from "./drift-result.ts";
import { describeCode } from "./lineage.ts";
import type { Logger } from "./logger.ts";
import { checkPerformance } from "./performance/check.ts";
import { estimatePerformance } from "./performance/estimate.ts";
import type { PerformanceResult } from "./performance/result.ts";
import { drawDriftCharts } from "./report/drift-charts.ts";
import { renderDriftReport } from "./report/drift-page.ts";
import { driftMarkdown } from "./report/drift-summary.ts";
import { checkFree, checkReportPath } from "./report/path.ts";
import { type StagedOutput, stageOutput } from "./staged-output.ts";
import { describeStore, openPredictions } from "./store/open-predictions.ts";
import type { TimeWindow } from "./store/prediction-reader.ts";
import { type DriftRunFacts, driftRun } from "./tracking/drift-run.ts";
import type { TrackingTarget } from "./tracking/target.ts";
import { trackRuns } from "./tracking/tracker.ts";

export interface DriftOptions {
  readonly model: string;
  /** CSV or Parquet (file, folder or glob), or the URL of a prediction store. */
  readonly current: string;
  /** Of a prediction store: one window, of what was scored in the last so many days, in place of those of the calendar. */
  readonly since?: number | undefined;
  /** False alarms that there may be in a year without any change, of all checks together. */
  readonly falseAlarmsPerYear: number;
  /** A check is made every so many days. */
  readonly everyDays: number;
  /** How long after it has happened an outcome may be reported. */
  readonly graceDays: number;
  /** An .html file for the report; none without it. */
  readonly report?: string | undefined;
  /** A file for the result as Markdown; none without it. */
  readonly summary?: string | undefined;
  /** Where the check is recorded; nowhere without it. */
  readonly tracking?: TrackingTarget | undefined;
  readonly log: Logger;
  /** Of samples and the domain classifier; the model's own without it. */
  readonly seed?: number | undefined;
  readonly now: () => Date;
  readonly onProgress?: (phase: string) => void;
}

/** What a check looks at. */
interface Current {
  readonly name: string;
  readonly windows: readonly PlannedWindow[];
  readonly performance: (reference: DriftReference) => Promise<PerformanceResult | null>;
  readonly close: () => Promise<void> | void;
}

interface PlannedWindow {
  /** Null of a file. */
  readonly time: TimeWindow | null;
  readonly level: number;
  readonly source: CustomerSource;
}

/**
 * @throws CHURN_ERR_FILE_UNWRITABLE before any work, where it can be known; what reading models and data throws. Nothing of
 *   what is found in the data is an exception
 */
export async function checkDrift(options: DriftOptions): Promise<DriftResult> {
  const { report, summary, model, tracking, log, now, onProgress = () => {} } = options;
  const started = now();
  const files = readModelDirectory(model);
  const current = await openCurrent(files, options);
  const outputs: StagedOutput[] = [];
  const stage = (path: string): StagedOutput => {
    const output = stageOutput(path);
    outputs.push(output);
    return output;
  };
  try {
    const taken = [...current.windows.flatMap(({ source }) => source.files), model];
    if (report !== undefined) checkReportPath(report, taken);
    if (summary !== undefined) checkFree(summary, report === undefined ? taken : [...taken, report]);
    const page = report === undefined ? undefined : stage(report);
    const text = summary === undefined ? undefined : stage(summary);
    const content = await check(files, current, options);
    const { result } = content;
    onProgress("drawing the report");
    const drawn = page && (await drawReport(content));
    if (drawn !== undefined) page?.write(drawn.html);
    text?.write(driftMarkdown(result));
    if (tracking === undefined) return result;
    onProgress("recording the run");
    const run = driftRun({
      result,
      manifest: files.manifest,
      commit: describeCode().commit,
      started,
      ended: now(),
      report: drawn,
    });
    return { ...result, run: await trackRuns(tracking, log, [run]) };
  } finally {
    for (const output of outputs) output.discard(); // what has been written stays
    await current.close();
  }
}

async function drawReport(content: CheckedWindow): Promise<NonNullable<DriftRunFacts["report"]>> {
  const charts = await drawDriftCharts(content);
  return { html: renderDriftReport(content.result, charts), charts };
}

async function openCurrent({ manifest }: ModelFiles, options: DriftOptions): Promise<Current> {
  const { current, since, falseAlarmsPerYear, everyDays, graceDays } = options;
  const wholeLevel = checkLevel(falseAlarmsPerYear, everyDays);
  if (!isStoreUrl(current)) {
    if (since !== undefined) {
      const message = "--since: expected a prediction store to look back in, got a file";
      throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
    }
    const source = await openFile(current, manifest);
    const windows = [{ time: null, level: wholeLevel, source }];
    return { name: source.name, windows, performance: async () => null, close: source.close };
  }
  const reader = await openPredictions(current, "--current");
  const name = describeStore(current);
  const now = options.now();
  const toCheck = (time: TimeWindow, level: number): PlannedWindow => ({
    time,
    level,
    source: openWindow(name, reader, time, manifest),
  });
  const scales = scalesFor(everyDays);
  const end = now.getTime();
  return {
    name,
    windows:
      since !== undefined
        ? [toCheck({ from: end - since * DAY_MS, to: end }, wholeLevel)]
        : scales.map((days) => toCheck(lastWindow(days, end), checkLevel(falseAlarmsPerYear, days, scales.length))),
    performance: (reference) =>
      checkPerformance(reader, manifest, reference, { falseAlarmsPerYear, everyDays, graceDays, now }),
    close: () => reader.close(),
  };
}

function expectedCustomers(windows: readonly PlannedWindow[]): string {
  const { time } = windows[windows.length - 1];
  if (time === null) return "expected customers";
  const [from, to] = [time.from, time.to].map((at) => new Date(at).toISOString().slice(0, 16));
  return `expected customers scored from ${from} to ${to} (--since 1d: in the last day, whatever the calendar says)`;
}

/** A window after its check. */
interface Checked {
  readonly planned: PlannedWindow;
  readonly check: DriftCheck;
  readonly window: DriftWindow;
}

async function check(files: ModelFiles, current: Current, options: DriftOptions): Promise<CheckedWindow> {
  const { falseAlarmsPerYear, everyDays, report = null, onProgress = () => {} } = options;
  const model = new Model(files);
  const { dataset, version, threshold, lineage } = model.manifest;
  const referencePath = join(options.model, REFERENCE_FILE);
  const reference = decodeReference(files.reference as Uint8Array, model.manifest, referencePath);
  const { seed = lineage.seed } = options;
  const checked: Checked[] = [];
  const empty: PlannedWindow[] = [];
  for (const planned of current.windows) {
    const one = await checkWindow(planned, model, reference, seed, options);
    if (one === undefined) empty.push(planned);
    else checked.push(one);
  }
  const decisive = decisiveOf(checked);
  if (decisive === undefined) {
    throw new ChurnError(
      "CHURN_ERR_DATA_INSUFFICIENT",
      `${current.name}: ${expectedCustomers(current.windows)}, got none`,
    );
  }
  onProgress("reading outcomes");
  const performance = await current.performance(reference);
  const { economics } = dataset;
  const estimate = estimatePerformance(reference, decisive.window, { economics, threshold: threshold.value, seed });
  const outcomeReasons = performance?.reasons ?? [];
  const { source } = decisive.planned;
  const result: DriftResult = {
    modelVersion: version,
    report,
    run: null,
    current: source.name,
    falseAlarmsPerYear,
    everyDays,
    ...decisive.check,
    verdict: outcomeReasons.length > 0 && decisive.check.verdict !== "dataQuality" ? "drift" : decisive.check.verdict,
    reasons: [...outcomeReasons, ...decisive.check.reasons],
    windows: [
      ...empty.map((planned) => summarize(planned, EMPTY)),
      ...checked.map((one) => summarize(one.planned, one.check)),
    ],
    performance,
    estimate: estimate ?? null,
    missingColumns: source.missingColumns,
    extraColumns: source.extraColumns,
    hiddenColumns: [...source.hiddenColumns],
  };
  return { result, reference, window: decisive.window, metrics: model.manifest.metrics };
}

/** @returns undefined where nobody is in it */
async function checkWindow(
  planned: PlannedWindow,
  model: Model,
  reference: DriftReference,
  seed: number,
  { now, onProgress = () => {} }: DriftOptions,
): Promise<Checked | undefined> {
  const { source, level } = planned;
  const { dataset, threshold } = model.manifest;
  const counter = new WindowCounter(model, reference, seed);
  let rows = 0;
  for await (const { table, scores } of source.tables()) {
    counter.add(table, scores);
    rows += table.rows;
    onProgress(`counting customers: ${rows}`);
  }
  if (rows === 0) return undefined;
  const impossible = await source.impossibleRows(now());
  onProgress("checking");
  const window = counter.finish();
  const measurement = measureWindow(reference, window, {
    threshold: threshold.value,
    isNullable: (name) => dataset.columns[name].nullable === true,
    seed,
    hidden: source.hiddenColumns,
    faults: findRowFaults(dataset, impossible, rows),
  });
  return { planned, window, check: judgeWindow(measurement, { level, floors: DEFAULT_FLOORS }) };
}

/** What makes the verdict of all windows: the first of these that any of them has. */
const VERDICTS: readonly Verdict[] = ["dataQuality", "drift", "ok", "notEnoughData"];

function decisiveOf(checked: readonly Checked[]): Checked | undefined {
  const place = ({ check: { verdict } }: Checked): number => VERDICTS.indexOf(verdict);
  // Of several the longest, which knows most.
  return checked.toSorted((a, b) => place(a) - place(b) || b.window.rows - a.window.rows)[0];
}

type WindowFacts = Pick<WindowSummary, "rows" | "verdict" | "reasons">;
const EMPTY: WindowFacts = { rows: 0, verdict: "notEnoughData", reasons: [] };

function summarize({ time, level }: PlannedWindow, { rows, verdict, reasons }: WindowFacts): WindowSummary {
  const iso = (at: number): string => new Date(at).toISOString();
  return {
    days: time && (time.to - time.from) / DAY_MS,
    from: time && iso(time.from),
    to: time && iso(time.to),
    rows,
    level,
    verdict,
    reasons,
  };
}
