/**
 * The forest against its peers, side by side: fitting, use, explanations, calibration.
 *
 *     npm run bench:forest [-- --quick] [-- --only fitting|use|explanations|calibration]
 *
 * Each part is a section of RESULTS.md. Exit code 1 when a figure that must hold fails; with --quick sizes are small,
 * and nothing is judged or written. The peers live in a Python environment of their own, bench/.venv-peers.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureCalibration } from "./forest/calibration.ts";
import { measureExplanations } from "./forest/explanations.ts";
import { measureFitting } from "./forest/fitting.ts";
import { measureUse } from "./forest/use.ts";
import { checkTable, describeMachine, type Findings, writeSection } from "./results.ts";

/** @param folder For its files. */
type Measure = (folder: string, quick: boolean) => Promise<Findings>;

const PARTS: Readonly<Record<string, Measure>> = {
  fitting: measureFitting,
  use: measureUse,
  explanations: measureExplanations,
  calibration: measureCalibration,
};

const { quick, only } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string" } },
}).values;
if (only !== undefined && !(only in PARTS)) throw new Error(`--only: expected ${Object.keys(PARTS)}, got ${only}`);
for (const name of only === undefined ? Object.keys(PARTS) : [only]) {
  const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
  try {
    const isGood = report(name, await PARTS[name](folder, quick));
    if (!isGood && !quick) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints, and at full size writes, what came out. @returns whether everything holds */
function report(name: string, { versions, text, checks }: Findings): boolean {
  const judged = checks.length > 0 ? [checkTable(checks)] : [];
  const body = ["`npm run bench:forest`", describeMachine(versions), ...text, ...judged].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (quick) process.stdout.write("\n--quick: what must hold is meant for the full size\n");
  else writeSection(`Forest: ${name}`, body);
  return checks.every(({ holds }) => holds);
}
