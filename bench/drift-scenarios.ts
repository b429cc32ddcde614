/**
 * What a drift check says of months in which something has happened, and of months in which nothing has.
 *
 *     npm run bench:drift-scenarios [-- --faults] [-- --share 1]
 *
 * Each month is of another seed, so of other people than the model has seen; the check has the monthly level of one false alarm
 * a year. With `--faults` it is what it says of data with a fault, and of windows of 2,000 in which something else has happened. With a share below 1 so many of the months are made, and nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { ScenarioName } from "../training/src/customers/scenarios.ts";
import type { DriftCheck } from "../training/src/drift/check.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { WorkerPool } from "../training/src/worker-pool.ts";
import type { ScenarioInput, ScenarioTask } from "./drift-scenarios-worker.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";
import { TABLE_CHANGES, type TableChange } from "./table-changes.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const THREADS = 2;

interface Case {
  readonly name: string;
  readonly scenario: ScenarioName;
  readonly rows: number;
  /** One month per seed, or all of 1 to 24. */
  readonly seeds: number;
  readonly months?: readonly number[];
  readonly change?: string;
  readonly must?: (shares: Shares, answers: readonly DriftCheck[]) => readonly Check[];
}

/** Of all checks of a case. */
interface Shares {
  readonly checks: number;
  readonly drift: number;
  readonly dataQuality: number;
  /** The fault that was made, in its column and by its kind. */
  readonly named: number;
  readonly shifted: number;
  readonly noted: number;
}

/** The scenario's first month: it is none of the model's, and the season is another. */
const MONTH = 1;
const LARGE = [5_000, 100_000] as const;
const isMostly = (what: keyof Shares, least: number) => (shares: Shares) => [
  atLeast(what, shares[what] as number, least, 3),
];
const isNever = (what: keyof Shares) => (shares: Shares) => [atMost(what, shares[what] as number, 0, 3)];

const CASES: readonly Case[] = [
  {
    name: "stable, 24 months",
    scenario: "stable",
    rows: 5_000,
    seeds: 100,
    months: Array.from({ length: 24 }, (_, i) => i + 1),
    must: ({ drift, dataQuality, checks }) => [
      atMost("alarms, of 2400", drift * checks, 24, 0),
      atMost("faults, of 2400", dataQuality * checks, 0, 0),
    ],
  },
  { name: "stable", scenario: "stable", rows: 100_000, seeds: 50, must: isNever("drift") },
  {
    name: "charges +0.5 %",
    scenario: "stable",
    rows: 100_000,
    seeds: 200,
    months: [0],
    change: "charges +0.5 %",
    must: (shares) => [...isMostly("noted", 0.8)(shares), ...isNever("drift")(shares)],
  },
  {
    name: "charges +2 %",
    scenario: "stable",
    rows: 100_000,
    seeds: 100,
    months: [0],
    change: "charges +2 %",
    must: (shares) => [...isMostly("shifted", 0.95)(shares), ...isNever("drift")(shares)],
  },
  ...LARGE.flatMap((rows) =>
    (["price-increase", "service-outage", "new-segment"] as const).map(
      (scenario): Case => ({
        name: scenario,
        scenario,
        rows,
        seeds: 100,
        must: (shares) => [...isMostly("drift", 0.95)(shares), ...isNever("dataQuality")(shares)],
      }),
    ),
  ),
  { name: "marketing-mix", scenario: "marketing-mix", rows: 5_000, seeds: 100, must: isNever("dataQuality") },
  { name: "marketing-mix", scenario: "marketing-mix", rows: 100_000, seeds: 30, must: isNever("dataQuality") },
  { name: "competitor-offer", scenario: "competitor-offer", rows: 5_000, seeds: 100, must: isNever("dataQuality") },
];

const FAULT_CASES: readonly Case[] = [
  ...(["price-increase", "service-outage", "new-segment"] as const).map(
    (scenario): Case => ({ name: scenario, scenario, rows: 2_000, seeds: 1_000, must: isNever("dataQuality") }),
  ),
  { name: "unit-bug", scenario: "unit-bug", rows: 2_000, seeds: 200, must: isMostly("dataQuality", 0.99) },
  ...Object.entries(TABLE_CHANGES)
    .filter(([, { fault }]) => fault !== undefined)
    .map(
      ([name]): Case => ({
        name,
        scenario: "stable",
        rows: 2_000,
        seeds: 200,
        months: [0],
        change: name,
        must: isMostly("named", 0.99),
      }),
    ),
];

