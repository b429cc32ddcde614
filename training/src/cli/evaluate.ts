/** `churn evaluate`: a model and labelled customers into metrics and a report. */
import { Command, Option } from "commander";
import type { JudgingCustomers } from "../data/judged-set.ts";
import { type EvaluateResult, evaluateModel } from "../evaluate.ts";
import { calibrationSentence, confusionSentence, countNotes, extraColumnsNote, metricsTable } from "../report/text.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface EvaluateCommandOptions extends OutputOptions {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly customers?: JudgingCustomers;
  readonly seed?: number;
}

export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("Judge a model on labelled customers: metrics with intervals, and a report with plots.")
    .option("--model <dir>", "model directory", DEFAULT_MODEL)
    .requiredOption("--data <path>", "CSV or Parquet: a file, folder or glob")
    .option("--out <file>", "report to write, .html", "reports/evaluation.html")
    .addOption(
      new Option(
        "--customers <which>",
        "who judges: all, or those held out by their key (default: holdout in the training data, else all)",
      ).choices(["all", "holdout"] satisfies JudgingCustomers[]),
    )
    .option("--seed <n>", "seed of resamples and shuffles (default: the model's)", wholeNumber(0))
    .addHelpText(
      "after",
      "\nExample:\n  churn evaluate --data data/raw/customers.parquet --out reports/evaluation.html",
    );
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, data, out, customers, seed, ...output }: EvaluateCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    log.info({ event: "evaluate.started", model, data }, "evaluation started");
    const result = await withProgress("evaluating", (onProgress) =>
      evaluateModel({ model, data, out, customers, seed, onProgress }),
    );
    const { judgingRows: rows, modelVersion } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info({ event: "evaluate.finished", rows, modelVersion, durationMs }, "evaluation finished");
    print(evaluationSummary(result));
    print(`Report in ${out}`);
    printJson({ out, ...result });
  });
}

function evaluationSummary(result: EvaluateResult): string {
  const { modelVersion, threshold, findings, extraColumns, notes } = result;
  return [
    `Model ${modelVersion}`,
    ...notes,
    "",
    metricsTable(result),
    "",
    `Threshold ${threshold.value.toFixed(4)}: ${threshold.reason}`,
    confusionSentence(result.confusionMatrix),
    calibrationSentence(result.calibration, result.calibrationError),
    ...countNotes("values outside the specification", findings),
    ...extraColumnsNote(extraColumns),
  ].join("\n");
}
