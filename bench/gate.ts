/**
 * How often the gate promotes a challenger that is equal, worse or better, where the truth is known.
 *
 *     npm run bench:gate [-- --comparisons 2000]
 *
 * Models are trained on generated customers; two of them are compared on others, whose outcomes are drawn anew from their true
 * probabilities for each comparison. A pair's difference is moved by a constant so that in truth it is what a row says, from
 * pairs that are near it by nature: how far two models' decisions differ, and with it how many customers a gain needs, belongs to
 * the gain. Rows "as they are" are not moved.
 *
 * On the same customers what others do: promote when the profit is higher, and the seed's rule, which promotes when F1 on all
 * rows is not lower. These are the customers of the comparison and four times as many training rows of the challenger, with the
 * outcomes that it has seen; the champion has not. Both decide at their threshold, which lies near the rate of churn, as 0.5 does
 * for the seed's balanced classes. With other than 2000 comparisons nothing is written.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { customersFactor } from "../training/src/gate/rule.ts";
import { Random } from "../training/src/random.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { clopperPearson } from "../training/src/statistics/binomial.ts";
import { readCount } from "./command.ts";
import { type Case, type Contest, type Counted, contestOf, count, f1Of, LEVEL, type Pair } from "./gate-comparisons.ts";
import { type Judged, makePool, type Pool, trainModel } from "./gate-models.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const COMPARISONS = 2000;
const POOL_ROWS = 400_000;
/** As many as `churn generate` makes. */
const WHOLE = 200_000;
/** Champions that by nature are worse than those of the whole by about 0.8, 1 and 2 % of profit. */
const TWO_FIFTHS = 80_000;
const THIRD = 67_000;
const EIGHTH = 25_000;
/** Without it a model is worse by about 2 % of profit. */
const KEY_COLUMN = "usage_trend_percent";
const MODELS = 8;
const SIZES = [1_000, 5_000, 20_000, 40_000];

const comparisons = readCount("comparisons", COMPARISONS);

/** Pairs of one nature. */
interface Family {
  readonly name: string;
  readonly pairs: readonly Pair[];
  readonly cases: readonly Case[];
}

/** How a family's pairs truly differ, as shares of the champion's profit. */
interface Nature {
  readonly family: string;
  /** Where they are moved to. */
  readonly to: number;
  readonly differences: readonly number[];
  readonly deviations: readonly number[];
  /** Of champion and challenger, on the challenger's training rows. */
  readonly f1: readonly [champion: number, challenger: number];
}

/** Of a case by size. */
type Found = ReadonlyMap<number, Counted>;

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const pool = await makePool(folder, POOL_ROWS);
  const natures: Nature[] = [];
  const found = new Map<Case, Found>();
  for (const [place, family] of (await trainFamilies(pool)).entries()) {
    process.stderr.write(`${family.name}\n`);
    const contests: Contest[] = [];
    for (const pair of family.pairs) contests.push(await contestOf(pair, pool));
    natures.push(natureOf(family, contests));
    const bySize = SIZES.map((size) => {
      const random = new Random(size, place);
      return count(family.cases, contests, pool, { comparisons, size, random });
    });
    for (const [i, one] of family.cases.entries()) {
      found.set(one, new Map(SIZES.map((size, s) => [size, bySize[s][i]])));
    }
  }
  report(natures, found);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function trainFamilies(pool: Pool): Promise<Family[]> {
  const train = async (rows: number, firstSeed: number, without?: string): Promise<Judged[]> => {
    const models: Judged[] = [];
    for (let i = 0; i < MODELS; i++) {
      models.push(await trainModel(folder, pool, { seed: firstSeed + i, rows, ...(without && { without }) }));
    }
    return models;
  };
  const whole = await train(WHOLE, 1);
  const [most, third, few] = [await train(TWO_FIFTHS, 101), await train(THIRD, 201), await train(EIGHTH, 301)];
  const lacking = await train(WHOLE, 401, KEY_COLUMN);
  const retrains = whole.map((champion, i): Pair => ({ champion, challenger: whole[i ^ 1] }));
  const between = (champions: readonly Judged[], challengers: readonly Judged[]): Pair[] =>
    champions.map((champion, i) => ({ champion, challenger: challengers[i] }));
  return [
    {
      name: "trained again on as many other customers",
      pairs: retrains,
      cases: [
        { name: "equal", to: 0, isEqual: true },
        { name: "equal, with an alarm", to: 0, isEqual: true, hasAlarm: true },
        { name: "trained again on as many other customers, as they are" },
      ],
    },
    {
      name: "a third of the customers",
      pairs: between(whole, third),
      cases: [
        { name: "worse by 1 %", to: -0.01 },
        { name: "worse by 1 %, with an alarm", to: -0.01, hasAlarm: true },
        { name: "a third of the customers, as they are" },
      ],
    },
    {
      name: "2.5 times the customers",
      pairs: between(most, whole),
      cases: [{ name: "better by 0.8 %", to: 0.008 }, { name: "2.5 times the customers, as they are" }],
    },
    {
      name: `2.7 times the customers, of ${EIGHTH}`,
      pairs: between(few, third),
      cases: [{ name: "better by 0.8 %, smaller models", to: 0.008 }],
    },
    {
      name: "eight times the customers",
      pairs: between(few, whole),
      cases: [{ name: "better by 2 %", to: 0.02 }, { name: "eight times the customers, as they are" }],
    },
    {
      name: `${KEY_COLUMN} is new to the model`,
      pairs: between(lacking, whole),
      cases: [
        { name: "better by 2 %, by a new column", to: 0.02 },
        { name: `${KEY_COLUMN} is new to the model, as they are` },
      ],
    },
  ];
}

