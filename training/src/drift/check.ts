/**
 * One drift check: a window against a model's reference, into a verdict of two tiers.
 *
 *     measure: faults of the data, tests corrected for their number, harm ─▶ judge: level and floors ─▶ verdict
 *
 * *Shifted* is what is no chance at the level of the check: it carries the false-alarm budget. An *alarm* is a shift whose harm
 * reaches a floor. Below both a *note* says what would be worth a look (one test in twenty, by chance).
 */

import { kolmogorovSmirnovDistance } from "../statistics/divergence.ts";
import { holmAdjust } from "../statistics/holm.ts";
import { kolmogorovTwoSample } from "../statistics/kolmogorov.ts";
import { BinCounter } from "./bin-counter.ts";
import { detectableDistance } from "./budget.ts";
import { type ColumnReference, total } from "./column-reference.ts";
import { type DataFault, findFault } from "./data-quality.ts";
import { classifyDomain } from "./domain-classifier.ts";
import { DRIFT_TESTS, type DriftTestName, LEAST_ROWS } from "./drift-tests.ts";
import { type EffectSizes, effectSizes } from "./effect-sizes.ts";
import { type ColumnHarm, columnHarm, type HarmFloors } from "./harm.ts";
import { type DriftReference, type ScoreFacts, type ScoreReference, scoreFacts } from "./reference.ts";
import { type Tier, tierOf } from "./tier.ts";
import type { DriftWindow, WindowColumn } from "./window.ts";

export type Verdict = "ok" | "drift" | "dataQuality" | "notEnoughData";

export interface MeasureSettings {
  /** The model's. */
  readonly threshold: number;
  /** Whether the specification lets a column be without a value. */
  readonly isNullable: (column: string) => boolean;
  readonly seed: number;
  /** Columns that are left out, as nothing can be said of their values. */
  readonly hidden?: ReadonlySet<string>;
  /** Faults of rows that were found before. */
  readonly faults?: readonly DataFault[];
}

export interface JudgeSettings {
  /** Of the check: the probability that it finds a shift where there is none. */
  readonly level: number;
  readonly floors: HarmFloors;
}

export interface TestResult {
  readonly test: DriftTestName | "score_distribution" | "domain_classifier";
  readonly statistic: number;
  readonly pValue: number;
  /** Corrected for the number of tests of the check (Holm). */
  readonly adjustedPValue: number;
}

export interface ColumnFinding {
  readonly column: string;
  readonly tier: Tier;
  readonly tests: readonly TestResult[];
  readonly effect: EffectSizes | undefined;
  readonly harm: ColumnHarm;
}

export interface ScoreFinding {
  readonly tier: Tier;
  readonly test: TestResult | undefined;
  readonly reference: ScoreFacts;
  readonly current: ScoreFacts;
}

export interface DomainFinding {
  readonly tier: Tier;
  readonly test: TestResult | undefined;
}

export interface DriftCheck {
  readonly verdict: Verdict;
  /** What made the verdict, or what is next to it; a sentence each. */
  readonly reasons: readonly string[];
  readonly rows: number;
  readonly level: number;
  /** How many share the level. */
  readonly tests: number;
  readonly faults: readonly DataFault[];
  /** The most harmful first. */
  readonly columns: readonly ColumnFinding[];
  readonly scores: ScoreFinding;
  readonly domain: DomainFinding;
  /** A change of a column by less than this (Kolmogorov–Smirnov distance) could have gone unseen. */
  readonly detectableDistance: number;
}

/** With fewer a change at the floors may go unseen. */
export const FULL_POWER_ROWS = 2200;

const SCORES = Symbol("scores");
const DOMAIN = Symbol("domain");

/** One test of the family; without a p-value it could not be made. */
interface FamilyTest {
  readonly subject: string | typeof SCORES | typeof DOMAIN;
  readonly test: TestResult["test"];
  readonly statistic: number;
  readonly pValue: number | undefined;
  /** Its part of the level. */
  readonly weight: number;
}

