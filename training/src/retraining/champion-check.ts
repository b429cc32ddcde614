/** The champion by new data: faults, inputs, and outcomes. */
import { dirname, join } from "node:path";
import { ChurnError, type ModelFiles, readModelDirectory } from "@churn/contract";
import type { JudgedSet } from "../data/judged-set.ts";
import { checkLevel, MATURE_SHARE } from "../drift/budget.ts";
import { decodeReference } from "../drift/reference.ts";
import { checkDrift } from "../drift.ts";
import { judgeHeldOut } from "../gate/contest.ts";
import { testHeldOut } from "../performance/held-out.ts";
import type { NewData } from "./new-data.ts";
import type { RetrainOptions } from "./options.ts";
import type { DriftFacts } from "./result.ts";

/** Beside the report of the retraining. */
export const driftReport = (report: string): string => join(dirname(report), "drift.html");
export const challengerReport = (report: string): string => join(dirname(report), "challenger.html");

export interface ChampionCheck {
  readonly drift: DriftFacts;
  /** What is an alarm, a sentence each; none where the data have faults. */
  readonly alarms: readonly string[];
  /** Customers whose outcome is known. */
  readonly labelledRows: number;
}

export async function checkChampion(options: RetrainOptions, data: NewData): Promise<ChampionCheck> {
  const { model, falseAlarmsPerYear, everyDays, tracking, log, now, onProgress } = options;
  const report = driftReport(options.report);
  const { verdict, reasons, rows } = await checkDrift({
    model,
    current: data.current,
    falseAlarmsPerYear,
    everyDays,
    graceDays: options.data.source === "store" ? options.data.graceDays : 0,
    report,
    tracking,
    log,
    now: () => now,
    ...(onProgress && { onProgress }),
  });
  if (verdict === "dataQuality") {
    return { drift: { verdict, reasons, rows, report }, alarms: [], labelledRows: 0 };
  }
  const judged = await heldOut(model, data);
  const isStore = data.source === "store"; // whose check has looked at outcomes
  const level = checkLevel(falseAlarmsPerYear, everyDays, 1, MATURE_SHARE);
  const late = isStore || judged === undefined ? [] : testOutcomes(readModelDirectory(model), judged, level);
  const alarms = [...(verdict === "drift" ? reasons : []), ...late];
  return {
    drift: { verdict: alarms.length > 0 ? "drift" : verdict, reasons: [...reasons, ...late], rows, report },
    alarms,
    labelledRows: judged?.labelledRows ?? 0,
  };
}

/** Undefined where too few of them have an outcome. */
async function heldOut(model: string, { files }: NewData): Promise<JudgedSet | undefined> {
  try {
    return await judgeHeldOut(model, files);
  } catch (error) {
    if (error instanceof ChurnError && error.code === "CHURN_ERR_DATA_INSUFFICIENT") return undefined;
    throw error;
  }
}

function testOutcomes(
  { manifest, reference }: ModelFiles,
  judged: { readonly scores: Float64Array; readonly labels: Uint8Array },
  level: number,
): string[] {
  const decoded = decodeReference(reference as Uint8Array, manifest, manifest.version);
  return testHeldOut(manifest, decoded, judged, level);
}
