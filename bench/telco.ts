/**
 * Real data through the command line: IBM's Telco customers, five fixed folds, default settings and tuned ones.
 *
 *     npm run bench:telco
 *
 * For each fold `churn train` sees the customers of the other four and `churn predict` scores the fold's, from
 * a file without the answers. scikit-learn judges the scores and puts its own models beside them. Exit code 1
 * when a figure that must hold fails.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markdownTable } from "../training/src/report/text.ts";
import { churn } from "./command.ts";
import { PythonScript } from "./python.ts";
import { atLeast, atMost, checkTable, describeMachine, writeSection } from "./results.ts";
import { DATA, DATASET, FOLDS, writeFolds } from "./telco-folds.ts";

interface Quality {
  readonly auc: number;
  readonly logLoss: number;
}

interface Answer {
  readonly qualities: Readonly<Record<string, readonly Quality[]>>;
  readonly versions: Readonly<Record<string, string>>;
}

const OURS = { ours: "`churn train`, `churn predict`", tuned: "`churn train --tune`, `churn predict`" };

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const python = new PythonScript(new URL("telco.py", import.meta.url));
  const { qualities, versions } = await python.ask<Answer>({ data: DATA, folds: FOLDS, ours: scoreFolds() });
  python.close();
  if (!report(qualities, versions)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns one file of scores per fold, by how the models were trained */
function scoreFolds(): Record<keyof typeof OURS, string[]> {
  const withoutAnswer = (line: string): string => line.slice(0, line.lastIndexOf(","));
  const folds = writeFolds(folder);
  for (const { test } of folds) {
    writeFileSync(test, readFileSync(test, "utf8").split("\n").map(withoutAnswer).join("\n"));
  }
  const score = (train: string, test: string, ...options: readonly string[]): string => {
    const [model, scores] = [`${train}.model`, `${test}${options.join("")}.scores.csv`];
    churn(folder, "train", "--dataset", DATASET, "--data", train, "--out", model, ...options);
    churn(folder, "predict", "--model", model, "--data", test, "--out", scores);
    return scores;
  };
  return {
    ours: folds.map(({ train, test }) => score(train, test)),
    tuned: folds.map(({ train, test }) => score(train, test, "--tune")),
  };
}

/** Prints and writes what came out. @returns whether everything holds */
function report(qualities: Answer["qualities"], versions: Answer["versions"]): boolean {
  const { ours, tuned, ...others } = qualities;
  const mean = (folds: readonly Quality[], key: keyof Quality): number =>
    folds.reduce((sum, quality) => sum + quality[key], 0) / folds.length;
  const rows = (key: keyof Quality): string[][] =>
    Object.entries({ [OURS.ours]: ours, [OURS.tuned]: tuned, ...others }).map(([name, folds]) => [
      name,
      ...folds.map((quality) => quality[key].toFixed(4)),
      mean(folds, key).toFixed(4),
    ]);
  const header = (metric: string): string[] => [metric, ...ours.map((_, fold) => `fold ${fold}`), "mean"];
  const checks = [
    atLeast("mean ROC AUC", mean(ours, "auc"), 0.844),
    atMost("mean log-loss", mean(ours, "logLoss"), 0.418),
    atMost("mean log-loss tuned, against the defaults'", mean(tuned, "logLoss"), mean(ours, "logLoss")),
  ];
  const body = [
    "`npm run bench:telco`",
    describeMachine(versions),
    [
      "7,043 customers, the five folds of telco-folds.csv. Ours goes through the command line, with default settings and",
      "with `--tune`, so it also keeps a fifth of its customers aside as holdout; scikit-learn's models are fitted on all of them,",
      "with medians for missing numbers and one-hot categories; both forests have `n_estimators=300, max_depth=12`.",
    ].join("\n"),
    markdownTable([header("ROC AUC"), ...rows("auc")]),
    markdownTable([header("log-loss"), ...rows("logLoss")]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Real data: Telco", body);
  return checks.every(({ holds }) => holds);
}
