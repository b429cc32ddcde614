/**
 * The `churn` command: reads the arguments, runs one command, and turns what happened into an exit code.
 *
 *     0 done · 1 failed (a bug, or the machine) · 2 wrong use or bad input
 */
import { ChurnError } from "@churn/contract";
import { Command, CommanderError } from "commander";
import { PROGRAM_VERSION } from "../program-version.ts";

/** Each command's code is loaded when it is asked for: one does not wait for the libraries of another. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  generate: async () => (await import("./generate.ts")).generateCommand(),
  train: async () => (await import("./train.ts")).trainCommand(),
  evaluate: async () => (await import("./evaluate.ts")).evaluateCommand(),
  drift: async () => (await import("./drift.ts")).driftCommand(),
  retrain: async () => (await import("./retrain.ts")).retrainCommand(),
  rollback: async () => (await import("./rollback.ts")).rollbackCommand(),
  verify: async () => (await import("./verify.ts")).verifyCommand(),
  predict: async () => (await import("./predict.ts")).predictCommand(),
  export: async () => (await import("./export.ts")).exportCommand(),
  runs: async () => (await import("./runs.ts")).runsCommand(),
  models: async () => (await import("./models.ts")).modelsCommand(),
  demo: async () => (await import("./demo.ts")).demoCommand(),
};

/** Runs the command that the arguments name; `process.exitCode` says how it ended. */
export async function runProgram(args: readonly string[]): Promise<void> {
  process.stdout.on("error", stopOnBrokenOutput);
  process.stderr.on("error", () => process.exit(1));
  try {
    const program = await buildProgram(args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    process.exitCode = explain(error);
  }
}

async function buildProgram([name = ""]: readonly string[]): Promise<Command> {
  const program = new Command("churn")
    .description("Train, evaluate and apply churn models.")
    .version(PROGRAM_VERSION, "--version", "print the version")
    .helpCommand(false)
    .addHelpText(
      "after",
      "\nExample:\n  churn generate && churn train && churn predict --data data/raw/customers.parquet",
    );
  const asked = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  for (const command of asked) program.addCommand(await command());
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().allowExcessArguments(false);
    command.configureOutput({ outputError: (text, write) => write(`${oneLine(text.trimEnd())}\n`) });
  }
  return program;
}

/** One message on standard error; what has no code is a bug, and only then is the stack worth showing. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  if (error instanceof ChurnError) {
    process.stderr.write(`churn: ${oneLine(error.message)}\n`);
    return isFailure(error) ? 1 : 2;
  }
  process.stderr.write(`churn: unexpected failure, please report it: ${(error as Error)?.stack ?? error}\n`);
  return 1;
}

/** A message is one line, whatever the path it names or the advice that follows. */
const oneLine = (message: string): string => message.replaceAll(/\n(?=\()/g, " ").replaceAll("\n", "\\n");

/** Whether the work failed for want of something other than the user's care: a disk, a server. */
function isFailure({ code, cause }: ChurnError): boolean {
  const isAway = code === "CHURN_ERR_TRACKING_SERVER" || code === "CHURN_ERR_STORE_FAILED";
  return isAway || (code === "CHURN_ERR_FILE_UNWRITABLE" && !isWrongPlace(cause));
}

/** A place where nothing can be written is wrong use; a disk that is full is not. */
function isWrongPlace(reason: unknown): boolean {
  const { code = "" } = (reason ?? {}) as NodeJS.ErrnoException;
  return [
    "EACCES",
    "ENOENT",
    "EPERM",
    "EROFS",
    "ENOTDIR",
    "EISDIR",
    "EEXIST",
    "ENAMETOOLONG",
    "ELOOP",
    "EINVAL",
  ].includes(code);
}

/** A reader that has had enough, such as `head`, is no news; anything else is. Either way the work ends here. */
function stopOnBrokenOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code !== "EPIPE") process.stderr.write(`churn: standard output: ${message}\n`);
  process.exit(1);
}
