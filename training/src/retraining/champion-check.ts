/** The champion by new data: faults, inputs, and outcomes. */
import { dirname, join } from "node:path";
import { type ModelFiles, readModelDirectory } from "@churn/contract";
import { checkLevel, MATURE_SHARE } from "../drift/budget.ts";
import { decodeReference } from "../drift/reference.ts";
import { checkDrift } from "../drift.ts";
import { judgeHeldOut } from "../gate/contest.ts";
import { testHeldOut } from "../performance/held-out.ts";
import type { RetrainOptions } from "../retrain.ts";
import type { NewData } from "./new-data.ts";
import type { DriftFacts } from "./result.ts";

export interface ChampionCheck {
  readonly drift: DriftFacts;
  /** What is an alarm, a sentence each; none where the data have faults. */
  readonly alarms: readonly string[];
  /** Customers whose outcome is known. */
  readonly labelledRows: number;
}

export async function checkChampion(options: RetrainOptions, data: NewData): Promise<ChampionCheck> {
  const { model, falseAlarmsPerYear, everyDays, tracking, log, now, onProgress } = options;
  const report = join(dirname(options.report), "drift.html");
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
  const judged = await judgeHeldOut(model, data.files);
  const isStore = data.source === "store"; // whose check has looked at outcomes
  const level = checkLevel(falseAlarmsPerYear, everyDays, 1, MATURE_SHARE);
  const late = isStore ? [] : testOutcomes(readModelDirectory(model), judged, level);
  const alarms = [...(verdict === "drift" ? reasons : []), ...late];
  return {
    drift: { verdict: alarms.length > 0 ? "drift" : verdict, reasons: [...reasons, ...late], rows, report },
    alarms,
    labelledRows: judged.labelledRows,
  };
}

function testOutcomes(
  { manifest, reference }: ModelFiles,
  judged: { readonly scores: Float64Array; readonly labels: Uint8Array },
  level: number,
): string[] {
  const decoded = decodeReference(reference as Uint8Array, manifest, manifest.version);
  return testHeldOut(manifest, decoded, judged, level);
}