/** What a window shows, before anybody says what is much. */
export interface WindowMeasurement {
  readonly rows: number;
  readonly faults: readonly DataFault[];
  readonly family: readonly (FamilyTest & { readonly adjustedPValue: number })[];
  /** Of the columns without a fault. */
  readonly columns: readonly Pick<ColumnFinding, "column" | "effect" | "harm">[];
  readonly scores: { readonly reference: ScoreReference; readonly current: ScoreFacts };
  readonly referenceRows: number;
}

export function measureWindow(
  reference: DriftReference,
  window: DriftWindow,
  settings: MeasureSettings,
): WindowMeasurement {
  const isHidden = (name: string): boolean => settings.hidden?.has(name) ?? false;
  const found = findFaults(reference, window).filter(({ column }) => !isHidden(column));
  const faults = [...(settings.faults ?? []), ...found];
  const isFaulty = (name: string): boolean => isHidden(name) || faults.some(({ column }) => column === name);
  const family = testFamily(reference, window, settings, isFaulty);
  const adjusted = holmAdjust(
    family.map(({ pValue }) => pValue ?? 1),
    family.map(({ weight }) => weight),
  );
  const columns = [...reference.columns].filter(([name]) => !isFaulty(name));
  return {
    rows: window.rows,
    faults,
    family: family.map((one, i) => ({ ...one, adjustedPValue: adjusted[i] })),
    columns: columns.map(([column, before]) => {
      const now = window.columns.get(column) as WindowColumn;
      const harm = columnHarm(before, now, reference.curves.get(column) as Float32Array);
      return { column, effect: effectSizes(before, now), harm };
    }),
    scores: { reference: reference.scores, current: scoreFacts(window.scores, settings.threshold) },
    referenceRows: referenceRows(reference),
  };
}

export function judgeWindow(measurement: WindowMeasurement, { level, floors }: JudgeSettings): DriftCheck {
  const { rows, faults, family, scores } = measurement;
  const testsOf = (subject: FamilyTest["subject"]): TestResult[] =>
    family.flatMap(({ subject: own, test, statistic, pValue, adjustedPValue }) =>
      own === subject && pValue !== undefined ? [{ test, statistic, pValue, adjustedPValue }] : [],
    );
  const columnFloor = floors.column * scores.reference.standardDeviation;
  const columns = measurement.columns
    .map((one): ColumnFinding => {
      const tests = testsOf(one.column);
      return { ...one, tier: tierOf(tests, one.harm.size >= columnFloor, level), tests };
    })
    .sort((a, b) => b.harm.size - a.harm.size);
  const [scoreTest] = testsOf(SCORES);
  const scoreHarms = findScoreHarms(scores, scoreTest?.statistic ?? 0, floors);
  const scoreTier = tierOf(testsOf(SCORES), scoreHarms.length > 0, level);
  const [domainTest] = testsOf(DOMAIN);
  // It is there for what no column shows; where one does, what the model makes of that column says what it matters.
  const isHidden = columns.every(({ tier }) => tier !== "shifted" && tier !== "alarm");
  const domainTier = tierOf(testsOf(DOMAIN), isHidden && domainTest?.statistic >= floors.domain, level);
  const alarms = [
    ...columns.filter(({ tier }) => tier === "alarm").map(columnSentence),
    ...(scoreTier === "alarm" ? scoreHarms : []),
    ...(domainTier === "alarm" ? [domainSentence(domainTest)] : []),
  ];
  const verdict = decide(rows, faults, alarms);
  const { reference, current } = scores;
  return {
    verdict,
    reasons: verdict === "dataQuality" ? faults.map(({ column, detail }) => `${column}: ${detail}`) : alarms,
    rows,
    level,
    tests: family.length,
    faults,
    columns,
    scores: {
      tier: scoreTier,
      test: scoreTest,
      reference: { mean: reference.mean, decisions: reference.decisions },
      current,
    },
    domain: { tier: domainTier, test: domainTest },
    detectableDistance: detectableDistance(level, totalWeight(family), measurement.referenceRows, Math.max(1, rows)),
  };
}

