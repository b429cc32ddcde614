/** `churn generate`: synthetic customers into a file. */
import { Command } from "commander";
import { customerBlocks, customerColumns } from "../data/customers.ts";
import { writeTable } from "../data/table-writer.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

export interface GenerateOptions {
  readonly rows: number;
  readonly seed: number;
  readonly out: string;
  readonly withTruth: boolean;
}

/** Keys have nine digits. */
export const MAX_ROWS = 1_000_000_000;

export const GENERATE_DEFAULTS: GenerateOptions = {
  rows: 200_000,
  seed: 42,
  out: "data/raw/customers.parquet",
  withTruth: false,
};

export async function generate(options: GenerateOptions, { log, withProgress }: Context): Promise<void> {
  const { rows, seed, out, withTruth } = options;
  const start = performance.now();
  log.info({ event: "generate.started", rows, seed }, "generating started");
  await withProgress("generating customers", (update) =>
    writeTable(out, customerColumns({ withTruth }), customerBlocks({ rows, seed, withTruth }), (done) =>
      update(`generating customers: ${done} of ${rows}`),
    ),
  );
  log.info(
    { event: "generate.finished", rows, seed, durationMs: Math.round(performance.now() - start) },
    "generating finished",
  );
}

export function generateCommand(): Command {
  const command = new Command("generate")
    .description("Make synthetic customers, the same for the same seed.")
    .option("--rows <n>", "number of customers", wholeNumber(1, MAX_ROWS), GENERATE_DEFAULTS.rows)
    .option("--seed <n>", "seed of the random numbers", wholeNumber(0), GENERATE_DEFAULTS.seed)
    .option("--out <file>", "file to write, .parquet or .csv", GENERATE_DEFAULTS.out)
    .option("--with-truth", "also write churn_truth, the true probability of churn", false)
    .addHelpText("after", "\nExample:\n  churn generate --rows 10000 --seed 7 --out data/raw/small.csv");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (options: GenerateOptions & OutputOptions) => {
    const context = createContext(options);
    await generate(options, context);
    const { rows, seed, out } = options;
    context.print(`Wrote ${rows} customers to ${out}`);
    context.printJson({ rows, seed, out });
  });
}
