/**
 * Fitting: seconds of the fit alone, and what the models are worth on customers of another seed.
 *
 * The fits take turns, so that a slow minute of the machine hits everybody; who takes over a minute takes one turn.
 */
import { join } from "node:path";
import { ForestKernel, type ForestParameters } from "../../contract/src/index.ts";
import { chooseCalibration } from "../../training/src/calibration/choice.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../../training/src/forest/parameters.ts";
import { fitForest } from "../../training/src/forest/random-forest.ts";
import { markdownTable } from "../../training/src/report/text.ts";
import { PythonScript } from "../python.ts";
import { atLeast, atMost, type Check, type Findings, median } from "../results.ts";
import { DATASET, FIT_SEED, generate, JUDGE_SEED, readFeatures, writeBytes } from "./customers.ts";

interface Quality {
  readonly auc: number;
  readonly logLoss: number;
}

interface Fit extends Quality {
  readonly seconds: number;
  /** Of ours: with the calibration that training chooses on out-of-bag scores. */
  readonly calibratedSeconds?: number;
}

/** One contestant: what it is worth, and how long its fits took. */
interface Entry extends Quality {
  readonly fits: readonly Fit[];
}

const NAMES = {
  ours: "this forest",
  oursSameWork: "this forest, scikit-learn's parameters",
  forest: "scikit-learn `RandomForestClassifier`",
  forestOurFeatures: "the same, our features",
  forestOurParameters: "the same, our features and parameters",
  lightGbm: "LightGBM, `boosting_type=rf`",
  xgBoost: "XGBoost, `XGBRFRegressor`",
  ydf: "YDF, `RandomForestLearner`",
  boosting: "scikit-learn `HistGradientBoostingClassifier`",
};
type Contestant = keyof typeof NAMES;
type Entries = Readonly<Partial<Record<Contestant, Entry>>>;

/** The forests that ours is judged against: everyone's as its documentation says, not with our parameters. */
const RIVALS = ["forest", "forestOurFeatures", "lightGbm", "xgBoost", "ydf"] as const;

interface Size {
  readonly rows: number;
  /** How many fits; who is not named has none. */
  readonly turns: Readonly<Partial<Record<Contestant, number>>>;
}

const JUDGE_ROWS = 200_000;
const ONCE = {
  forestOurParameters: 1,
  lightGbm: 1,
  boosting: 1,
  oursSameWork: 1,
  ours: 1,
  forest: 1,
  xgBoost: 1,
  ydf: 1,
};
const SIZES: readonly Size[] = [
  {
    rows: 200_000,
    turns: { ...ONCE, ours: 5, oursSameWork: 3, forest: 2, forestOurFeatures: 1, xgBoost: 2, ydf: 2, boosting: 3 },
  },
  { rows: 1_000_000, turns: { ...ONCE, ours: 3, oursSameWork: 2 } },
];
const QUICK_SIZES: readonly Size[] = [
  { rows: 10_000, turns: { ...ONCE, ours: 3, forestOurFeatures: 1 } },
  { rows: 20_000, turns: ONCE },
];

export async function measureFitting(folder: string, quick: boolean): Promise<Findings> {
  const judgeRows = quick ? QUICK_SIZES[0].rows : JUDGE_ROWS;
  const judgeFile = generate(folder, judgeRows, JUDGE_SEED);
  const python = new PythonScript(new URL("fitting.py", import.meta.url), "peers");
  const tables: string[] = [];
  const checks: Check[] = [];
  for (const size of quick ? QUICK_SIZES : SIZES) {
    const entries = await compete(folder, python, size, judgeFile);
    const truth = await python.ask<Quality>({ command: "truth" });
    tables.push(`${size.rows} customers:`, entryTable(entries, truth));
    checks.push(...requirements(size.rows, entries));
  }
  const versions = await python.ask<Record<string, string>>({ command: "versions" });
  python.close();
  return { versions, text: [...tables, explanation(judgeRows)], checks };
}

/** Everyone's fits at one size, spread over the rounds from the first on. */
async function compete(
  folder: string,
  python: PythonScript,
  { rows, turns }: Size,
  judgeFile: string,
): Promise<Entries> {
  const fitFile = generate(folder, rows, FIT_SEED);
  const { columns, labels, judgeColumns } = await readFeatures(fitFile, judgeFile);
  const { minSamplesLeaf, maxFeatures, maxSamples } = DEFAULT_FOREST_PARAMETERS;
  await python.ask({
    ...{ command: "load", dataset: DATASET, train: fitFile, judge: judgeFile },
    train_features: writeBytes(join(folder, "train.f32"), columns),
    judge_features: writeBytes(join(folder, "judge.f32"), judgeColumns),
    our_parameters: { min_samples_leaf: minSamplesLeaf, max_features: maxFeatures, max_samples: maxSamples },
  });
  const sameWork = { minSamplesLeaf: 1, maxSamples: 1, maxFeatures: Math.floor(Math.sqrt(columns.length)) };

  const fitOurs = async (parameters: ForestParameters): Promise<Fit> => {
    const start = performance.now();
    const { forest, outOfBagScores } = await fitForest(columns, labels, parameters, { seed: FIT_SEED });
    const fitted = performance.now();
    chooseCalibration({ scores: outOfBagScores, labels }, FIT_SEED);
    const calibrated = performance.now();
    const predicted = new ForestKernel(forest).predictColumns(judgeColumns, judgeColumns[0].length);
    const scores = writeBytes(join(folder, "scores.f64"), [predicted]);
    return {
      seconds: (fitted - start) / 1000,
      calibratedSeconds: (calibrated - start) / 1000,
      ...(await python.ask<Quality>({ command: "score", scores })),
    };
  };
  const fit = (who: Contestant): Promise<Fit> => {
    if (who === "ours") return fitOurs(DEFAULT_FOREST_PARAMETERS);
    if (who === "oursSameWork") return fitOurs({ ...DEFAULT_FOREST_PARAMETERS, ...sameWork });
    return python.ask<Fit>({ command: "fit", model: who });
  };
  const entries: Partial<Record<Contestant, Entry>> = {};
  for (let round = 0; round < Math.max(...Object.values(turns)); round++) {
    for (const [who, count] of Object.entries(turns) as [Contestant, number][]) {
      if (round >= count) continue;
      const result = await fit(who);
      process.stderr.write(`${rows} rows, round ${round + 1}: ${NAMES[who]}: ${result.seconds.toFixed(2)} s\n`);
      entries[who] = { ...result, fits: [...(entries[who]?.fits ?? []), result] };
    }
  }
  return entries;
}

