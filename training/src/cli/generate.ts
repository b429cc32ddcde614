/** `churn generate`: synthetic customers into a file. */
import { Command, Option } from "commander";
import { MAX_MONTH, MAX_ROWS } from "../customers/limits.ts";
import { SCENARIOS } from "../customers/scenarios.ts";
import type { GenerateOptions } from "../generate.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

export const GENERATE_DEFAULTS: GenerateOptions = {
  rows: 200_000,
  seed: 42,
  month: 0,
  scenario: "stable",
  from: 1,
  out: "data/raw/customers.parquet",
  withTruth: false,
};

/** What makes customers is loaded when it is needed: the pools of names are no small library. */
export async function generateWithProgress(options: GenerateOptions, { log, withProgress }: Context): Promise<void> {
  const { generate } = await import("../generate.ts");
  await withProgress("generating customers", (update) =>
    generate(options, log, (done) => update(`generating customers: ${done} of ${options.rows}`)),
  );
}

export function generateCommand(): Command {
  const scenarios = Object.entries(SCENARIOS).map(([name, { description }]) => `  ${name.padEnd(18)}${description}`);
  const command = new Command("generate")
    .description("Make synthetic customers, the same for the same seed.")
    .option("--rows <n>", "number of customers", wholeNumber(1, MAX_ROWS), GENERATE_DEFAULTS.rows)
    .option("--seed <n>", "seed of the random numbers", wholeNumber(0), GENERATE_DEFAULTS.seed)
    .option("--month <n>", "months since January 2026", wholeNumber(0, MAX_MONTH), GENERATE_DEFAULTS.month)
    .addOption(
      new Option("--scenario <name>", "what happens to the world")
        .choices(Object.keys(SCENARIOS))
        .default(GENERATE_DEFAULTS.scenario),
    )
    .option("--from <month>", "first month of the scenario", wholeNumber(1, MAX_MONTH), GENERATE_DEFAULTS.from)
    .option("--out <file>", "file to write, .parquet or .csv", GENERATE_DEFAULTS.out)
    .option("--with-truth", "also write churn_truth, the true probability of churn", false)
    .option(
      "--n-jobs <n>",
      "threads that make Parquet; does not change the result (default: all processors)",
      wholeNumber(1, 1024),
    )
    .addHelpText("after", `\nScenarios:\n${scenarios.join("\n")}`)
    .addHelpText(
      "after",
      "\nExample:\n  churn generate --rows 10000 --month 3 --scenario price-increase --out data/raw/april.csv",
    );
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: GenerateOptions & OutputOptions) => {
    const context = createContext(options);
    await generateWithProgress(options, context);
    const { rows, seed, month, scenario, from, withTruth, out } = options;
    context.print(`Wrote ${rows} customers of month ${month} to ${out}`);
    context.printJson({ rows, seed, month, scenario, from, withTruth, out });
  });
}
