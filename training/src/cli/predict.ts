/** `churn predict`: a file of customers into a file of scores. */
import { Command } from "commander";
import { predict } from "../predict.ts";
import { dataNotes } from "../report/text.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface PredictCommandOptions extends OutputOptions {
  readonly model: string;
  readonly data: string;
  readonly out: string;
}

export function predictCommand(): Command {
  const command = new Command("predict")
    .description("Score a file of customers: key, churn_probability, churn_prediction.")
    .option("--model <dir>", "model directory", DEFAULT_MODEL)
    .requiredOption("--data <path>", "CSV or Parquet: a file, folder or glob")
    .option("--out <file>", "file to write, .csv or .parquet", "data/scores.csv")
    .addHelpText("after", "\nExample:\n  churn predict --data data/raw/customers.parquet --out data/scores.csv");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, data, out, ...output }: PredictCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    log.info({ event: "predict.started", model, data }, "scoring started");
    const result = await withProgress("scoring customers", (update) =>
      predict({ model, data, out, onProgress: (rows) => update(`scoring customers: ${rows}`) }),
    );
    const { rows, predictedChurn, modelVersion } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info({ event: "predict.finished", rows, modelVersion, durationMs }, "scoring finished");
    print(`Scored ${rows} customers with model ${modelVersion}: ${predictedChurn} are predicted to churn`);
    for (const note of dataNotes(result.findings, result.extraColumns)) print(note);
    for (const column of result.missingColumns) print(`Note: column "${column}" is not in the data; scored as unknown`);
    print(`Scores in ${out}`);
    printJson({ out, ...result });
  });
}
