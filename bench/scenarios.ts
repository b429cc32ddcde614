/**
 * What each scenario does to the inputs and to a model, month by month; writes docs/scenarios.md.
 *
 *     npm run bench:scenarios
 *     node bench/scenarios.ts 1 6      only these months, printed and not written
 *
 * A model is trained on month 0. Month after month other people are generated, scored by that model and by one that
 * was trained on that month (on other people again), and Python says how far inputs and figures have moved. Exit
 * code 1 when a claim fails.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SCENARIOS, type ScenarioName } from "../training/src/customers/scenarios.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { churn } from "./command.ts";
import { PythonScript } from "./python.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine } from "./results.ts";

const PAGE = new URL("../docs/scenarios.md", import.meta.url);
const ROWS = 100_000;
/** Three populations: to train on, to compare with, to judge on. */
const SEED = { training: 1, reference: 2, judging: 3 };
const FROM = 1;
const ALL_MONTHS = [1, 2, 3, 6, 7, 12];

interface Shift {
  readonly ks: number | null;
  readonly psi: number;
}

interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

type Figure = "auc" | "logLoss" | "profit";

interface Answer {
  readonly columns: Readonly<Record<string, Shift>>;
  readonly scores: Shift & { readonly mean: number; readonly decisions: number };
  readonly churn: number;
  readonly bestAuc: number;
  readonly old: Readonly<Record<Figure, number>>;
  readonly new: Readonly<Record<Figure, number>>;
  readonly gain: Readonly<Record<Figure, Interval>>;
  readonly versions: Readonly<Record<string, string>>;
}

type Months = ReadonlyMap<number, Answer>;

// --- one month of one scenario ----------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "churn-scenarios-"));
const python = new PythonScript(new URL("scenarios.py", import.meta.url));

function generate(scenario: ScenarioName, month: number, seed: number): string {
  const out = join(folder, `${scenario}-${month}-${seed}.parquet`);
  const when = ["--month", String(month), "--scenario", scenario, "--from", String(FROM)];
  churn(folder, "generate", "--rows", String(ROWS), "--seed", String(seed), ...when, "--with-truth", "--out", out);
  return out;
}

function train(data: string, name: string): string {
  const out = join(folder, name);
  churn(folder, "train", "--data", data, "--out", out);
  return out;
}

function score(model: string, data: string): string {
  const out = `${data}-${model.split("/").at(-1)}.parquet`;
  churn(folder, "predict", "--model", model, "--data", data, "--out", out);
  return out;
}

async function compare(
  scenario: ScenarioName,
  month: number,
  before: { readonly reference: string; readonly model: string },
): Promise<Answer> {
  const current = generate(scenario, month, SEED.judging);
  const model = train(generate(scenario, month, SEED.training), "new");
  return python.ask<Answer>({
    reference: before.reference,
    referenceScores: score(before.model, before.reference),
    current,
    old: score(before.model, current),
    new: score(model, current),
  });
}

// --- what must hold ---------------------------------------------------------------------------------------

/** A scenario after which a model of before is worse than a new one. */
const WORSE: readonly ScenarioName[] = ["price-increase", "service-outage", "new-segment"];
/** PSI of a change that can be seen. */
const PSI_CHANGE = 0.05;
/** Of the profit: what a better model must be better by, or nobody replaces the old one. */
const WORTHWHILE = 0.01;

function claims(results: ReadonlyMap<ScenarioName, Months>): Check[] {
  const checks: Check[] = [];
  const stable = results.get("stable") as Months;
  const worst = (answers: Months, figure: (answer: Answer, month: number) => number): number =>
    Math.max(...[...answers].map(([month, answer]) => figure(answer, month)));
  const least = (answers: Months, figure: (answer: Answer, month: number) => number): number =>
    -worst(answers, (answer, month) => -figure(answer, month));
  const share = ({ gain, old }: Answer, end: keyof Interval): number => gain.profit[end] / old.profit;

  checks.push(
    atMost(
      "stable: mean score moves by",
      worst(stable, ({ scores }) => Math.abs(scores.mean)),
      0.005,
    ),
    atMost(
      "stable: share of contacts moves by",
      worst(stable, ({ scores }) => Math.abs(scores.decisions)),
      0.01,
    ),
    atMost("stable: largest PSI of a column", worst(stable, largestPsi), 0.02),
    atMost(
      "stable: gain of a new model, share of profit (least plausible)",
      worst(stable, (a) => share(a, "low")),
      0,
    ),
  );
  for (const scenario of WORSE) {
    const answers = results.get(scenario) as Months;
    checks.push(
      atLeast(`${scenario}: largest PSI of a column`, least(answers, largestPsi), PSI_CHANGE),
      atLeast(
        `${scenario}: AUC gained by a new model (low end)`,
        least(answers, ({ gain }) => gain.auc.low),
        0.001,
      ),
      atLeast(
        `${scenario}: log-loss gained (low end)`,
        least(answers, ({ gain }) => gain.logLoss.low),
        0.005,
      ),
      atLeast(
        `${scenario}: share of profit gained (low end)`,
        least(answers, (a) => share(a, "low")),
        WORTHWHILE,
      ),
    );
  }
  const mix = results.get("marketing-mix") as Months;
  const offer = results.get("competitor-offer") as Months;
  const bug = results.get("unit-bug") as Months;
  const beside = (column: string, { columns }: Answer): number =>
    Math.max(...Object.entries(columns).map(([name, { psi }]) => (name === column ? 0 : psi)));
  const usage = ({ columns }: Answer): number => columns.avg_usage_hours.ks ?? 0;
  checks.push(
    atLeast("marketing-mix: largest PSI of a column", least(mix, largestPsi), PSI_CHANGE),
    atMost(
      "marketing-mix: share of profit gained (estimate)",
      worst(mix, (a) => share(a, "value")),
      WORTHWHILE,
    ),
    atMost("competitor-offer: largest PSI of a column", worst(offer, largestPsi), 0.02),
    atLeast(
      "competitor-offer: AUC gained by a new model (low end)",
      least(offer, ({ gain }) => gain.auc.low),
      0.001,
    ),
    atLeast(
      "competitor-offer: log-loss gained (low end)",
      least(offer, ({ gain }) => gain.logLoss.low),
      0.005,
    ),
    atLeast("unit-bug: KS of hours of use", least(bug, usage), 0.25),
    atMost(
      "unit-bug: largest PSI of any other column",
      worst(bug, (answer) => beside("avg_usage_hours", answer)),
      0.02,
    ),
  );
  return checks;
}