function decide(rows: number, faults: readonly DataFault[], alarms: readonly string[]): Verdict {
  if (faults.length > 0) return "dataQuality";
  if (rows < LEAST_ROWS) return "notEnoughData";
  return alarms.length > 0 ? "drift" : "ok";
}

function findFaults(reference: DriftReference, window: DriftWindow): DataFault[] {
  return [...reference.columns].flatMap(([name, column]) => {
    const fault = findFault(name, column, window.columns.get(name) as WindowColumn);
    return fault === undefined ? [] : [fault];
  });
}

/** How many there are follows from the reference alone: else their correction would not hold. */
function testFamily(
  reference: DriftReference,
  window: DriftWindow,
  { isNullable, seed }: MeasureSettings,
  isFaulty: (column: string) => boolean,
): FamilyTest[] {
  const columns = [...reference.columns].flatMap(([subject, column]) =>
    DRIFT_TESTS.filter(({ isFor }) => isFor(column, isNullable(subject))).map(({ name, run, weight }): FamilyTest => {
      const outcome = isFaulty(subject) ? undefined : run(column, window.columns.get(subject) as WindowColumn);
      return {
        subject,
        test: name,
        statistic: outcome?.statistic ?? Number.NaN,
        pValue: outcome?.pValue,
        weight: weight(column),
      };
    }),
  );
  const sound = [...reference.sample.columns.keys()].filter((name) => !isFaulty(name));
  const bytes = (columnsOf: ReadonlyMap<string, Uint8Array>): Uint8Array[] =>
    sound.map((name) => columnsOf.get(name) as Uint8Array);
  const domain =
    sound.length === 0 ? undefined : classifyDomain(bytes(reference.sample.columns), bytes(window.sample), seed);
  const scores = testScores(reference, window);
  return [
    ...columns,
    {
      subject: SCORES,
      test: "score_distribution",
      statistic: scores?.statistic ?? Number.NaN,
      pValue: scores?.pValue,
      weight: 1,
    },
    {
      subject: DOMAIN,
      test: "domain_classifier",
      statistic: domain?.auc ?? Number.NaN,
      pValue: domain?.pValue,
      weight: 1,
    },
  ];
}

function testScores(
  { scores: { bins } }: DriftReference,
  { scores }: DriftWindow,
): { readonly statistic: number; readonly pValue: number } | undefined {
  if (scores.length < LEAST_ROWS) return undefined;
  const counter = new BinCounter(bins.cuts);
  counter.add(scores);
  const statistic = kolmogorovSmirnovDistance({ reference: bins.counts, current: counter.counts });
  return { statistic, pValue: kolmogorovTwoSample(statistic, total(bins.counts), scores.length) };
}

/** What of the scores' change reaches a floor, as sentences. */
function findScoreHarms(
  { reference, current }: WindowMeasurement["scores"],
  distance: number,
  floors: HarmFloors,
): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const harms: string[] = [];
  if (Math.abs(current.decisions - reference.decisions) >= floors.decisions) {
    const [now, before] = [percent(current.decisions), percent(reference.decisions)];
    harms.push(`${now} of customers are above the threshold, ${before} were`);
  }
  if (Math.abs(current.mean - reference.mean) >= floors.meanScore * reference.standardDeviation) {
    harms.push(`the mean probability is ${current.mean.toFixed(3)}, it was ${reference.mean.toFixed(3)}`);
  }
  if (distance >= floors.distribution) {
    harms.push(`probabilities are distributed otherwise (distance ${distance.toFixed(3)})`);
  }
  return harms;
}

function columnSentence({ column, harm }: ColumnFinding): string {
  return `${column} has shifted, which moves a customer's probability by ${harm.size.toFixed(3)} on average`;
}

function domainSentence({ statistic }: TestResult): string {
  return `columns no longer go together as they did: a model tells the customers apart (AUC ${statistic.toFixed(2)})`;
}

/** How many whole tests share the level. */
const totalWeight = (family: readonly FamilyTest[]): number => family.reduce((sum, { weight }) => sum + weight, 0);

function referenceRows({ columns }: DriftReference): number {
  return Math.max(...[...columns.values()].map(({ counts, missing }: ColumnReference) => total(counts) + missing));
}
