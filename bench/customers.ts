/**
 * The generated world: how learnable it is, by scikit-learn's word.
 *
 *     npm run bench:customers
 *
 * A perfect model, boosting, a forest, a linear model and rules with one threshold are compared on held-out
 * customers of two seeds. Exit code 1 when a figure that must hold fails.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markdownTable } from "../training/src/report/text.ts";
import { churn } from "./command.ts";
import { PythonScript } from "./python.ts";
import { atLeast, atMost, type Check, checkTable, describeMachine, writeSection } from "./results.ts";

const ROWS = 200_000;
const SEEDS = [42, 7];

const TRUTH = "the true probability";
const BOOSTING = "gradient boosting";
const LINEAR = "logistic regression";
const TWO_LEAVES = "a tree of two leaves";

interface Quality {
  readonly auc: number;
  readonly logLoss: number;
  readonly brier: number;
  readonly bestF1: number;
}

interface Answer {
  readonly features: number;
  readonly churn: number;
  readonly qualities: Readonly<Record<string, Quality>>;
  readonly bestRule: { readonly auc: number; readonly f1: number; readonly column: string };
  readonly everyoneF1: number;
  readonly versions: Readonly<Record<string, string>>;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const python = new PythonScript(new URL("customers.py", import.meta.url));
  const answers: Answer[] = [];
  for (const seed of SEEDS) {
    const data = join(folder, `${seed}.parquet`);
    churn(folder, "generate", "--rows", String(ROWS), "--seed", String(seed), "--with-truth", "--out", data);
    answers.push(await python.ask<Answer>({ data }));
  }
  python.close();
  if (!report(answers)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Prints and writes what came out. @returns whether everything holds */
function report(answers: readonly Answer[]): boolean {
  const checks = answers.flatMap((answer, i) => learnability(answer, SEEDS[i]));
  const body = [
    "`npm run bench:customers`",
    describeMachine(answers[0].versions),
    [
      `${ROWS} customers of each seed, a quarter of them held out, ${answers[0].features} features as they stand. The share is that of the`,
      "achievable: (AUC − 0.5) / (best AUC − 0.5). A rule contacts everyone on one side of a threshold.",
    ].join("\n"),
    ...answers.map((answer, i) => qualityTable(answer, SEEDS[i])),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("The generated world", body);
  return checks.every(({ holds }) => holds);
}

function learnability({ qualities, bestRule }: Answer, seed: number): Check[] {
  const auc = (name: string): number => qualities[name].auc;
  const simplest = Math.max(bestRule.auc, auc(TWO_LEAVES));
  return [
    atLeast(`seed ${seed}: best possible ROC AUC`, auc(TRUTH), 0.8),
    atMost(`seed ${seed}: best possible ROC AUC`, auc(TRUTH), 0.88),
    atLeast(`seed ${seed}: boosting ahead of logistic regression`, auc(BOOSTING) - auc(LINEAR), 0.02),
    atLeast(`seed ${seed}: boosting ahead of every rule of two leaves`, auc(BOOSTING) - simplest, 0.03),
  ];
}

function qualityTable({ qualities, bestRule, everyoneF1, churn: rate }: Answer, seed: number): string {
  const best = qualities[TRUTH].auc;
  const share = (auc: number): string => ((auc - 0.5) / (best - 0.5)).toFixed(3);
  return markdownTable([
    [`seed ${seed}, churn ${(100 * rate).toFixed(1)} %`, "AUC", "share", "log-loss", "Brier", "best F1"],
    ...Object.entries(qualities).map(([name, { auc, logLoss, brier, bestF1 }]) => [
      name,
      auc.toFixed(4),
      share(auc),
      ...[logLoss, brier, bestF1].map((value) => value.toFixed(4)),
    ]),
    [`best rule (${bestRule.column})`, bestRule.auc.toFixed(4), share(bestRule.auc), "", "", bestRule.f1.toFixed(4)],
    ["everyone churns", "0.5000", "0.000", "", "", everyoneF1.toFixed(4)],
  ]);
}
