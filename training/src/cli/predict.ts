/** `churn predict`: a file of customers into a file of scores. */
import { Command } from "commander";
import { type PredictResult, predict } from "../predict.ts";
import { countNotes, extraColumnsNote } from "../report/text.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface PredictCommandOptions extends OutputOptions {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly top?: number;
  readonly nJobs?: number;
}

export function predictCommand(): Command {
  const command = new Command("predict")
    .description("Score a file of customers: key, churn_probability, churn_prediction, expected_profit.")
    .option("--model <dir>", "model directory", DEFAULT_MODEL)
    .requiredOption("--data <path>", "CSV or Parquet: a file, folder or glob")
    .option("--out <file>", "file to write, .csv or .parquet", "data/scores.csv")
    .option("--top <n>", "write only the n customers most worth a contact, best first", wholeNumber(1))
    .option("--n-jobs <n>", "threads; does not change the result (default: all processors)", wholeNumber(1, 1024))
    .addHelpText("after", "\nExample:\n  churn predict --data data/raw/customers.parquet --out data/scores.csv");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, data, out, top, nJobs, ...output }: PredictCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    log.info({ event: "predict.started", model, data }, "scoring started");
    const result = await withProgress("scoring customers", (update) =>
      predict({ model, data, out, top, nJobs, onProgress: (rows) => update(`scoring customers: ${rows}`) }),
    );
    const { rows, modelVersion } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info({ event: "predict.finished", rows, modelVersion, durationMs }, "scoring finished");
    print(predictionSummary(result, out, top));
    printJson({ out, ...result });
  });
}

function predictionSummary(result: PredictResult, out: string, top: number | undefined): string {
  const { rows, written, predictedChurn, modelVersion, missing, missingColumns, extraColumns } = result;
  const partlyMissing = Object.entries(missing).filter(([name]) => !missingColumns.includes(name));
  return [
    `Scored ${rows} customers with model ${modelVersion}: ${predictedChurn} are predicted to churn`,
    ...missingColumns.map((name) => `Note: column "${name}" is not in the data; scored as unknown`),
    ...countNotes("missing values, scored as unknown", Object.fromEntries(partlyMissing)),
    ...countNotes("levels that the model does not know, scored as unknown", result.unknownLevels),
    ...countNotes("values outside the specification's bounds", result.findings),
    ...extraColumnsNote(extraColumns),
    top === undefined ? `Scores in ${out}` : `The ${written} most worth a contact, best first, in ${out}`,
  ].join("\n");
}
