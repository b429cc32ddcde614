/** `churn rollback`: back to a champion of before. */
import { existsSync } from "node:fs";
import { ChurnError, modelDirectory } from "@churn/contract";
import { Command } from "commander";
import { checkChampionPath } from "../registry/ledger.ts";
import { rollBack } from "../registry/rollback.ts";
import { withChampion } from "../registry/succession.ts";
import { moveAlias, whoRuns } from "../retraining/promotion.ts";
import { trackingTarget } from "../tracking/target.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { DEFAULT_KEEP } from "./retrain.ts";
import { DEFAULT_MODEL } from "./train.ts";

interface RollbackCommandOptions extends OutputOptions {
  readonly model: string;
  readonly to?: string;
  readonly reason: string;
  readonly keep: number;
}

export function rollbackCommand(): Command {
  const command = new Command("rollback")
    .description("Put the champion of before back in its place, verified, and say so in the ledger.")
    .option("--model <dir>", "the champion", DEFAULT_MODEL)
    .option("--to <version>", "one of those that are kept (default: the one before the present one)")
    .option("--reason <text>", "for the ledger", "churn rollback")
    .option("--keep <n>", "previous champions to keep", wholeNumber(0, 100), DEFAULT_KEEP)
    .addHelpText("after", '\nExample:\n  churn rollback --reason "complaints from the call centre"');
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async ({ model, to, reason, keep, ...output }: RollbackCommandOptions) => {
    const { log, print, printJson } = createContext(output);
    const tracking = trackingTarget(process.env);
    const by = whoRuns(process.env);
    const now = (): Date => new Date();
    checkChampionPath(model);
    if (!existsSync(modelDirectory(model))) {
      throw new ChurnError(
        "CHURN_ERR_MODEL_INVALID",
        `${model}: no such model directory: there is nothing to go back from`,
      );
    }
    const entry = await withChampion(model, async () => rollBack({ model, to, reason, by, keep, now }));
    await moveAlias({ tracking, log }, entry);
    const { version, previousVersion } = entry;
    log.info({ event: "model.rolledBack", modelVersion: version, previousVersion, reason }, "champion rolled back");
    print(`The champion is ${version} again, in the place of ${previousVersion}`);
    printJson(entry);
  });
}
