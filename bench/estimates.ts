/**
 * How well a model's figures are estimated without outcomes: how often the interval holds the figure that the outcomes show.
 *
 *     npm run bench:estimates [-- --models 20]
 *
 * Each model is trained on other customers. Windows are drawn from new ones of the same world: as they come, and so that one kind
 * of customer is more frequent than another, which changes inputs and not how people react. Beside them, worlds in which people
 * react otherwise: there the estimate must fail. With other than 20 models nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Model } from "../contract/src/index.ts";
import { take } from "../training/src/data/take.ts";
import { estimatePerformance } from "../training/src/performance/estimate.ts";
import { measureOutcomes } from "../training/src/performance/mature.ts";
import { Random } from "../training/src/random.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { churn, readCount } from "./command.ts";
import { type Pool, PoolDrawer, readPool } from "./drift-pool.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const MODELS = 20;
const TRAINING_ROWS = 200_000;
const POOL_ROWS = 400_000;

const models = readCount("models", MODELS);

/** Rows of a window, windows of a kind per model, and how wide the interval may be (half of it, on average). */
const SIZES = [
  { rows: 1_000, windows: 10, halfWidth: 0.04 },
  { rows: 10_000, windows: 4, halfWidth: 0.03 },
  { rows: 100_000, windows: 1, halfWidth: 0.025 },
];

interface Kind {
  readonly name: string;
  readonly scenario: string;
  /** A column, and by how much log-odds of being drawn rise with a standard deviation of it. */
  readonly tilt?: { readonly column: string; readonly by: number };
  /** Whether people react as they did. */
  readonly isFair: boolean;
}

const KINDS: readonly Kind[] = [
  { name: "stable", scenario: "stable", isFair: true },
  { name: "more new customers", scenario: "stable", tilt: { column: "tenure_months", by: -0.7 }, isFair: true },
  { name: "more large bills", scenario: "stable", tilt: { column: "monthly_charges", by: 0.7 }, isFair: true },
  { name: "more tickets", scenario: "stable", tilt: { column: "support_tickets", by: 0.7 }, isFair: true },
  { name: "marketing-mix", scenario: "marketing-mix", isFair: true },
  { name: "competitor-offer: people react otherwise", scenario: "competitor-offer", isFair: false },
  { name: "service-outage: inputs, and how people react", scenario: "service-outage", isFair: false },
];

