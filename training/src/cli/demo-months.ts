/** The demo's later months: the world changes, a challenger is trained, and the running service goes over to it. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ScenarioName } from "../customers/scenarios.ts";
import { retrainSummary } from "../report/retrain-summary.ts";
import { retrain } from "../retrain.ts";
import type { RetrainResult } from "../retraining/result.ts";
import type { RunningService } from "../running-service.ts";
import type { Context } from "./context.ts";
import { DEFAULT_KEEP } from "./retrain.ts";
import { DEFAULT_SEED } from "./train.ts";

interface DemoMonth {
  readonly title: string;
  readonly month: number;
  readonly scenario: ScenarioName;
}

/** Scenarios are worlds of their own: in the third the prices are as they were. */
const MONTHS: readonly DemoMonth[] = [
  { title: "a month like those before", month: 1, scenario: "stable" },
  { title: "prices have risen", month: 3, scenario: "price-increase" },
  { title: "prices are as before, and a segment of young people has arrived", month: 6, scenario: "new-segment" },
];

/** Between two requests that go on while models change. */
const REQUEST_EVERY_MS = 5;
/** How long the service may take to see a new model. */
const SWITCH_LIMIT_MS = 20_000;

export interface DemoMonthsOptions {
  readonly dataset: string;
  readonly rows: number;
  readonly model: string;
  readonly reports: string;
  readonly state: string;
  readonly runs: string;
}

/** What happened in a month, as `--json` says it. */
export interface DemoMonthResult extends DemoMonth, Pick<RetrainResult, "outcome" | "reason" | "championVersion"> {
  readonly requests: number;
  readonly failures: number;
}

export async function runMonths(
  options: DemoMonthsOptions,
  service: RunningService,
  customer: unknown,
  context: Context,
): Promise<DemoMonthResult[]> {
  const results: DemoMonthResult[] = [];
  for (const [i, month] of MONTHS.entries()) {
    context.print(`${i + 5}. Month ${month.month}: ${month.title}`);
    const load = startLoad(service, customer);
    let result: RetrainResult;
    try {
      result = await retrainIn(month, options, context);
      await servedBy(service, result.championVersion as string);
    } finally {
      await load.stop();
    }
    const { requests, failures } = load.counts;
    const { outcome, reason, championVersion } = result;
    results.push({ ...month, outcome, reason, championVersion, requests, failures });
    context.print(retrainSummary(result).replaceAll(/^(?=.)/gm, "   "));
    context.print(
      `\n   Meanwhile the service answered ${requests} requests, ${failures} failed; it serves ${championVersion}.\n`,
    );
  }
  return results;
}

function retrainIn(
  { month, scenario }: DemoMonth,
  { dataset, rows, model, reports, state, runs }: DemoMonthsOptions,
  { log, withProgress }: Context,
): Promise<RetrainResult> {
  return withProgress("retraining", (onProgress) =>
    retrain({
      data: { source: "synthetic", customers: { rows, seed: DEFAULT_SEED, month, scenario, from: 1 } },
      dataset,
      model,
      state,
      parameters: {},
      seed: DEFAULT_SEED,
      force: false,
      staleAfterDays: 90,
      enoughLabels: 2,
      falseAlarmsPerYear: 1,
      everyDays: 28,
      keep: DEFAULT_KEEP,
      report: join(reports, `month-${month}`, "retrain.html"),
      tracking: { folder: runs, experiment: "churn" },
      now: new Date(),
      clock: () => new Date(),
      log,
      onProgress,
    }),
  );
}

/** Asks for one prediction after the other until it is stopped. */
function startLoad({ url }: RunningService, customer: unknown) {
  const counts = { requests: 0, failures: 0 };
  const body = JSON.stringify(customer);
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      counts.requests++;
      counts.failures += +!(await isAnswered(url, body));
      await sleep(REQUEST_EVERY_MS);
    }
  })();
  return {
    counts,
    stop: async (): Promise<void> => {
      isOver = true;
      await done;
    },
  };
}

async function isAnswered(url: string, body: string): Promise<boolean> {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/predict`, { method: "POST", headers, body });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Waits until the service answers with a model. */
async function servedBy({ url }: RunningService, version: string): Promise<void> {
  const deadline = performance.now() + SWITCH_LIMIT_MS;
  for (;;) {
    const health = (await (await fetch(url)).json()) as { readonly model_version: string };
    if (health.model_version === version) return;
    if (performance.now() > deadline) {
      throw new Error(
        `the service still serves ${health.model_version} after ${SWITCH_LIMIT_MS / 1000} s, not ${version}`,
      );
    }
    await sleep(100);
  }
}
