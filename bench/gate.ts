/**
 * How often the gate promotes a challenger that is equal, worse or better, where the truth is known.
 *
 *     npm run bench:gate [-- --comparisons 2000]
 *
 * Models are trained on generated customers; two of them are compared on others, whose outcomes are drawn anew from their true
 * probabilities for each comparison. A pair's difference is moved by a constant so that in truth it is what a row says; rows
 * "as they are" are not moved. Beside it what others do: promote when the profit is higher, and when F1 is on all rows, the new
 * model's own among them. With other than 2000 comparisons nothing is written.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Economics, Model } from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { contactValues } from "../training/src/evaluation/economics.ts";
import { logLossOf } from "../training/src/evaluation/metrics.ts";
import { AcceptanceProfit } from "../training/src/gate/acceptance-profit.ts";
import { pairedDifference } from "../training/src/gate/paired-difference.ts";
import { decide } from "../training/src/gate/rule.ts";
import { Random } from "../training/src/random.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { clopperPearson } from "../training/src/statistics/binomial.ts";
import { churn, readCount } from "./command.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const COMPARISONS = 2000;
const POOL_ROWS = 400_000;
const TRAINING_ROWS = 50_000;
const PAIRS = 4;
const SIZES = [1_000, 5_000, 20_000, 40_000];
const LEVEL = 0.05;
/** Without it a model is worse by about 2 % of profit. */
const KEY_COLUMN = "support_tickets";

const comparisons = readCount("comparisons", COMPARISONS);

const MEASURES = ["acceptanceProfit", "profit", "logLossGain"] as const;
type Measure = (typeof MEASURES)[number];

/** What a model's probability of each customer is worth, if he stays and if he leaves. */
type Worths = Readonly<Record<Measure, readonly [stays: Float64Array, leaves: Float64Array]>>;

interface Judged {
  readonly worths: Worths;
  /** True profit per customer at its threshold. */
  readonly profit: number;
}

interface Pair {
  readonly champion: Judged;
  readonly challenger: Judged;
}

interface Case {
  readonly name: string;
  readonly pairs: readonly Pair[];
  /** The acceptance profit that the difference is moved to, as a share of the champion's profit; undefined as it is. */
  readonly to?: number;
  /** Whether the other measures are moved to 0, too. */
  readonly isEqual?: boolean;
  readonly hasAlarm?: boolean;
}