function largestPsi({ columns }: Answer): number {
  return Math.max(...Object.values(columns).map(({ psi }) => psi));
}

// --- the page ---------------------------------------------------------------------------------------------

function page(results: ReadonlyMap<ScenarioName, Months>, checks: readonly Check[]): string {
  const [first] = [...(results.get("stable") as Months).values()];
  const parts = [
    "# Scenarios: what can happen to the world",
    [
      "`churn generate --scenario NAME --from MONTH` lets something happen to the world of",
      "[customers](customers.md), from that month on. This page is written by `npm run bench:scenarios`, which measures what it",
      `does: a model is trained on ${ROWS} customers of month 0, the scenario begins in month ${FROM}, and month after month ${ROWS} other`,
      "customers judge that model (*old*) and one trained on that month (*new*). KS is the two-sample Kolmogorov–Smirnov",
      "statistic, PSI the population stability index over ten bins and the missing values, both against month 0; profit is per",
      "customer; brackets hold 95 % intervals (DeLong for AUC, paired differences per customer for the others).",
    ].join("\n"),
    describeMachine(first.versions),
    ...[...results].map(([scenario, answers]) => section(scenario, answers)),
    `## What holds in all months\n\n${checkTable(checks)}`,
  ];
  return `${parts.join("\n\n")}\n`;
}

function section(scenario: ScenarioName, answers: Months): string {
  return [
    `## ${scenario}`,
    `${SCENARIOS[scenario].description.replace(/^./, (letter) => letter.toUpperCase())}.`,
    figuresTable(answers),
    shiftTable(answers),
  ].join("\n\n");
}

function figuresTable(answers: Months): string {
  const gained = ({ value, low, high }: Interval, digits: number): string =>
    `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
  const rows = [...answers].map(([month, answer]) => [
    String(month),
    percent(answer.churn),
    answer.scores.mean.toFixed(4),
    (100 * answer.scores.decisions).toFixed(1),
    answer.bestAuc.toFixed(4),
    `${answer.old.auc.toFixed(4)} → ${answer.new.auc.toFixed(4)}`,
    gained(answer.gain.auc, 4),
    `${answer.old.logLoss.toFixed(4)} → ${answer.new.logLoss.toFixed(4)}`,
    gained(answer.gain.logLoss, 4),
    `${answer.old.profit.toFixed(1)} → ${answer.new.profit.toFixed(1)}`,
    gained(answer.gain.profit, 1),
  ]);
  return markdownTable([
    [
      "month",
      "churn",
      "Δ mean score",
      "Δ contacts, points",
      "best AUC",
      "AUC, old → new",
      "gain",
      "log-loss",
      "gain",
      "profit",
      "gain",
    ],
    ...rows,
  ]);
}

/** Columns whose shift is worth a line: PSI of a hundredth in some month. */
const PSI_SHOWN = 0.01;

function shiftTable(answers: Months): string {
  const all = [...answers.values()];
  const names = Object.keys(all[0].columns).filter((name) => all.some(({ columns }) => columns[name].psi >= PSI_SHOWN));
  const cell = ({ ks, psi }: Shift): string => `${ks === null ? "–" : ks.toFixed(3)} / ${psi.toFixed(3)}`;
  const others = all.map(({ columns }) =>
    Math.max(0, ...Object.entries(columns).map(([name, { psi }]) => (names.includes(name) ? 0 : psi))),
  );
  return markdownTable([
    ["KS / PSI in month", ...[...answers.keys()].map(String)],
    ...names.map((name) => [name, ...all.map(({ columns }) => cell(columns[name]))]),
    ["scores of the old model", ...all.map(({ scores }) => cell(scores))],
    ["every other column, PSI at most", ...others.map((psi) => psi.toFixed(3))],
  ]);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

// --- all of it, when every constant above is there ----------------------------------------------------------

const chosen = process.argv.slice(2).map(Number);
const months = chosen.length > 0 ? chosen : ALL_MONTHS;
try {
  const before = {
    reference: generate("stable", 0, SEED.reference),
    model: train(generate("stable", 0, SEED.training), "old"),
  };
  const results = new Map<ScenarioName, Months>();
  for (const scenario of Object.keys(SCENARIOS) as ScenarioName[]) {
    const answers = new Map<number, Answer>();
    for (const month of months) answers.set(month, await compare(scenario, month, before));
    results.set(scenario, answers);
    process.stdout.write(`${section(scenario, answers)}\n\n`);
  }
  const checks = claims(results);
  process.stdout.write(`${checkTable(checks)}\n`);
  if (chosen.length === 0) writeFileSync(PAGE, page(results, checks));
  if (checks.some(({ holds }) => !holds)) process.exitCode = 1;
} finally {
  python.close();
  rmSync(folder, { recursive: true, force: true });
}