function natureOf({ name, cases }: Family, contests: readonly Contest[]): Nature {
  return {
    family: name,
    to: cases.find(({ to }) => to !== undefined)?.to ?? 0,
    differences: contests.map(({ champion, means }) => means.acceptanceProfit / champion.profit),
    deviations: contests.map(({ champion, standardDeviation }) => standardDeviation / champion.profit),
    f1: [
      mean(contests.map(({ onTrainingRows }) => f1Of(onTrainingRows.champion))),
      mean(contests.map(({ onTrainingRows }) => f1Of(onTrainingRows.challenger))),
    ],
  };
}

function report(natures: readonly Nature[], found: ReadonlyMap<Case, Found>): void {
  const checks = checksOf(new Map([...found].map(([{ name }, counted]) => [name, counted])));
  const body = [
    "`npm run bench:gate`",
    describeMachine({}),
    [
      `Two models compared on customers on whom neither was trained: each time others, of ${POOL_ROWS}, with outcomes drawn from`,
      `their true probabilities. ${MODELS} pairs of each kind; a model has ${WHOLE} customers, a fifth of them held out, where no other`,
      "number stands. Differences in profit averaged over the acceptance rate, as shares of the champion's profit at its",
      `threshold; customers with which the gain that they are moved to is found four times in five, at the level of ${LEVEL}.`,
    ].join("\n"),
    markdownTable([
      [
        "challenger",
        "truly better by",
        "mean",
        "moved to",
        "standard deviation per customer",
        "customers",
        "F1 on its training rows: champion's, its own",
      ],
      ...natures.map(natureRow),
    ]),
    [
      `Promoted, of ${comparisons} comparisons each, by customers compared. Equal models are moved in profit and log-loss, others in profit`,
      "alone; as they are, they are those above. The gate: its rule, and its veto for groups. The seed's rule: F1 on these",
      "customers and four times as many of the challenger's own training rows, each model at its threshold; nothing is moved",
      "in it, and each of two equal models is the challenger once. How many customers a gain needs follows from how far the",
      "models' decisions differ: for smaller models and a new column no bound is promised.",
    ].join("\n"),
    markdownTable([["challenger", "rule", ...SIZES.map(String)], ...[...found].flatMap(caseRows)]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
  if (comparisons === COMPARISONS) writeSection("Gate", body);
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

function natureRow({ family, to, differences, deviations, f1 }: Nature): string[] {
  const span = (values: readonly number[], digits: number): string =>
    `${(100 * Math.min(...values)).toFixed(digits)} to ${percent(Math.max(...values), digits)}`;
  const variance = mean(deviations.map((one) => one ** 2));
  const needed = to > 0 ? String(Math.round((customersFactor(LEVEL) * variance) / to ** 2 / 100) * 100) : "–";
  return [
    family,
    span(differences, 2),
    percent(mean(differences), 2),
    percent(to, 1),
    span(deviations, 0),
    needed,
    f1.map((one) => one.toFixed(3)).join(", "),
  ];
}

function caseRows([{ name, to, hasAlarm = false }, found]: readonly [Case, Found]): string[][] {
  const row = (rule: string, key: keyof Counted): string[] => [
    "",
    rule,
    ...SIZES.map((size) => percent(of(found, size)[key] / comparisons, 1)),
  ];
  const isVetoed = [...found.values()].some(({ gate, rule }) => gate < rule);
  const [gate, ...others] = [
    row("the gate", "gate"),
    ...(isVetoed ? [row("its rule, without the veto", "rule")] : []),
    ...(to === undefined && name.includes("again") ? [row("its rule, and truly not better", "wrongly")] : []),
    // others know no alarm
    ...(hasAlarm ? [] : [row("profit is higher", "higherProfit"), row("the seed's rule", "seed")]),
  ];
  return [[name, ...gate.slice(1)], ...others];
}

function of(found: Found, size: number): Counted {
  return found.get(size) as Counted;
}

/** What may not be promoted is counted before the veto for groups, what should be after it. */
function checksOf(found: ReadonlyMap<string, Found>): Check[] {
  const by = (name: string, size: number): Counted => of(found.get(name) as Found, size);
  const foundBy = (name: string, size: number, bound: number): Check =>
    atLeast(`${name}, ${size}: promoted`, by(name, size).gate / comparisons, bound, 3);
  const again = "trained again on as many other customers, as they are";
  return [
    ...["equal", "equal, with an alarm"].flatMap((name) =>
      SIZES.map((size) => {
        const { high } = clopperPearson(by(name, size).rule, comparisons, 0.025);
        return atMost(`${name}, ${size}: promoted, upper bound`, high, 0.06, 3);
      }),
    ),
    ...SIZES.map((size) =>
      atMost(`trained again, ${size}: promoted and truly not better`, by(again, size).wrongly / comparisons, 0.025, 3),
    ),
    ...["worse by 1 %", "worse by 1 %, with an alarm"].flatMap((name) =>
      SIZES.map((size) => atMost(`${name}, ${size}: promoted`, by(name, size).rule / comparisons, 0.01, 3)),
    ),
    foundBy("better by 0.8 %", 20_000, 0.7),
    foundBy("better by 0.8 %", 40_000, 0.85),
    foundBy("better by 2 %", 5_000, 0.7),
  ];
}