const { values: options } = parseArgs({
  options: { share: { type: "string", default: "1" }, faults: { type: "boolean", default: false } },
});
const SHARE = Number(options.share);
if (!(SHARE > 0 && SHARE <= 1)) throw new Error(`--share: expected a number in (0, 1], got ${options.share}`);

function sharesOf(answers: readonly DriftCheck[], change: TableChange | undefined): Shares {
  const share = (holds: (answer: DriftCheck) => boolean): number => answers.filter(holds).length / answers.length;
  const has = (tiers: readonly string[]) => (answer: DriftCheck) =>
    [...answer.columns, answer.scores, answer.domain].some(({ tier }) => tiers.includes(tier));
  return {
    checks: answers.length,
    drift: share(({ verdict }) => verdict === "drift"),
    dataQuality: share(({ verdict }) => verdict === "dataQuality"),
    named: share(({ verdict, faults }) => {
      const isMade = faults.some(({ column, kind }) => column === change?.column && kind === change.fault);
      return verdict === "dataQuality" && isMade;
    }),
    shifted: share(has(["shifted", "alarm"])),
    noted: share(has(["note", "shifted", "alarm"])),
  };
}

/** The reasons that came most, without their figures. */
function commonReasons(answers: readonly DriftCheck[]): string {
  const counts = new Map<string, number>();
  for (const { reasons } of answers) {
    for (const subject of new Set(reasons.map(subjectOf))) {
      counts.set(subject, (counts.get(subject) ?? 0) + 1);
    }
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, 4);
  return sorted.map(([subject, count]) => `${subject} ${Math.round((100 * count) / answers.length)} %`).join(", ");
}

/** What of the scores a reason speaks of, or the column. */
function subjectOf(reason: string): string {
  if (reason.includes("above the threshold")) return "decisions";
  if (reason.startsWith("the mean")) return "mean";
  if (reason.startsWith("probabilities are")) return "distribution";
  return reason.split(/[ :]/, 1)[0];
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const input: ScenarioInput = { model: MODEL, folder };
  const script = new URL("./drift-scenarios-worker.ts", import.meta.url);
  const pool = new WorkerPool<ScenarioTask, DriftCheck>("scenario", script, input, THREADS);
  const [rows, checks]: [string[][], Check[]] = [[], []];
  for (const { name, scenario, rows: size, seeds, months = [MONTH], change, must } of options.faults
    ? FAULT_CASES
    : CASES) {
    const made = Math.max(1, Math.round(SHARE * seeds));
    const tasks = Array.from({ length: made }, (_, i) => months.map((month) => ({ month, seed: 1000 + i }))).flat();
    const answers = await Promise.all(tasks.map((task) => pool.run({ ...task, scenario, rows: size, change })));
    const shares = sharesOf(answers, change === undefined ? undefined : TABLE_CHANGES[change]);
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    rows.push([
      name,
      String(size),
      String(shares.checks),
      percent(shares.drift),
      percent(shares.dataQuality),
      percent(shares.shifted),
      percent(shares.noted),
      commonReasons(answers),
    ]);
    for (const check of must?.(shares, answers) ?? [])
      checks.push({ ...check, name: `${name}, ${size} rows: ${check.name}` });
    process.stderr.write(`${rows[rows.length - 1].join(" | ")}\n`);
  }
  await pool.close();
  const body = [
    `\`npm run bench:drift-scenarios${options.faults ? " -- --faults" : ""}\``,
    describeMachine({}),
    [
      "Months of generated customers, of other seeds than the model's, against `models/best_model`; shares of the checks with each",
      "verdict, with a shift, and with at least a note. The last column: what was given as a reason, by how many checks.",
    ].join("\n"),
    markdownTable([
      ["what happened", "rows", "checks", "drift", "data quality", "shifted", "noted", "reasons"],
      ...rows,
    ]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (SHARE === 1) {
    writeSection(options.faults ? "Drift: faults of the data" : "Drift: scenarios", body);
    if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
