/** `churn retrain`: new data, a challenger, and the better model in the champion's place. */
import { ChurnError, type ForestParameters } from "@churn/contract";
import { Command, InvalidArgumentError, Option } from "commander";
import { MAX_MONTH, MAX_ROWS } from "../customers/limits.ts";
import { SCENARIOS, type ScenarioName } from "../customers/scenarios.ts";
import { FOREST_PARAMETERS } from "../forest/parameters.ts";
import { retrainSummary } from "../report/retrain-summary.ts";
import { count, percent } from "../report/words.ts";
import { retrain } from "../retrain.ts";
import type { NewDataOptions } from "../retraining/new-data.ts";
import type { RetrainOptions } from "../retraining/options.ts";
import type { RetrainResult } from "../retraining/result.ts";
import { trackingTarget } from "../tracking/target.ts";
import { createContext, numberIn, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { days, perYear } from "./drift.ts";
import { GENERATE_DEFAULTS } from "./generate.ts";
import { DEFAULT_MODEL, DEFAULT_SEED, forestOptions } from "./train.ts";

export const DEFAULT_KEEP = 3;

interface RetrainCommandOptions extends OutputOptions, Partial<ForestParameters> {
  readonly source: NewDataOptions["source"];
  readonly data?: string;
  readonly store?: string;
  readonly month?: number;
  readonly scenario: ScenarioName;
  readonly from: number;
  readonly seed: number;
  readonly rows: number;
  readonly dataset: string;
  readonly model: string;
  readonly state: string;
  readonly force: boolean;
  readonly staleAfter: number;
  readonly enoughLabels: number;
  readonly falseAlarms: number;
  readonly every: number;
  readonly grace: number;
  readonly keep: number;
  readonly window: number;
  readonly now?: Date;
  readonly report: string;
  readonly summary?: string;
  readonly exitCode?: boolean;
}

export function retrainCommand(): Command {
  const command = new Command("retrain")
    .description(
      "Train a challenger where there is a reason, and promote it where the evidence says that it is better.",
    )
    .addOption(
      new Option("--source <kind>", "where new customers come from")
        .choices(["synthetic", "store", "file"])
        .default("synthetic"),
    )
    .option("--data <path>", "with --source file: CSV or Parquet, a file, folder or glob")
    .option("--store <url>", "with --source store: a prediction store (default: PREDICTION_STORE_URL)")
    .option("--month <n>", "of synthetic customers (default: what the calendar says)", wholeNumber(0, MAX_MONTH))
    .addOption(
      new Option("--scenario <name>", "of synthetic customers").choices(Object.keys(SCENARIOS)).default("stable"),
    )
    .option("--from <month>", "first month of the scenario", wholeNumber(1, MAX_MONTH), GENERATE_DEFAULTS.from)
    .option("--seed <n>", "seed of synthetic customers", wholeNumber(0), GENERATE_DEFAULTS.seed)
    .option("--rows <n>", "number of synthetic customers", wholeNumber(1, MAX_ROWS), GENERATE_DEFAULTS.rows)
    .option("--dataset <file>", "dataset specification", "datasets/customers/dataset.json")
    .option("--model <dir>", "the champion", DEFAULT_MODEL)
    .option("--force", "train a challenger without a reason, also by data that have judged one before", false)
    .addOption(
      new Option("--stale-after <days>", "a champion that nobody has challenged for so long is challenged")
        .argParser(days)
        .default(90, "90d"),
    )
    .option(
      "--enough-labels <n>",
      "a reason by themselves: so many times the customers that the champion was made from",
      numberIn(0, 1000),
      2,
    )
    .addOption(
      new Option("--false-alarms <rate>", "of the drift check, as in churn drift")
        .argParser(perYear)
        .default(1, "1/year"),
    )
    .addOption(new Option("--every <days>", "how often this is run").argParser(days).default(28, "28d"))
    .addOption(
      new Option("--grace <days>", "of a store: how long after the fact an outcome may be reported")
        .argParser(days)
        .default(1, "1d"),
    )
    .addOption(
      new Option("--window <days>", "of a store: the predictions of so many days, the last whose outcomes are known")
        .argParser(days)
        .default(28, "28d"),
    )
    .option("--keep <n>", "previous champions to keep", wholeNumber(0, 100), DEFAULT_KEEP)
    .addOption(new Option("--now <time>", "when it is, ISO 8601 (default: the clock)").argParser(moment))
    .option(
      "--report <file>",
      "report to write, .html; those of drift and challenger beside it",
      "reports/retrain.html",
    )
    .option("--summary <file>", "what is printed, as Markdown: the summary of a CI job, for example")
    .option("--state <dir>", "data that are made, the challenger, which data have judged one", "data/retrain")
    .option("--exit-code", "exit with 3 for kept and for faults of the data, with 4 for not enough evidence")
    .addHelpText("after", "\nExample:\n  churn retrain --month 3 --scenario price-increase");
  forestOptions(command, "the champion's");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: RetrainCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(options);
    log.info({ event: "retrain.started", source: options.source, model: options.model }, "retraining started");
    const result = await withProgress("retraining", (onProgress) =>
      retrain({
        ...retrainOptions(options),
        log,
        onProgress,
        onPower: ({ detectable, detectableShare }, customers) => {
          log.info({ event: "gate.planned", customers, detectable, detectableShare }, "comparison planned");
          const share = detectableShare === null ? "" : `, ${percent(detectableShare)} of profit`;
          print(`${count(customers)} held-out customers can show a difference of ${detectable.toFixed(4)}${share}.\n`);
        },
      }),
    );
    print(retrainSummary(result));
    print(`\nReport in ${result.report}${result.run === null ? "" : `, run ${result.run.runId}`}`);
    printJson(result);
    if (options.exitCode) process.exitCode = exitCodeOf(result);
  });
}

