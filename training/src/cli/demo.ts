/** `churn demo`: the main job once, told step by step. */
import { rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { featureColumnNames, Model, type ModelManifest, RequestReader } from "@churn/contract";
import { Command } from "commander";
import { MAX_ROWS } from "../customers/limits.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../forest/parameters.ts";
import { metricsTable } from "../report/text.ts";
import { type RunningService, startService } from "../running-service.ts";
import { type Context, createContext, OUTPUT_OPTIONS, type OutputOptions, wholeNumber } from "./context.ts";
import { runMonths } from "./demo-months.ts";
import { GENERATE_DEFAULTS, generateWithProgress } from "./generate.ts";
import { DEFAULT_SEED, trainWithProgress } from "./train.ts";

interface DemoOptions extends OutputOptions {
  readonly rows: number;
  readonly out: string;
}

/** How many requests the demo times, one after the other. */
const TIMED_REQUESTS = 200;

/** In how many columns the second customer differs from the first. */
const RISKY_CHANGES = 3;

/** Where `npm start` runs. */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DATASET = join(ROOT, "datasets/customers/dataset.json");

export function demoCommand(): Command {
  const command = new Command("demo")
    .description(
      "Run the main job once: generate customers, train, serve, predict, and retrain while the world changes.",
    )
    .option("--rows <n>", "number of customers", wholeNumber(1000, MAX_ROWS), GENERATE_DEFAULTS.rows)
    .option("--out <dir>", "folder to work in", "demo")
    .addHelpText("after", "\nExample:\n  churn demo --rows 20000");
  for (const option of OUTPUT_OPTIONS) command.addOption(option);
  return command.action(runDemo);
}

async function runDemo({ rows, out, ...output }: DemoOptions): Promise<void> {
  const context = createContext(output);
  const { log, print, printJson } = context;
  const paths = {
    data: join(out, "data", "customers.parquet"),
    model: join(out, "models", "best_model"),
    runs: join(out, "mlruns"),
    report: join(out, "reports", "training.html"),
    retraining: join(out, "data", "retrain"),
    store: join(out, "data", "live", "predictions.db"),
  };
  const start = performance.now();
  log.info({ event: "demo.started", rows }, "demo started");
  rmSync(paths.retraining, { recursive: true, force: true }); // what an earlier demo remembers of these customers
  const elapsed = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;

  print(`1. Customers\n   Generating ${rows} synthetic customers, with the true probability of churn beside them …`);
  await generateWithProgress(
    { ...GENERATE_DEFAULTS, rows, seed: DEFAULT_SEED, out: paths.data, withTruth: true },
    context,
  );
  print(`   done after ${elapsed()}: ${paths.data}\n`);

  print("2. Model\n   Training a random forest on four customers in five; the fifth judges it …");
  const { manifest } = await trainWithProgress(
    {
      dataset: DATASET,
      data: paths.data,
      out: paths.model,
      report: paths.report,
      seed: DEFAULT_SEED,
      tracking: paths.runs,
      ...DEFAULT_FOREST_PARAMETERS,
    },
    context,
  );
  print(`   done after ${elapsed()}. On customers it has never seen:\n`);
  print(indent(metricsTable(manifest)));
  print(`\n   That is ${percent(achievableShare(manifest))} of the ROC AUC above chance that anyone could reach here.`);
  print(`   Threshold ${manifest.threshold.value.toFixed(3)}: ${manifest.threshold.reason}\n`);

  print("3. Service\n   Starting it as a process of its own, with nothing but the model directory …");
  const service = await startService(paths.model, dirname(paths.store));
  try {
    print(`   ${service.url} answered after ${service.startMs.toFixed(0)} ms\n`);
    const predictions = await askForPredictions(service, Model.load(paths.model), context);
    print("");
    const monthly = { dataset: DATASET, rows, model: paths.model, state: paths.retraining, runs: paths.runs };
    const months = await runMonths(
      { ...monthly, reports: dirname(paths.report) },
      service,
      manifest.inputExample,
      context,
    );
    print(`   All done in ${elapsed()}. What there is now:`);
    const width = Math.max(...Object.values(paths).map(({ length }) => length)) + 2;
    print(`   ${paths.data.padEnd(width)}the customers`);
    print(`   ${paths.model.padEnd(width)}the model; MODEL_CARD.md in it says what it is`);
    print(`   ${paths.runs.padEnd(width)}the tracked runs`);
    print(`   ${paths.report.padEnd(width)}how good the first model is, in plots: open it in a browser`);
    print(`   ${paths.retraining.padEnd(width)}the customers of each month, and the last challenger`);
    print(`   ${paths.store.padEnd(width)}each prediction, as the service keeps it`);
    print(
      `   Serve it again: MODEL_DIR=${relative(ROOT, paths.model)} npm start, then open http://127.0.0.1:8000/docs`,
    );
    printJson({
      rows,
      ...paths,
      version: manifest.version,
      metrics: manifest.metrics,
      baselines: manifest.baselines,
      predictions,
      months,
    });
  } finally {
    await service.stop();
  }
  print("   The service has stopped.");
  log.info({ event: "demo.finished", rows, durationMs: Math.round(performance.now() - start) }, "demo finished");
}

/** A typical customer and a risky one, then a small burst for the clock. */
async function askForPredictions(service: RunningService, model: Model, { print }: Context): Promise<unknown[]> {
  const { manifest } = model;
  print("4. Predictions");
  const typical = manifest.inputExample;
  const changed = riskyChanges(model);
  const answers: unknown[] = [];
  for (const [title, customer] of [
    ["a typical customer", typical],
    [
      `the same with ${Object.entries(changed)
        .map(([name, value]) => `${name} = ${value}`)
        .join(", ")}`,
      { ...typical, ...changed },
    ],
  ] as const) {
    const answer = await ask(service, customer);
    answers.push(answer);
    print(`   ${title}:\n   ${JSON.stringify(answer)}`);
  }
  const times: number[] = [];
  for (let i = 0; i < TIMED_REQUESTS; i++) {
    const start = performance.now();
    await ask(service, typical);
    times.push(performance.now() - start);
  }
  const median = times.sort((a, b) => a - b)[TIMED_REQUESTS / 2];
  print(`   ${TIMED_REQUESTS} requests one after the other: median ${median.toFixed(2)} ms each, over HTTP`);
  return answers;
}

async function ask({ url }: RunningService, customer: unknown): Promise<unknown> {
  const response = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(customer),
  });
  if (!response.ok) throw new Error(`POST /predict: expected 200, got ${response.status}: ${await response.text()}`);
  return response.json();
}