interface Tally {
  windows: number;
  covered: number;
  refused: number;
  halfWidth: number;
  bias: number;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
const tallies = new Map<string, Tally>();
try {
  for (let seed = 1; seed <= models; seed++) await judgeModel(seed);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report();

async function judgeModel(seed: number): Promise<void> {
  const directory = join(folder, "model");
  const training = generate("stable", 0, seed, TRAINING_ROWS);
  churn(
    folder,
    "train",
    "--data",
    training,
    "--out",
    directory,
    "--seed",
    String(seed),
    "--report",
    join(folder, "report.html"),
  );
  const model = Model.load(directory);
  const scenarios = [...new Set(KINDS.map(({ scenario }) => scenario))];
  for (const scenario of scenarios) {
    const pool = await readPool(model, generate(scenario, 1, 10_000 + seed, POOL_ROWS));
    const drawer = new PoolDrawer(pool, directory);
    for (const kind of KINDS.filter((one) => one.scenario === scenario)) judgeKind(kind, pool, drawer, model, seed);
  }
  process.stderr.write(`model ${seed} of ${models}\n`);
}

function generate(scenario: string, month: number, seed: number, rows: number): string {
  const out = join(folder, "customers.parquet");
  churn(
    folder,
    "generate",
    "--scenario",
    scenario,
    "--month",
    String(month),
    "--seed",
    String(seed),
    "--rows",
    String(rows),
    "--out",
    out,
  );
  return out;
}

function judgeKind({ name, tilt }: Kind, pool: Pool, drawer: PoolDrawer, model: Model, seed: number): void {
  const reference = drawer.own();
  const random = new Random(seed, name.length);
  const chances = tilt === undefined ? undefined : chancesOf(pool, tilt);
  const { economics } = model.manifest.dataset;
  for (const { rows: size, windows } of SIZES) {
    const key = `${size} ${name}`;
    const tally = tallies.get(key) ?? { windows: 0, covered: 0, refused: 0, halfWidth: 0, bias: 0 };
    tallies.set(key, tally);
    for (let window = 0; window < windows; window++) {
      const rows = drawRows(pool.rows, size, random, chances);
      const settings = { economics, threshold: drawer.threshold, seed: 1000 * seed + window };
      const estimate = estimatePerformance(reference, drawer.window(reference, rows), settings);
      const auc = estimate?.metrics.roc_auc;
      if (auc === undefined) {
        tally.refused += 1;
        continue;
      }
      const scores = take(pool.scores, rows);
      const real = measureOutcomes(
        {
          scores,
          labels: take(pool.labels, rows),
          decisions: new Uint8Array(size),
          weights: new Float64Array(size).fill(1),
        },
        undefined,
      ).roc_auc.value;
      tally.windows += 1;
      tally.covered += +(auc.low <= real && real <= auc.high);
      tally.halfWidth += (auc.high - auc.low) / 2;
      tally.bias += auc.value - real;
    }
  }
}

function chancesOf(pool: Pool, { column, by }: NonNullable<Kind["tilt"]>): Float64Array {
  const values = pool.columns.get(column) as Float32Array;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return Float64Array.from(values, (value) => 1 / (1 + Math.exp(-by * ((value - mean) / deviation))));
}

function drawRows(all: number, size: number, random: Random, chances: Float64Array | undefined): Uint32Array {
  const rows = new Uint32Array(size);
  const taken = new Uint8Array(all);
  for (let i = 0; i < size; ) {
    const row = random.integer(all);
    if (taken[row] === 1 || (chances !== undefined && random.uniform() >= chances[row])) continue;
    taken[row] = 1;
    rows[i++] = row;
  }
  return rows;
}

function report(): void {
  const [rows, checks]: [string[][], Check[]] = [[], []];
  for (const { rows: size, halfWidth } of SIZES) {
    const of = KINDS.map((kind) => ({ kind, tally: tallies.get(`${size} ${kind.name}`) as Tally }));
    for (const { kind, tally } of of) {
      const mean = (sum: number): string => (sum / tally.windows).toFixed(4);
      rows.push([
        String(size),
        kind.name,
        String(tally.windows),
        String(tally.refused),
        `${((100 * tally.covered) / tally.windows).toFixed(1)} %`,
        mean(tally.halfWidth),
        mean(tally.bias),
      ]);
    }
    const fair = of.filter(({ kind }) => kind.isFair).map(({ tally }) => tally);
    const sum = (pick: (tally: Tally) => number): number => fair.reduce((total, tally) => total + pick(tally), 0);
    const windows = sum((tally) => tally.windows);
    checks.push(
      atLeast(`${size} rows: AUC within the interval`, sum((tally) => tally.covered) / windows, 0.9, 3),
      atMost(`${size} rows: mean half-width`, sum((tally) => tally.halfWidth) / windows, halfWidth, 4),
      atMost(
        `${size} rows: windows without an estimate`,
        sum((tally) => tally.refused),
        0,
        0,
      ),
    );
  }
  const unfair = KINDS.filter(({ isFair }) => !isFair).map(({ name }) => tallies.get(`100000 ${name}`) as Tally);
  const sumOf = (pick: (tally: Tally) => number): number => unfair.reduce((sum, tally) => sum + pick(tally), 0);
  const within = sumOf(({ covered }) => covered) / sumOf((tally) => tally.windows);
  checks.push(atMost("100000 rows, people react otherwise: within the interval", within, 0.5, 3));
  const body = [
    "`npm run bench:estimates`",
    describeMachine({}),
    [
      `${models} models, each trained on ${TRAINING_ROWS} other customers; windows of new customers, a month later. How often the 95 % interval`,
      "that is estimated for the AUC, without outcomes, holds that of the outcomes; half of its mean width; how far it is off on average.",
    ].join("\n"),
    markdownTable([["rows", "window", "windows", "without an estimate", "within", "half-width", "off by"], ...rows]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (models !== MODELS) return;
  writeSection("Drift: performance without outcomes", body);
  if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
}
