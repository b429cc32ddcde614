/** `churn generate`: synthetic customers into a file. */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Command, Option } from "commander";
import { customerColumns } from "../customers/columns.ts";
import { type CustomerOptions, MAX_MONTH, MAX_ROWS } from "../customers/customers.ts";
import { generateBlocks, generateRowGroups } from "../customers/generator.ts";
import { SCENARIOS } from "../customers/scenarios.ts";
import { writeRowGroups } from "../data/parquet-file.ts";
import { writeTable } from "../data/table-writer.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

export interface GenerateOptions extends CustomerOptions {
  readonly out: string;
  /** Threads; all processors without it. Does not change the result. */
  readonly nJobs?: number;
}

export const GENERATE_DEFAULTS: GenerateOptions = {
  rows: 200_000,
  seed: 42,
  month: 0,
  scenario: "stable",
  from: 1,
  out: "data/raw/customers.parquet",
  withTruth: false,
};

export async function generate(options: GenerateOptions, { log, withProgress }: Context): Promise<void> {
  const { rows, seed, month, scenario, from, out, withTruth, nJobs = availableParallelism() } = options;
  const customers: CustomerOptions = { rows, seed, month, scenario, from, withTruth };
  const columns = customerColumns({ withTruth });
  const start = performance.now();
  log.info({ event: "generate.started", ...customers }, "generating started");
  await withProgress("generating customers", async (update) => {
    const onProgress = (done: number): void => update(`generating customers: ${done} of ${rows}`);
    if (extname(out).toLowerCase() === ".parquet") {
      await writeRowGroups(out, columns, generateRowGroups(columns, customers, nJobs), onProgress);
    } else {
      await writeTable(out, columns, generateBlocks(customers), onProgress);
    }
  });
  const durationMs = Math.round(performance.now() - start);
  log.info({ event: "generate.finished", ...customers, durationMs }, "generating finished");
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
    .option("--n-jobs <n>", "threads; does not change the result (default: all processors)", wholeNumber(1, 1024))
    .addHelpText("after", `\nScenarios:\n${scenarios.join("\n")}`)
    .addHelpText(
      "after",
      "\nExample:\n  churn generate --rows 10000 --month 3 --scenario price-increase --out data/raw/may.csv",
    );
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: GenerateOptions & OutputOptions) => {
    const context = createContext(options);
    await generate(options, context);
    const { rows, seed, month, scenario, from, out } = options;
    context.print(`Wrote ${rows} customers of month ${month} to ${out}`);
    context.printJson({ rows, seed, month, scenario, from, out });
  });
}