const secondsOf = ({ fits }: Entry): number => median(fits.map(({ seconds }) => seconds));

function entryTable(entries: Entries, truth: Quality): string {
  const ours = secondsOf(entries.ours as Entry);
  const quality = ({ auc, logLoss }: Quality): string[] => {
    const share = (auc - 0.5) / (truth.auc - 0.5);
    return [auc.toFixed(4), logLoss.toFixed(4), `${(100 * share).toFixed(1)} %`];
  };
  const lines = (Object.keys(NAMES) as Contestant[]).flatMap((who) => {
    const entry = entries[who];
    if (entry === undefined) return [];
    const seconds = secondsOf(entry);
    const ratio = `${(seconds / ours).toFixed(1)} ×`;
    return [[NAMES[who], seconds.toFixed(2), String(entry.fits.length), ratio, ...quality(entry)]];
  });
  return markdownTable([
    ["", "seconds (median)", "fits", "to ours", "ROC AUC", "log-loss", "share of achievable AUC"],
    ...lines,
    ["the true probability", "", "", "", ...quality(truth)],
  ]);
}

function* requirements(rows: number, entries: Entries): Generator<Check> {
  const ours = entries.ours as Entry;
  const rivals = RIVALS.flatMap((who) => entries[who] ?? []);
  const scikitLearn = Math.min(
    ...[entries.forest, entries.forestOurFeatures].flatMap((entry) => (entry ? secondsOf(entry) : [])),
  );
  const calibrated = median(ours.fits.map(({ calibratedSeconds = 0 }) => calibratedSeconds));
  yield atLeast(`${rows} rows: times as fast as scikit-learn's forest`, scikitLearn / secondsOf(ours), 20, 1);
  yield atLeast(`${rows} rows: the same, ours with calibration`, scikitLearn / calibrated, 14, 1);
  const fastest = Math.min(...rivals.map(secondsOf));
  yield atMost(`${rows} rows: seconds, against the fastest other forest`, secondsOf(ours), fastest, 2);
  const best = {
    auc: Math.max(...rivals.map(({ auc }) => auc)),
    logLoss: Math.min(...rivals.map(({ logLoss }) => logLoss)),
  };
  yield atLeast(`${rows} rows: ROC AUC, against the best other forest less 0.001`, ours.auc, best.auc - 0.001);
  yield atMost(`${rows} rows: log-loss, against the best other forest and 0.001`, ours.logLoss, best.logLoss + 0.001);
}

const explanation = (judgeRows: number): string => {
  const { minSamplesLeaf, maxSamples, maxFeatures } = DEFAULT_FOREST_PARAMETERS;
  return [
    `Judged on ${judgeRows} other customers. Seconds are of the fit alone, on all cores. Every forest has 300 trees of depth 12`,
    "and gives unweighted leaf rates. This forest's fit includes binning and out-of-bag scores of a tenth of the rows, of",
    "20,000 at least; the peers compute none. It is shown with its default parameters and with scikit-learn's (all rows with",
    "replacement, leaves of 1, √n features per split: the same work), so that the algorithm can be told from the sampling.",
    "scikit-learn's forest has its defaults, and once ours",
    `(leaves of ${minSamplesLeaf}, ${maxSamples} of the rows, ${maxFeatures} of the features).`,
    "",
    "Input: the columns as they stand, missing values as NaN; categories as codes, which LightGBM, XGBoost, YDF and",
    "boosting are told are categories and scikit-learn's forest takes as numbers. “Our features” are what this forest gets:",
    "derived features, too, and categories in the order of their churn. Scores are judged before any calibration.",
    "",
    "- LightGBM: `bagging_freq=1, bagging_fraction=0.632` (the distinct rows of a bootstrap sample),",
    "  `feature_fraction_bynode=√n/n`, `num_leaves=4096`, so that only the depth limits. XGBoost: `XGBRFRegressor`'s defaults",
    "  (0.8 of the rows and, per split, of the features, as in its tutorial), `tree_method=hist`. Both fit squared error on 0",
    "  and 1: its splits are Gini's, its leaves are rates; their logistic objective would make one Newton step instead.",
    "- YDF: `winner_take_all=False`, `discretize_numerical_columns=True`, no out-of-bag evaluation.",
    "- Boosting has its defaults; it is no forest, is not judged against, and shows what else there is.",
  ].join("\n");
};
