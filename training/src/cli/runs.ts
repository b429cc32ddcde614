/** `churn runs`: tracked runs, listed and side by side. */
import { ChurnError } from "@churn/contract";
import { Command } from "commander";
import { METRIC_LABELS, markdownTable } from "../report/text.ts";
import { type Comparison, compareRuns, findRuns, listRuns, pushRuns } from "../runs.ts";
import type { ListedRun, RunList } from "../tracking/run-source.ts";
import { readingTarget, type TrackingTarget, withoutCredentials } from "../tracking/target.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";

interface RunsOptions extends OutputOptions {
  readonly experiment?: string;
  readonly limit: number;
  readonly push?: boolean;
}

const DEFAULT_LIMIT = 20;
/** Enough of an id to tell runs apart, and to name one. */
const ID_LENGTH = 8;
/** What a list shows of runs, where one has it; of other programs' runs, what they have. */
const LISTED_METRICS = ["roc_auc", "log_loss", "profit_per_customer", "out_of_bag_log_loss"];
const MOST_LISTED_METRICS = 4;
/** Of a tag: some hold a page. */
const MOST_CHARACTERS = 80;

export function runsCommand(): Command {
  const command = new Command("runs")
    .description("List tracked runs, show one, or put some side by side; they are read from MLFLOW_TRACKING_URI.")
    .argument("[run...]", "ids, their beginnings, or names")
    .option("--experiment <name>", "experiment (default: MLFLOW_EXPERIMENT_NAME, or churn)")
    .option("--limit <n>", "list the newest n", wholeNumber(1, 50_000), DEFAULT_LIMIT)
    .option("--push", "send the runs that wait for the tracking server")
    .addHelpText("after", "\nExample:\n  churn runs --limit 5 && churn runs 13235606 7ca4de37");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(async (references: string[], { experiment, limit, push, ...output }: RunsOptions) => {
    const context = createContext(output);
    const environment = readingTarget(process.env);
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
    context.print(runs.length === 1 ? runText(runs[0]) : comparisonText(comparison));
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
    const place = server === undefined ? folder : withoutCredentials(server);
    return [`No runs of experiment "${experiment}" in ${place}: churn train makes one`, ...notes].join("\n");
  }
  const metrics = listedMetrics(runs);
  const rows = underParents(runs).map(({ run, depth }) => [
    run.runId.slice(0, ID_LENGTH),
    `${"└ ".repeat(depth)}${run.name}`,
    localTime(run.startTime),
    duration(run),
    statusOf(run),
    ...metrics.map((name) => figure(run.metrics[name])),
    run.tags.model_version ?? "–",
  ]);
  const header = ["id", "name", "started", "took", "status", ...metrics.map(labelOf), "model"];
  return [markdownTable([header, ...rows]), ...notes].join("\n");
}

function listedMetrics(runs: readonly ListedRun[]): string[] {
  const known = LISTED_METRICS.filter((name) => runs.some(({ metrics }) => metrics[name] !== undefined));
  const all = new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)));
  return known.length > 0 ? known : [...all].slice(0, MOST_LISTED_METRICS);
}

/** A child stands below its parent where that is in the list, too. Parents are the older ones: nothing goes in circles. */
function underParents(runs: readonly ListedRun[]): { readonly run: ListedRun; readonly depth: number }[] {
  const place = new Map(runs.map(({ runId }, i) => [runId, i]));
  const children = Map.groupBy(runs, ({ tags }, i) => {
    const parent = place.get(tags["mlflow.parentRunId"]);
    return parent !== undefined && parent > i ? parent : undefined;
  });
  const below = (parent: number | undefined, depth: number): { run: ListedRun; depth: number }[] =>
    (children.get(parent) ?? []).flatMap((run) => [{ run, depth }, ...below(place.get(run.runId), depth + 1)]);
  return below(undefined, 0);
}

function runText(run: ListedRun): string {
  const tags = Object.entries(run.tags).map(([key, value]) => [key, shortened(value)]);
  return [
    markdownTable([
      ["run", run.runId],
      ["name", run.name],
      ["started", localTime(run.startTime)],
      ["took", duration(run)],
      ["status", statusOf(run)],
      ...Object.entries(run.datasets).map(([name, digest]) => ["data", `${name} ${digest}`]),
    ]),
    ...section([["parameter", "value"], ...Object.entries(run.params)]),
    ...section([["metric", "value"], ...Object.entries(run.metrics).map(([key, value]) => [key, figure(value)])]),
    ...section([["tag", "value"], ...tags]),
  ].join("\n");
}

function comparisonText({ runs, params, metrics }: Comparison): string {
  const ids = runs.map(({ runId }) => runId.slice(0, ID_LENGTH));
  const facts = [
    ["name", ...runs.map(({ name }) => name)],
    ["started", ...runs.map(({ startTime }) => localTime(startTime))],
    ["took", ...runs.map(duration)],
    ["status", ...runs.map(statusOf)],
    ...differing("model", runs, ({ tags }) => tags.model_version),
    ...differing("content", runs, ({ tags }) => tags.content_sha256?.slice(0, ID_LENGTH)),
    ...[...new Set(runs.flatMap(({ datasets }) => Object.keys(datasets)))].flatMap((name) =>
      differing(`data: ${name}`, runs, ({ datasets }) => datasets[name]),
    ),
  ];
  const parameters = Object.entries(params.differing).map(([key, values]) => [key, ...values.map((v) => v ?? "–")]);
  const figures = Object.entries(metrics).map(([key, { values, deltas }]) => [
    key,
    figure(values[0]),
    ...values.slice(1).flatMap((value, i) => [figure(value), signed(deltas[i + 1])]),
  ]);
  const equal = Object.keys(params.equal).length;
  return [
    markdownTable([["run", ...ids], ...facts]),
    ...section([["parameter", ...ids], ...parameters]),
    ...(equal === 0 ? [] : ["", `Parameters that are equal: ${equal}`]),
    ...section([["metric", ids[0], ...ids.slice(1).flatMap((id) => [id, "difference"])], ...figures]),
  ].join("\n");
}

/** A table below others; nothing where it has only a header. */
function section(rows: readonly (readonly string[])[]): string[] {
  return rows.length === 1 ? [] : ["", markdownTable(rows)];
}

function differing(
  label: string,
  runs: readonly ListedRun[],
  read: (run: ListedRun) => string | undefined,
): string[][] {
  const values = runs.map((run) => read(run) ?? "–");
  return values.every((value) => value === values[0]) ? [] : [[label, ...values]];
}

const labelOf = (metric: string): string => (METRIC_LABELS as Readonly<Record<string, string>>)[metric] ?? metric;
const statusOf = (run: ListedRun): string => (run.isWaiting ? "waiting" : run.status.toLowerCase());

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
}

function duration({ startTime, endTime }: ListedRun): string {
  if (endTime === null) return "–";
  const seconds = (endTime - startTime) / 1000;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
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
