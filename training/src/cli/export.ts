/** `churn export`: a model directory into a file that other runtimes read. */
import { Command, Option } from "commander";
import { EXPORT_FORMATS, type ExportFormat, exportModel } from "../export.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface ExportCommandOptions extends OutputOptions {
  readonly model: string;
  readonly format: ExportFormat;
  readonly out: string;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description(
      "Write a model for other runtimes: an ONNX graph from a customer's raw columns to P(churn), alone or as MLflow's model.",
    )
    .option("--model <dir>", "model directory", DEFAULT_MODEL)
    .addOption(
      new Option("--format <name>", "one file, or the folder of an MLflow model")
        .choices(EXPORT_FORMATS)
        .makeOptionMandatory(),
    )
    .requiredOption("--out <file>", "file or folder to write")
    .addHelpText("after", "\nExample:\n  churn export --format onnx --out churn.onnx");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, format, out, ...output }: ExportCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    log.info({ event: "export.started", model, format }, "export started");
    const result = await withProgress("exporting", async () => exportModel({ model, format, out }));
    const { modelVersion, sizeBytes } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info({ event: "export.finished", modelVersion, sizeBytes, durationMs }, "export finished");
    print(`Model ${modelVersion} in ${out}: ${(sizeBytes / 1e6).toFixed(2)} MB`);
    printJson({ out, ...result });
  });
}
