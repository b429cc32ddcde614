#!/usr/bin/env node
/**
 * The `churn` command: reads the arguments, runs one command, and turns what happened into an exit code.
 *
 *     0 done · 1 failed (a bug, or the machine) · 2 wrong use or bad input
 */
import { readFileSync } from "node:fs";
import { ChurnError } from "@churn/contract";
import { Command, CommanderError } from "commander";
import { demoCommand } from "./cli/demo.ts";
import { generateCommand } from "./cli/generate.ts";
import { predictCommand } from "./cli/predict.ts";
import { trainCommand } from "./cli/train.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

function buildProgram(): Command {
  const program = new Command("churn")
    .description("Train, evaluate and apply churn models.")
    .version(version, "--version", "print the version")
    .helpCommand(false)
    .addHelpText(
      "after",
      "\nExample:\n  churn generate && churn train && churn predict --data data/raw/customers.parquet",
    );
  for (const command of [generateCommand(), trainCommand(), predictCommand(), demoCommand()])
    program.addCommand(command);
  for (const command of [program, ...program.commands]) command.exitOverride().allowExcessArguments(false);
  return program;
}

/** One message on standard error; what has no code is a bug, and only then is the stack worth showing. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  if (error instanceof ChurnError) {
    process.stderr.write(`churn: ${error.message}\n`);
    return error.code === "CHURN_ERR_FILE_UNWRITABLE" ? 1 : 2;
  }
  process.stderr.write(`churn: unexpected failure, please report it: ${(error as Error)?.stack ?? error}\n`);
  return 1;
}

/** A reader that has had enough, such as `head`, is no news; anything else is. Either way the work ends here. */
function stopOnBrokenOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code !== "EPIPE") process.stderr.write(`churn: standard output: ${message}\n`);
  process.exit(1);
}
process.stdout.on("error", stopOnBrokenOutput);
process.stderr.on("error", () => process.exit(1));

try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = explain(error);
}
