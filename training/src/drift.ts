/**
 * The drift check of one window of customers, from a file or the prediction store to a verdict:
 *
 *     model and its reference ─▶ customers, counted and sampled ─▶ faults, tests, harm ─▶ verdict
 *
 * It needs no training data: what they looked like is in the model.
 */
import { join } from "node:path";
import { ChurnError, Model, type ModelFiles, REFERENCE_FILE, readModelDirectory } from "@churn/contract";
import { checkLevel } from "./drift/budget.ts";
import { judgeWindow, measureWindow } from "./drift/check.ts";
import { type CustomerSource, openSource } from "./drift/customer-source.ts";
import { findRowFaults } from "./drift/data-quality.ts";
import { DEFAULT_FLOORS } from "./drift/harm.ts";
import { decodeReference } from "./drift/reference.ts";
import type { CheckedWindow, DriftResult } from "./drift/result.ts";
import { WindowCounter } from "./drift/window.ts";
import { drawDriftCharts } from "./report/drift-charts.ts";
import { renderDriftReport } from "./report/drift-page.ts";
import { checkReportPath } from "./report/path.ts";
import { stageOutput } from "./staged-output.ts";

export interface DriftOptions {
  readonly model: string;
  /** CSV or Parquet (file, folder or glob), or the URL of a prediction store. */
  readonly current: string;
  /** Of a prediction store: what was scored in the last so many days. */
  readonly since?: number | undefined;
  /** False alarms that there may be in a year without any change, of all checks together. */
  readonly falseAlarmsPerYear: number;
  /** A check is made every so many days. */
  readonly everyDays: number;
  /** An .html file for the report; none without it. */
  readonly report?: string | undefined;
  /** Of samples and the domain classifier; the model's own without it. */
  readonly seed?: number | undefined;
  readonly now: () => Date;
  readonly onProgress?: (phase: string) => void;
}

/**
 * @throws CHURN_ERR_FILE_UNWRITABLE before any work, where it can be known; what reading models and data throws. Nothing of
 *   what is found in the data is an exception
 */
export async function checkDrift(options: DriftOptions): Promise<DriftResult> {
  const { report, model, now } = options;
  const files = readModelDirectory(model);
  const source = await openSource(options.current, files.manifest, options.since, now());
  try {
    if (report === undefined) return (await check(files, source, options)).result;
    checkReportPath(report, [...source.files, model]);
    const output = stageOutput(report);
    try {
      const content = await check(files, source, options);
      options.onProgress?.("drawing the report");
      output.write(renderDriftReport(content.result, await drawDriftCharts(content)));
      return content.result;
    } catch (error) {
      output.discard();
      throw error;
    }
  } finally {
    await source.close();
  }
}

async function check(files: ModelFiles, source: CustomerSource, options: DriftOptions): Promise<CheckedWindow> {
  const { falseAlarmsPerYear, everyDays, report = null, now, onProgress = () => {} } = options;
  const model = new Model(files);
  const { dataset, version, threshold, lineage } = model.manifest;
  const referencePath = join(options.model, REFERENCE_FILE);
  const reference = decodeReference(files.reference as Uint8Array, model.manifest, referencePath);
  const { seed = lineage.seed } = options;
  const counter = new WindowCounter(model, reference, seed);
  let rows = 0;
  for await (const { table, scores } of source.tables()) {
    counter.add(table, scores);
    rows += table.rows;
    onProgress(`counting customers: ${rows}`);
  }
  if (rows === 0) {
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", `${source.name}: expected customers, got none`);
  }
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
  const level = checkLevel(falseAlarmsPerYear, everyDays);
  const result: DriftResult = {
    modelVersion: version,
    report,
    current: source.name,
    falseAlarmsPerYear,
    everyDays,
    ...judgeWindow(measurement, { level, floors: DEFAULT_FLOORS }),
    missingColumns: source.missingColumns,
    extraColumns: source.extraColumns,
    hiddenColumns: [...source.hiddenColumns],
  };
  return { result, reference, window };
}
