/** `churn runs`: tracked runs, listed and side by side. */
import { ChurnError } from "@churn/contract";
import { Command } from "commander";
import { markdownTable } from "../report/text.ts";
import { type Comparison, compareRuns, findRuns, listRuns, pushRuns, type RunList } from "../runs.ts";
import { type TrackingTarget, trackingTarget } from "../tracking/target.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

interface RunsOptions extends OutputOptions {
  readonly experiment?: string;
  readonly limit: number;
  readonly push?: boolean;
}

const DEFAULT_LIMIT = 20;
/** Enough of an id to tell runs apart, and to name one. */
const ID_LENGTH = 8;
/** What a list shows of a run, where it has it. */
const LISTED_METRICS = ["roc_auc", "log_loss", "profit_per_customer", "out_of_bag_log_loss"];

export function runsCommand(): Command {
  const command = new Command("runs")
    .description("List tracked runs, or put some side by side; they are read from MLFLOW_TRACKING_URI.")
    .argument("[run...]", "ids, their beginnings, or names of runs to compare")
    .option("--experiment <name>", "experiment (default: MLFLOW_EXPERIMENT_NAME, or churn)")
    .option("--limit <n>", "list the newest n", wholeNumber(1, 50_000), DEFAULT_LIMIT)
    .option("--push", "send the runs that wait for the tracking server")
    .addHelpText("after", "\nExamples:\n  churn runs --limit 5\n  churn runs 13235606 7ca4de37");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (references: string[], { experiment, limit, push, ...output }: RunsOptions) => {
    const context = createContext(output);
    const environment = trackingTarget(process.env);
    if (environment.warning !== undefined) {
      throw new ChurnError("CHURN_ERR_OPTION_INVALID", environment.warning.replace(/; tracking to .*? instead/, ""));
    }
    const target = { ...environment, experiment: experiment ?? environment.experiment };
    if (push) return sendWaiting(target, context);
    if (references.length === 0) {
      const list = await context.withProgress("reading runs", () => listRuns(target, limit));
      context.print(listText(list, target));
      context.printJson(list);
      return;
    }
    const runs = await context.withProgress("reading runs", () => findRuns(target, references));
    const comparison = compareRuns(runs);
    context.print(comparisonText(comparison));
    context.printJson(comparison);
  });
}

async function sendWaiting(target: TrackingTarget, { log, print, printJson, withProgress }: Context): Promise<void> {
  const start = performance.now();
  const result = await withProgress("sending runs", () => pushRuns(target));
  const { sent, failed, elsewhere } = result;
  const durationMs = Math.round(performance.now() - start);
  log.info({ event: "runs.pushed", sent: sent.length, failed: failed.length, durationMs }, "runs sent");
  for (const { url } of sent) print(url);
  print(`Runs sent: ${sent.length}`);
  for (const [server, count] of Object.entries(elsewhere)) print(`Note: runs that wait for ${server}: ${count}`);
  printJson(result);
  if (failed.length === 0) return;
  const [{ runId, reason }] = failed;
  throw new ChurnError(
    "CHURN_ERR_TRACKING_SERVER",
    `runs that could not be sent: ${failed.length}: ${runId}: ${reason}`,
  );
}

function listText({ runs, damaged }: RunList, { experiment, folder, server }: TrackingTarget): string {
  const notes = damaged.length === 0 ? [] : [`Note: folders that are no whole runs: ${damaged.length}: ${damaged[0]}`];
  if (runs.length === 0) {
    return [`No runs of experiment "${experiment}" in ${server ?? folder}: churn train makes one`, ...notes].join("\n");
  }
  const metrics = LISTED_METRICS.filter((name) => runs.some((run) => run.metrics[name] !== undefined));
  const rows = runs.map((run) => [
    run.runId.slice(0, ID_LENGTH),
    `${run.tags["mlflow.parentRunId"] === undefined ? "" : "└ "}${run.name}`,
    localTime(run.startTime),
    run.endTime === null ? "–" : `${((run.endTime - run.startTime) / 1000).toFixed(1)} s`,
    run.isWaiting ? "waiting" : run.status.toLowerCase(),
    ...metrics.map((name) => figure(run.metrics[name])),
  ]);
  return [markdownTable([["id", "name", "started", "took", "status", ...metrics], ...rows]), ...notes].join("\n");
}

function comparisonText({ runs, params, metrics }: Comparison): string {
  const ids = runs.map(({ runId }) => runId.slice(0, ID_LENGTH));
  const others = ids.slice(1).map((id) => `${id} − ${ids[0]}`);
  const facts = [
    ["name", ...runs.map(({ name }) => name)],
    ["started", ...runs.map(({ startTime }) => localTime(startTime))],
    ["model", ...runs.map(({ tags }) => tags.model_version ?? "–")],
    ["data", ...runs.map(({ inputs }) => inputs.map(({ name, digest }) => `${name} ${digest}`).join(", ") || "–")],
  ];
  const differing = Object.entries(params.differing).map(([key, values]) => [
    key,
    ...values.map((value) => value ?? "–"),
  ]);
  const equal = Object.entries(params.equal).map(([key, value]) => `${key} ${value}`);
  const figures = Object.entries(metrics).map(([key, { values, deltas }]) => [
    key,
    ...values.map(figure),
    ...deltas.slice(1).map(signed),
  ]);
  const isOne = runs.length === 1;
  return [
    markdownTable([["", ...ids], ...facts]),
    ...(differing.length === 0 ? [] : ["", markdownTable([["parameter", ...ids], ...differing])]),
    ...(equal.length === 0 ? [] : ["", `${isOne ? "Parameters" : "Equal parameters"}: ${equal.join(", ")}`]),
    ...(figures.length === 0 ? [] : ["", markdownTable([["metric", ...ids, ...others], ...figures])]),
  ].join("\n");
}

function localTime(time: number): string {
  const date = new Date(time);
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function signed(value: number | null): string {
  return value === null ? "–" : `${value > 0 ? "+" : ""}${figure(value)}`;
}
