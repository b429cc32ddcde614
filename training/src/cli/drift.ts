/** `churn drift`: whether customers still are as those that a model was made from. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { Verdict } from "../drift/check.ts";
import { checkDrift } from "../drift.ts";
import { driftSummary } from "../report/drift-summary.ts";
import { trackingTarget } from "../tracking/target.ts";
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
  readonly summary?: string;
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
    .option("--summary <file>", "what is printed, as Markdown: the summary of a CI job, for example")
    .option("--seed <n>", "seed of samples (default: the model's)", wholeNumber(0))
    .option("--exit-code", "exit with 3 for drift and for faults of the data, with 4 for not enough data")
    .addHelpText("after", "\nExample:\n  churn drift --current data/raw/customers.parquet --every 28d --exit-code");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: DriftCommandOptions) => {
    const { model, current, falseAlarms, every, grace, since, report, summary, seed, exitCode, ...output } = options;
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
        summary,
        seed,
        tracking: trackingTarget(process.env),
        log,
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
    print(`Report in ${report}${result.run === null ? "" : `, run ${result.run.runId}`}`);
    printJson(result);
    if (exitCode) process.exitCode = EXIT_CODES[verdict];
  });
}

const PERIODS: Readonly<Record<string, number>> = { year: 1, month: 12, week: 365 / 7, day: 365 };

/** "1/year" → 1, "2/month" → 24. */
export function perYear(text: string): number {
  const [, count, period] = /^(\d+(?:\.\d+)?)\/(year|month|week|day)$/.exec(text) ?? [];
  const rate = Number(count) * PERIODS[period];
  if (rate > 0) return rate;
  throw new InvalidArgumentError(
    `Expected a number above 0 per year, month, week or day, such as 1/year, got "${text}".`,
  );
}

/** "7d" → 7. */
export function days(text: string): number {
  const [, count] = /^(\d{1,3})d$/.exec(text) ?? [];
  const value = Number(count);
  if (value >= 1 && value <= 365) return value;
  throw new InvalidArgumentError(`Expected days from 1d to 365d, got "${text}".`);
}
