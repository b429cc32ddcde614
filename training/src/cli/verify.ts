/** `churn verify`: whether committed models are what they say. */
import { Command } from "commander";
import { verify } from "../verify.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface VerifyCommandOptions extends OutputOptions {
  readonly model: string;
  readonly rebuild: boolean;
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("Check every sum of the champion and of those before it; train the champion again where that can be.")
    .option("--model <dir>", "the champion", DEFAULT_MODEL)
    .option("--no-rebuild", "checksums only")
    .addHelpText("after", "\nExample:\n  churn verify --no-rebuild");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, rebuild, ...output }: VerifyCommandOptions) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const start = performance.now();
    const result = await withProgress("verifying", (onProgress) => verify({ model, rebuild, log, onProgress }));
    const { verified, problems, rebuilt } = result;
    const durationMs = Math.round(performance.now() - start);
    log.info(
      { event: "verify.finished", verified: verified.length, problems, rebuilt: rebuilt?.outcome, durationMs },
      "models verified",
    );
    for (const { path, version, contentSha256 } of verified)
      print(`${path}: ${version}, content hash ${contentSha256}`);
    if (rebuilt !== null) print(`The champion: ${rebuilt.note}`);
    printJson(result);
    for (const problem of problems) process.stderr.write(`churn: ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  });
}