function retrainOptions(options: RetrainCommandOptions): Omit<RetrainOptions, "log"> {
  const { dataset, model, state, force, staleAfter, enoughLabels, falseAlarms, every, keep, report, summary } = options;
  const given = Object.keys(FOREST_PARAMETERS).filter((name) => options[name as keyof ForestParameters] !== undefined);
  return {
    data: newDataOf(options),
    dataset,
    model,
    state,
    parameters: Object.fromEntries(given.map((name) => [name, options[name as keyof ForestParameters]])),
    seed: DEFAULT_SEED,
    force,
    staleAfterDays: staleAfter,
    enoughLabels,
    falseAlarmsPerYear: falseAlarms,
    everyDays: every,
    keep,
    report,
    summary,
    tracking: trackingTarget(process.env),
    now: options.now ?? new Date(),
    clock: () => new Date(),
  };
}

function newDataOf(options: RetrainCommandOptions): NewDataOptions {
  const {
    source,
    data,
    store = process.env.PREDICTION_STORE_URL,
    grace,
    window,
    month,
    scenario,
    from,
    seed,
    rows,
  } = options;
  if (source === "synthetic") {
    return { source, customers: { scenario, from, seed, rows, ...(month !== undefined && { month }) } };
  }
  if (source === "file") return { source, path: needed(data, "--data", source) };
  return { source, url: needed(store, "--store", source), graceDays: grace, days: window };
}

function needed(value: string | undefined, option: string, source: string): string {
  if (value !== undefined && value !== "") return value;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${option}: expected with --source ${source}, got none`);
}

function exitCodeOf({ outcome, drift }: RetrainResult): number {
  if (outcome === "notEnoughEvidence") return 4;
  return outcome === "kept" || drift?.verdict === "dataQuality" ? 3 : 0;
}

function moment(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError(`Expected a time such as 2026-11-30 or 2026-11-30T03:17:00Z, got "${text}".`);
}