type Customer = Readonly<Record<string, unknown>>;

/** The typical customer after the few changes that raise his risk the most, asked of the model itself. */
function riskyChanges(model: Model): Customer {
  const { inputExample, dataset } = model.manifest;
  const reader = new RequestReader(dataset, model.encoder);
  const risk = (changes: Customer): number => model.predictRow(reader.read({ ...inputExample, ...changes }).row);
  const candidates = possibleChanges(model.manifest);
  let changes: Customer = {};
  for (let round = 0; round < RISKY_CHANGES; round++) {
    const next = candidates.map((candidate): Customer => ({ ...changes, ...candidate }));
    changes = next.reduce((best, other) => (risk(other) > risk(best) ? other : best), changes);
  }
  return changes;
}

/** Each column once low and once high (5 % and 95 % of customers lie beyond), each category at each level. */
function possibleChanges({ reference, dataset }: ModelManifest): Customer[] {
  return featureColumnNames(dataset).flatMap((name): Customer[] => {
    const summary = reference.features[name];
    const { type } = dataset.columns[name];
    if (summary.kind === "category") return Object.keys(summary.counts).map((level) => ({ [name]: level }));
    if (type === "boolean") return [{ [name]: false }, { [name]: true }];
    return [summary.quantiles.at(1), summary.quantiles.at(-2)]
      .filter((value) => value !== undefined)
      .map((value) => ({ [name]: type === "integer" ? Math.round(value) : Number(value.toPrecision(4)) }));
  });
}

/** (AUC − 0.5) of the model as a share of that of the truth. */
function achievableShare({ metrics, baselines }: ModelManifest): number {
  return (metrics.roc_auc.value - 0.5) / (baselines.truth.roc_auc.value - 0.5);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const indent = (text: string): string => text.replaceAll(/^/gm, "   ");
