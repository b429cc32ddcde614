/** `churn drift`: whether customers still are as those that a model was made from. */
import { Command, InvalidArgumentError, Option } from "commander";
import { FULL_POWER_ROWS, type Verdict } from "../drift/check.ts";
import { checkDrift } from "../drift.ts";
import type { DriftResult } from "../drift-result.ts";
import { HEADLINES } from "../report/drift-page.ts";
import { FINDINGS_HEADER, findingRows } from "../report/performance.ts";
import { extraColumnsNote, markdownTable } from "../report/text.ts";
import { percent, pValue as pValueText } from "../report/words.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface DriftCommandOptions extends OutputOptions {
  readonly model: string;
  readonly current: string;
  readonly falseAlarms: number;
  readonly every: number;
  readonly grace: number;
  readonly since?: number;
  readonly report: string;
  readonly seed?: number;
  readonly exitCode?: boolean;
}

/** With --exit-code; as `git diff` has it. */
const EXIT_CODES: Readonly<Record<Verdict, number>> = { ok: 0, drift: 3, dataQuality: 3, notEnoughData: 4 };

export function driftCommand(): Command {
  const command = new Command("drift")
    .description("Compare customers with those that a model was made from, within a budget of false alarms.")
    .option("--model <dir>", "model directory", DEFAULT_MODEL)
    .requiredOption("--current <path>", "CSV or Parquet (file, folder or glob), or a prediction store's URL")
    .option(
      "--since <days>",
      "of a prediction store: one window, of the last so many days, such as 7d (default: the last whole days, weeks and 28 days)",
      days,
    )
    .addOption(
      new Option("--false-alarms <rate>", "what there may be without a change, such as 1/year or 2/month")
        .argParser(perYear)
        .default(1, "1/year"),
    )
    .addOption(new Option("--every <days>", "how often a check is made, such as 7d").argParser(days).default(28, "28d"))
    .addOption(
      new Option(
        "--grace <days>",
        "of a prediction store: how long after the fact an outcome may be reported, such as 3d",
      )
        .argParser(days)
        .default(1, "1d"),
    )
    .option("--report <file>", "report to write, .html", "reports/drift.html")
    .option("--seed <n>", "seed of samples (default: the model's)", wholeNumber(0))
    .option("--exit-code", "exit with 3 for drift and for faults of the data, with 4 for not enough data")
    .addHelpText("after", "\nExample:\n  churn drift --current data/raw/customers.parquet --every 28d --exit-code");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: DriftCommandOptions) => {
    const { model, current, falseAlarms, every, grace, since, report, seed, exitCode, ...output } = options;
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    log.info({ event: "drift.started", model, current }, "drift check started");
    const result = await withProgress("counting customers", (onProgress) =>
      checkDrift({
        model,
        current,
        falseAlarmsPerYear: falseAlarms,
        everyDays: every,
        graceDays: grace,
        since,
        report,
        seed,
        now: () => new Date(),
        onProgress,
      }),
    );
    const { verdict, rows, modelVersion, faults } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info(
      { event: "drift.finished", verdict, rows, modelVersion, faults: faults.length, durationMs },
      "drift check finished",
    );
    print(driftSummary(result));
    print(`Report in ${report}`);
    printJson(result);
    if (exitCode) process.exitCode = EXIT_CODES[verdict];
  });
}

const PERIODS: Readonly<Record<string, number>> = { year: 1, month: 12, week: 365 / 7, day: 365 };

/** "1/year" → 1, "2/month" → 24. */
function perYear(text: string): number {
  const [, count, period] = /^(\d+(?:\.\d+)?)\/(year|month|week|day)$/.exec(text) ?? [];
  const rate = Number(count) * PERIODS[period];
  if (rate > 0) return rate;
  throw new InvalidArgumentError(
    `Expected a number above 0 per year, month, week or day, such as 1/year, got "${text}".`,
  );
}

/** "7d" → 7. */
function days(text: string): number {
  const [, count] = /^(\d{1,3})d$/.exec(text) ?? [];
  const value = Number(count);
  if (value >= 1 && value <= 365) return value;
  throw new InvalidArgumentError(`Expected days from 1d to 365d, got "${text}".`);
}

function driftSummary(result: DriftResult): string {
  const { verdict, reasons, rows, columns, scores, domain, level, tests, extraColumns, missingColumns, hiddenColumns } =
    result;
  const moved = columns.filter(({ tier }) => tier !== "stable" && tier !== "untested");
  const table = moved.map(({ column, tier, tests: made, harm }) => [
    column,
    tier,
    made.map(({ test, pValue }) => `${test} ${pValueText(pValue)}`).join(", "),
    harm.size.toFixed(4),
  ]);
  return [
    `${verdict}: ${HEADLINES[verdict]}`,
    ...reasons.map((reason) => `  ${reason}`),
    "",
    ...(table.length === 0 ? [] : [markdownTable([["column", "finding", "p-values", "harm"], ...table]), ""]),
    `${rows} customers; mean probability ${scores.current.mean.toFixed(4)}, it was ${scores.reference.mean.toFixed(4)};` +
      ` above the threshold ${percent(scores.current.decisions)}, it was ${percent(scores.reference.decisions)}.`,
    ...(domain.test
      ? [`A model tells these customers from those of the training with an AUC of ${domain.test.statistic.toFixed(3)}.`]
      : []),
    ...performanceText(result),
    `${tests} tests share the level ${level.toPrecision(2)}; of a note one in twenty comes by chance. A column's change by less than ${percent(result.detectableDistance)}` +
      " of its rows could have gone unseen.",
    ...(rows < FULL_POWER_ROWS && verdict === "ok"
      ? [`Note: full power at the floors needs about ${FULL_POWER_ROWS} customers.`]
      : []),
    ...(missingColumns.length === 0
      ? []
      : [`Note: columns that are not there, counted as missing: ${missingColumns.join(", ")}`]),
    ...(hiddenColumns.length === 0
      ? []
      : [`Note: columns that the store has hashed, not checked: ${hiddenColumns.join(", ")}`]),
    ...extraColumnsNote(extraColumns),
  ].join("\n");
}

/** What outcomes show, and what they would where nobody knows them. */
function performanceText({ performance, estimate }: DriftResult): string[] {
  const findings = performance === null ? [] : findingRows(performance);
  const auc = estimate?.metrics.roc_auc;
  return [
    ...(findings.length === 0 ? [] : ["", markdownTable([FINDINGS_HEADER, ...findings]), ""]),
    ...(performance?.notes ?? []).map((note) => `Note: ${note}.`),
    ...(auc === undefined
      ? []
      : [
          `If these customers react as those of the training did, the ROC AUC is ${auc.value.toFixed(3)} (${auc.low.toFixed(3)} – ${auc.high.toFixed(3)}): an estimate without outcomes.`,
        ]),
  ];
}
