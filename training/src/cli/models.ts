/** `churn models`: champions by the ledger; registered models of MLflow, and model directories from them. */
import { ChurnError } from "@churn/contract";
import { Command } from "commander";
import { pullModel } from "../pull.ts";
import { championVersion, type LedgerEntry, ledgerPath, readLedger } from "../registry/ledger.ts";
import { listPrevious } from "../registry/succession.ts";
import { markdownTable } from "../report/text.ts";
import { modelSource } from "../tracking/model-source.ts";
import { parseModelUri } from "../tracking/model-uri.ts";
import { readingTarget } from "../tracking/target.ts";
import { createContext, OUTPUT_OPTIONS, type OutputOptions } from "./context.ts";
import { DEFAULT_MODEL } from "./train.ts";

export function modelsCommand(): Command {
  const command = new Command("models")
    .description("List the champions: which served from when to when, and why. Fetch models from MLflow.")
    .helpCommand(false)
    .option("--model <dir>", "the champion", DEFAULT_MODEL)
    .addCommand(pullCommand())
    .addCommand(aliasCommand())
    .addHelpText("after", "\nExample:\n  churn models pull models:/churn@champion --out models/best_model");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(({ model, ...output }: OutputOptions & { readonly model: string }) => {
    const { print, printJson } = createContext(output);
    const entries = readLedger(model);
    const [champion, previous] = [championVersion(model) ?? null, listPrevious(model)];
    if (entries.length === 0) print(`No line in ${ledgerPath(model)} yet`);
    else print(ledgerTable(entries, previous));
    printJson({ champion, previous, entries });
  });
}

/** The newest first: who served from when to when. */
function ledgerTable(entries: readonly LedgerEntry[], previous: readonly string[]): string {
  const time = (at: string): string => at.slice(0, 16).replace("T", " ");
  const rows = entries.map(({ version, event, at, reason, by = "–", evidence }, i) => {
    const isLast = i === entries.length - 1;
    const gain = evidence?.acceptanceProfit ?? evidence?.logLossGain;
    return [
      version,
      time(at),
      isLast ? "now" : time(entries[i + 1].at),
      event,
      isLast ? "serves" : previous.includes(version) ? "kept" : "–",
      gain === undefined ? "–" : `${gain.mean.toFixed(4)} (${gain.lower.toFixed(4)} – ${gain.upper.toFixed(4)})`,
      by,
      reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason,
    ];
  });
  const header = ["version", "from", "to", "how", "", "gain per customer", "by", "why"];
  return markdownTable([header, ...rows.reverse()]);
}

/** Longer ones are cut: `--json` has them whole. */
const LONGEST_REASON = 60;

function pullCommand(): Command {
  const command = new Command("pull")
    .description("Fetch a model from MLFLOW_TRACKING_URI into a model directory, for the service to read.")
    .argument("<uri>", "models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/RUN_ID")
    .requiredOption("--out <dir>", "model directory; one that is there is replaced")
    .addHelpText("after", "\nExample:\n  churn models pull models:/churn@champion --out models/best_model");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (uri: string, { out, ...output }: OutputOptions & { readonly out: string }) => {
    const { log, print, printJson, withProgress } = createContext(output);
    const tracking = readingTarget(process.env);
    const start = performance.now();
    const now = (): Date => new Date();
    const { version, contentSha256 } = await withProgress("fetching", () => pullModel({ uri, out, tracking, now }));
    const durationMs = Math.round(performance.now() - start);
    log.info({ event: "model.pulled", uri, modelVersion: version, durationMs }, "model fetched");
    print(`Model ${version} in ${out}`);
    printJson({ uri, out, version, contentSha256 });
  });
}

function aliasCommand(): Command {
  const command = new Command("alias")
    .description("Point an alias to a version of a registered model; the version that had it loses it.")
    .argument("<uri>", "models:/NAME/VERSION or models:/NAME@ALIAS")
    .argument("<alias>", "champion, for example")
    .addHelpText("after", "\nExample:\n  churn models alias models:/churn@challenger champion");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (uri: string, alias: string, output: OutputOptions) => {
    const { log, print, printJson } = createContext(output);
    const { name, version } = await pointAlias(uri, alias);
    log.info({ event: "alias.set", name, version, alias }, "alias set");
    print(`${name}@${alias} is version ${version}`);
    printJson({ name, alias, version });
  });
}

async function pointAlias(uri: string, alias: string): Promise<{ readonly name: string; readonly version: string }> {
  const parsed = parseModelUri(uri);
  if (parsed.kind !== "version" && parsed.kind !== "alias") {
    const message = `expected models:/NAME/VERSION or models:/NAME@ALIAS, got "${uri}"`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  if (!/^[\w-]{1,255}$/.test(alias) || /^(latest|v\d+)$/i.test(alias)) {
    const message = `expected an alias of letters, digits, _ and -, but neither "latest" nor "v1", got "${alias}"`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  const source = modelSource(readingTarget(process.env));
  const version = await source.version(parsed);
  await source.setAlias(parsed.name, version, alias);
  return { name: parsed.name, version };
}
