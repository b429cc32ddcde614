/**
 * Calibration: whether the probabilities of models trained by the command line can be taken at their word, on customers
 * they have not seen.
 *
 * The expected calibration error of even a perfect model is not 0, as shares of churners scatter. So it stands beside
 * its noise floor: the mean and the 95 % quantile of a perfect model's, with labels drawn by the very probabilities.
 * The root mean square error is debiased instead.
 *
 * @source Kumar, Liang & Ma 2019, "Verified uncertainty calibration"; Roelofs et al. 2022 (bins of equal number)
 */
import { dirname } from "node:path";
import { HOLDOUT_SHARE } from "../../training/src/data/training-set.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../../training/src/forest/parameters.ts";
import { markdownTable } from "../../training/src/report/text.ts";
import { churn } from "../command.ts";
import { PythonScript } from "../python.ts";
import { atMost, type Check, type Findings } from "../results.ts";
import { DATASET as TELCO, writeFolds } from "../telco-folds.ts";
import { DATASET, FIT_SEED, generate, JUDGE_SEED } from "./customers.ts";

const [ROWS, QUICK_ROWS] = [200_000, 10_000];
/** scikit-learn's calibrated forests are five forests each. */
const COMPARED_ROWS = 50_000;

interface Figures {
  readonly rows: number;
  readonly logLoss: number;
  /** Root mean square calibration error, debiased; below 0 when it is less than chance alone would make it. */
  readonly rms: number;
  readonly ece: number;
  readonly floor: number;
  readonly floor95: number;
}

interface Fold {
  readonly train: string;
  readonly judge: string;
  readonly scores: string;
}

const PEERS = {
  forest: "scikit-learn's forest, not calibrated",
  sigmoid: "`CalibratedClassifierCV`, sigmoid (its default)",
  isotonic: "`CalibratedClassifierCV`, isotonic",
};

export async function measureCalibration(folder: string, quick: boolean): Promise<Findings> {
  const judge = generate(folder, quick ? QUICK_ROWS : ROWS, JUDGE_SEED);
  const customers = (rows: number): Fold => score(DATASET, generate(folder, rows, FIT_SEED), judge);
  const compared = quick ? QUICK_ROWS / 2 : COMPARED_ROWS;
  const python = new PythonScript(new URL("calibration.py", import.meta.url));
  const compare = (dataset: string, folds: readonly Fold[], peers: readonly string[]) =>
    python.ask<Record<string, Figures>>({ command: "compare", dataset, folds, peers });
  const whole = await compare(DATASET, [customers(quick ? QUICK_ROWS : ROWS)], []);
  const smaller = await compare(DATASET, [customers(compared)], Object.keys(PEERS));
  const folds = writeFolds(folder).map(({ train, test }) => score(TELCO, train, test));
  const telco = await compare(TELCO, folds, Object.keys(PEERS));
  const versions = await python.ask<Record<string, string>>({ command: "versions" });
  python.close();

  const text = [
    [
      "Models by `churn train` with default parameters, scores by `churn predict`, figures by numpy, in 15 bins of equal number by",
      "score. RMS is the debiased root mean square calibration error, in the sign of its square. ECE is the expected",
      "calibration error; its floor, what a perfect model has on as many customers: mean, and the 95 % quantile.",
    ].join("\n"),
    figureTable(`customers, learned from ${quick ? QUICK_ROWS : ROWS}`, whole),
    figureTable(`customers, learned from ${compared}`, smaller),
    figureTable("Telco, five folds", telco),
    [
      `scikit-learn's forests (\`n_estimators=${DEFAULT_FOREST_PARAMETERS.nEstimators}, max_depth=${DEFAULT_FOREST_PARAMETERS.maxDepth}\`, the columns as they stand) learn from all of these`,
      `customers, \`CalibratedClassifierCV\` from five forests with its default cross-validation; ours keeps ${100 * HOLDOUT_SHARE} % aside as holdout.`,
    ].join("\n"),
  ];
  return { versions, text, checks: [...requirements(whole.ours, smaller, telco)] };
}

/** Trains on one file and scores another. */
function score(dataset: string, train: string, judge: string): Fold {
  const [model, scores] = [`${train}.model`, `${train}.scores.csv`];
  churn(dirname(train), "train", "--dataset", dataset, "--data", train, "--out", model);
  churn(dirname(train), "predict", "--model", model, "--data", judge, "--out", scores);
  return { train, judge, scores };
}

function figureTable(what: string, figures: Readonly<Record<string, Figures>>): string {
  const names: Readonly<Record<string, string>> = { ours: "this model", ...PEERS };
  return markdownTable([
    [what, "log-loss", "RMS", "ECE", "its floor", "95 %", "judged on"],
    ...Object.entries(figures).map(([name, { rows, logLoss, rms, ece, floor, floor95 }]) => [
      names[name],
      ...[logLoss, rms, ece, floor, floor95].map((value) => value.toFixed(4)),
      String(rows),
    ]),
  ]);
}

function* requirements(
  customers: Figures,
  smaller: Readonly<Record<string, Figures>>,
  telco: Readonly<Record<string, Figures>>,
): Generator<Check> {
  yield atMost("customers: debiased RMS calibration error", customers.rms, 0.015);
  yield atMost("Telco: ECE, against its floor's 95 % and 0.01", telco.ours.ece, telco.ours.floor95 + 0.01);
  yield atMost("customers: log-loss, against CalibratedClassifierCV", smaller.ours.logLoss, smaller.sigmoid.logLoss);
  yield atMost("Telco: log-loss, against CalibratedClassifierCV", telco.ours.logLoss, telco.sigmoid.logLoss);
}