interface Counted {
  readonly promoted: number;
  /** Among these, by challengers that are truly not better. */
  readonly wrongly: number;
  /** Promoted by a profit that is higher. */
  readonly plain: number;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const pool = await readTruth(generate("pool", 900, POOL_ROWS));
  const whole = train(DATASET);
  const lacking = train(withoutColumn(KEY_COLUMN));
  const peers: Judged[] = [];
  for (let i = 0; i < 2 * PAIRS; i++) peers.push(await whole(pool, i + 1, TRAINING_ROWS));
  const half = [await whole(pool, 101, TRAINING_ROWS / 2), await whole(pool, 102, TRAINING_ROWS / 2)];
  const small = [await whole(pool, 111, TRAINING_ROWS / 4), await whole(pool, 112, TRAINING_ROWS / 4)];
  const blind = [await lacking(pool, 201, TRAINING_ROWS), await lacking(pool, 202, TRAINING_ROWS)];
  const retrains = peers.flatMap((one, i): Pair[] => {
    const other = peers[i % 2 === 0 ? i + 1 : i - 1];
    return [{ champion: one, challenger: other }];
  });
  const against = (worse: readonly Judged[]): Pair[] =>
    worse.map((champion, i) => ({ champion, challenger: peers[i] }));
  const reversed = (pairs: readonly Pair[]): Pair[] =>
    pairs.map(({ champion, challenger }) => ({ champion: challenger, challenger: champion }));
  const cases: Case[] = [
    { name: "equal", pairs: retrains, to: 0, isEqual: true },
    { name: "equal, with an alarm", pairs: retrains, to: 0, isEqual: true, hasAlarm: true },
    { name: "trained again on other customers, as they are", pairs: retrains },
    { name: "worse by 1 % of profit", pairs: retrains, to: -0.01, isEqual: true },
    { name: "a quarter of the customers, as they are", pairs: reversed(against(small)) },
    { name: "four times the customers, as they are", pairs: against(small) },
    { name: "twice the customers, as they are", pairs: against(half) },
    { name: "better by 0.8 % of profit", pairs: against(half), to: 0.008 },
    { name: `${KEY_COLUMN} is new to the model, as they are`, pairs: against(blind) },
    { name: "better by 2 % of profit", pairs: against(small), to: 0.02 },
  ];
  const counted = new Map(cases.map((one) => [one.name, SIZES.map((size) => count(one, pool, size))]));
  report(cases, pool, counted, peers);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

interface Pool {
  readonly path: string;
  readonly truth: Float64Array;
}

function generate(name: string, seed: number, rows: number): string {
  const out = join(folder, `${name}.parquet`);
  churn(folder, "generate", "--with-truth", "--seed", String(seed), "--rows", String(rows), "--out", out);
  return out;
}

async function readTruth(path: string): Promise<Pool> {
  const truth: number[] = [];
  for await (const table of tablesOf(path, Model.load(fileURLToPath(new URL("../models/best_model", import.meta.url)))))
    truth.push(...(table.truth as Float64Array));
  return { path, truth: Float64Array.from(truth) };
}

async function* tablesOf(path: string, { manifest }: Model) {
  const reader = await openCustomers(findData(path), manifest.dataset, { labelled: true });
  yield* reader.tables();
  reader.close();
}

function withoutColumn(name: string): string {
  const specification = JSON.parse(readFileSync(DATASET, "utf8"));
  delete specification.columns[name];
  const features = Object.entries(specification.features as Record<string, string>);
  specification.features = Object.fromEntries(features.filter(([, expression]) => !expression.includes(name)));
  const path = join(folder, "without.json");
  writeFileSync(path, JSON.stringify(specification));
  return path;
}

function train(dataset: string) {
  return async (pool: Pool, seed: number, rows: number): Promise<Judged> => {
    const [out, report] = [join(folder, `model-${seed}`), join(folder, "report.html")];
    const data = generate("training", seed, rows);
    churn(
      folder,
      "train",
      "--dataset",
      dataset,
      "--data",
      data,
      "--out",
      out,
      "--seed",
      String(seed),
      "--report",
      report,
    );
    const model = Model.load(out);
    const scores = new Float64Array(pool.truth.length);
    let start = 0;
    for await (const table of tablesOf(pool.path, model)) {
      scores.set(model.predictTable(table), start);
      start += table.rows;
    }
    process.stderr.write(`model of seed ${seed}\n`);
    return judge(scores, model, pool);
  };
}

function judge(scores: Float64Array, { manifest: { dataset, threshold } }: Model, { truth }: Pool): Judged {
  const economics = dataset.economics as Economics;
  const [worth, uncertain] = [contactValues(economics), new AcceptanceProfit(economics)];
  const both = (gain: (score: number, label: number) => number): [Float64Array, Float64Array] => [
    scores.map((score) => gain(score, 0)),
    scores.map((score) => gain(score, 1)),
  ];
  const worths = {
    acceptanceProfit: both((score, label) => uncertain.of(score, label)),
    profit: both((score, label) => (score < threshold.value ? 0 : label === 1 ? worth.churner : worth.stayer)),
    logLossGain: both((score, label) => -logLossOf(score, label)),
  };
  return { worths, profit: expectation(worths.profit, truth) };
}

function expectation([stays, leaves]: readonly [Float64Array, Float64Array], truth: Float64Array): number {
  return truth.reduce((sum, p, row) => sum + p * leaves[row] + (1 - p) * stays[row], 0) / truth.length;
}

function trueDifference({ champion, challenger }: Pair, measure: Measure, { truth }: Pool): number {
  return expectation(challenger.worths[measure], truth) - expectation(champion.worths[measure], truth);
}

function count({ name, pairs, to, isEqual = false, hasAlarm = false }: Case, pool: Pool, size: number): Counted {
  const counted = { promoted: 0, wrongly: 0, plain: 0 };
  const moves = pairs.map((pair) => movesOf(pair, pool, to, isEqual));
  const random = new Random(size, name.length);
  for (let comparison = 0; comparison < comparisons; comparison++) {
    const at = comparison % pairs.length;
    const [pair, { by, truly }] = [pairs[at], moves[at]];
    const { measures, championProfit } = draw(pair, pool, size, by, random);
    const { outcome } = decide(measures, { championProfit, hasAlarm });
    counted.promoted += +(outcome === "promote");
    counted.wrongly += +(outcome === "promote" && truly <= 0);
    counted.plain += +(measures.profit.mean > 0);
  }
  return counted;
}

/** What is added to each measure's difference, and what the acceptance profit then truly is. */
function movesOf(pair: Pair, pool: Pool, to: number | undefined, isEqual: boolean) {
  const difference = trueDifference(pair, "acceptanceProfit", pool);
  if (to === undefined) return { by: { acceptanceProfit: 0, profit: 0, logLossGain: 0 }, truly: difference };
  const wished = to * pair.champion.profit;
  const by = {
    acceptanceProfit: wished - difference,
    profit: isEqual ? wished - trueDifference(pair, "profit", pool) : 0,
    logLossGain: isEqual ? -trueDifference(pair, "logLossGain", pool) : 0,
  };
  return { by, truly: wished };
}

function draw(
  { champion, challenger }: Pair,
  { truth }: Pool,
  size: number,
  by: Record<Measure, number>,
  random: Random,
) {
  const rows = new Uint32Array(size).map(() => random.integer(truth.length));
  const labels = Uint8Array.from(rows, (row) => +(random.uniform() < truth[row]));
  const differences = (measure: Measure) => {
    const [own, other] = [challenger.worths[measure], champion.worths[measure]];
    const gains = new Float64Array(size);
    for (let i = 0; i < size; i++) gains[i] = own[labels[i]][rows[i]] - other[labels[i]][rows[i]];
    const found = pairedDifference(gains, LEVEL);
    const move = by[measure];
    return { ...found, mean: found.mean + move, lower: found.lower + move, upper: found.upper + move };
  };
  const measures = {
    acceptanceProfit: differences("acceptanceProfit"),
    profit: differences("profit"),
    logLossGain: differences("logLossGain"),
  };
  const { profit } = champion.worths;
  const championProfit = rows.reduce((sum, row, i) => sum + profit[labels[i]][row], 0) / size;
  return { measures, championProfit };
}

function report(
  cases: readonly Case[],
  pool: Pool,
  counted: ReadonlyMap<string, readonly Counted[]>,
  peers: readonly Judged[],
): void {
  const percent = (part: number): string => `${((100 * part) / comparisons).toFixed(1)} %`;
  const rows = cases.flatMap(({ name, pairs, to }) => {
    const shares = pairs.map((pair) => to ?? trueDifference(pair, "acceptanceProfit", pool) / pair.champion.profit);
    const truly = `${(100 * Math.min(...shares)).toFixed(2)} to ${(100 * Math.max(...shares)).toFixed(2)} %`;
    const found = counted.get(name) as readonly Counted[];
    return [
      [name, to === undefined ? truly : `${100 * to} %`, "the gate", ...found.map(({ promoted }) => percent(promoted))],
      ...(found.some(({ wrongly }) => wrongly > 0) && name.includes("again")
        ? [["", "", "the gate, truly not better", ...found.map(({ wrongly }) => percent(wrongly))]]
        : []),
      ["", "", "profit is higher", ...found.map(({ plain }) => percent(plain))],
    ];
  });
  const of = (name: string, size: number): Counted => (counted.get(name) as readonly Counted[])[SIZES.indexOf(size)];
  const share = (name: string, size: number): number => of(name, size).promoted / comparisons;
  const checks: Check[] = [
    ...SIZES.map((size) => {
      const { high } = clopperPearson(of("equal", size).promoted, comparisons, 0.025);
      return atMost(`equal, ${size}: promoted, upper bound`, high, 0.06, 3);
    }),
    ...SIZES.map((size) => {
      const { wrongly } = of("trained again on other customers, as they are", size);
      return atMost(`trained again, ${size}: promoted and truly not better`, wrongly / comparisons, 0.025, 3);
    }),
    ...SIZES.map((size) => atMost(`worse by 1 %, ${size}: promoted`, share("worse by 1 % of profit", size), 0.01, 3)),
    atLeast("better by 0.8 %, 20000: promoted", share("better by 0.8 % of profit", 20_000), 0.7, 3),
    atLeast("better by 0.8 %, 40000: promoted", share("better by 0.8 % of profit", 40_000), 0.85, 3),
    atLeast("better by 2 %, 5000: promoted", share("better by 2 % of profit", 5_000), 0.7, 3),
  ];
  const profits = peers.map(({ profit }) => profit);
  const body = [
    "`npm run bench:gate`",
    describeMachine({}),
    [
      `${comparisons} comparisons of each kind, among ${POOL_ROWS} customers with outcomes drawn from their true probabilities; models of`,
      `${TRAINING_ROWS} customers, true profit per customer ${Math.min(...profits).toFixed(2)} to ${Math.max(...profits).toFixed(2)}. Shares promoted, by customers compared.`,
    ].join("\n"),
    markdownTable([["challenger", "truly better by", "rule", ...SIZES.map(String)], ...rows]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (comparisons !== COMPARISONS) return;
  writeSection("Gate", body);
  if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
}
