/**
 * Evaluation: a model and labelled customers into metrics, and a report for people.
 *
 *     which rows judge ─▶ read and score ─▶ metrics ─▶ importances ─▶ report
 *
 * Of the file that a model was trained on, only the held-out customers judge it, so its figures come out as the
 * model has them itself.
 */
import { ChurnError, Model, type ModelManifest } from "@churn/contract";
import { type JudgingCustomers, readJudgedSet } from "./data/judged-set.ts";
import { openCustomers } from "./data/reader.ts";
import { type DataSource, findData, hashData } from "./data/source.ts";
import { type Evaluation, evaluate } from "./evaluation/evaluate.ts";
import { explainModel, type ModelExplanation } from "./evaluation/explanation.ts";
import { importanceSample } from "./evaluation/importance.ts";
import { profileFeatures } from "./profile.ts";
import { drawCharts } from "./report/charts.ts";
import type { ReportContent } from "./report/content.ts";
import { evaluationNotes } from "./report/notes.ts";
import { renderReport } from "./report/page.ts";
import { checkReportPath } from "./report/path.ts";
import { stageOutput } from "./staged-output.ts";

export interface EvaluateOptions {
  readonly model: string;
  readonly data: string;
  /** The report, an .html file. */
  readonly out: string;
  /** Without it: the holdout of the file that the model was trained on, everyone in any other. */
  readonly customers?: JudgingCustomers | undefined;
  /** Of resamples and shuffles; the model's own without it, so that its figures come out again. */
  readonly seed?: number | undefined;
  readonly onProgress?: (phase: string) => void;
}

export interface EvaluateResult extends Evaluation, ModelExplanation {
  readonly modelVersion: string;
  readonly customers: JudgingCustomers;
  /** Rows of the data. */
  readonly rows: number;
  /** Those whose label is known. */
  readonly labelledRows: number;
  /** Those that judged the model. */
  readonly judgingRows: number;
  /** Those of them on the training side of the key split. */
  readonly trainingSideRows: number;
  /** Share of churners that the base-rate guess says. */
  readonly baseRate: number;
  readonly calibration: ModelManifest["calibration"];
  readonly threshold: ModelManifest["threshold"];
  readonly findings: Readonly<Record<string, number>>;
  readonly missingColumns: readonly string[];
  readonly extraColumns: readonly string[];
  /** What a reader of the figures must know, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * @throws CHURN_ERR_FILE_UNWRITABLE before any work, where it can be known; what reading models and data throws
 */
export async function evaluateModel(options: EvaluateOptions): Promise<EvaluateResult> {
  const { out } = options;
  const model = Model.load(options.model);
  const source = findData(options.data);
  checkReportPath(out, [...source.files, options.model]);
  const output = stageOutput(out);
  try {
    const { result, report } = await judge(model, source, options);
    options.onProgress?.("drawing the report");
    output.write(renderReport(report, await drawCharts(report)));
    return result;
  } catch (error) {
    output.discard();
    throw error;
  }
}

async function judge(
  model: Model,
  source: DataSource,
  options: EvaluateOptions,
): Promise<{ readonly result: EvaluateResult; readonly report: ReportContent }> {
  const { manifest, encoder } = model;
  const { dataset, encodings, calibration, threshold, lineage } = manifest;
  const { seed = lineage.seed, onProgress = () => {} } = options;
  onProgress("reading customers");
  const sha256 = await hashData(source);
  const isTrainingData = sha256 === lineage.data.sha256;
  const customers = options.customers ?? (isTrainingData ? "holdout" : "all");
  const sample = importanceSample(seed);
  const reader = await openCustomers(source, dataset, { labelled: "partly" });
  const report = (rows: number): void => onProgress(`scoring customers: ${rows} of ${reader.rows}`);
  const set = await readJudgedSet(reader, source.path, model, { customers, sample, onProgress: report }).finally(
    reader.close,
  );
  const hasKey = set.isKeyed && lineage.data.splitBy !== "row"; // else nobody can tell whom the model has seen
  if (customers === "holdout" && !hasKey && !isTrainingData) throw cannotSplit(source.path, set.isKeyed);

  onProgress("evaluating");
  const knownRate = trainingBaseRate(manifest);
  const baseRate = knownRate ?? set.labels.reduce((sum, label) => sum + label, 0) / set.rows;
  const evaluation = await evaluate(set, set.scores, {
    dataset,
    features: encoder.features,
    encodings,
    baseRate,
    threshold: threshold.value,
    forestScores: calibration.method === "none" ? undefined : set.forestScores,
    seed,
  });
  onProgress("explaining the model");
  const explanation = await explainModel(model, sample.rows(), seed);
  const { rows, missingColumns, extraColumns } = reader;
  const { labelledRows, trainingSideRows, findings } = set;
  const facts = { customers, rows, labelledRows, judgingRows: set.rows, trainingSideRows, missingColumns };
  const notes = evaluationNotes({ ...facts, isTrainingData, hasKey, knowsBaseRate: knownRate !== undefined });
  return {
    result: {
      modelVersion: manifest.version,
      ...facts,
      baseRate,
      calibration,
      threshold,
      ...evaluation,
      ...explanation,
      findings,
      extraColumns,
      notes,
    },
    report: {
      manifest,
      data: { path: source.path, sha256, rows, labelledRows },
      judged: set,
      profile: (await profileFeatures(encoder.features, encodings, set.columns, set.scores)).features,
      evaluation,
      explanation,
      baseRate,
      findings,
      notes,
    },
  };
}

function cannotSplit(path: string, isKeyed: boolean): ChurnError {
  const expected = isKeyed
    ? "a model whose training data had a key in every row, got one that was split by row number"
    : "a key in every row, which says who is held out, got rows without";
  return new ChurnError("CHURN_ERR_OPTION_INVALID", `${path}: expected ${expected}: use --customers all`);
}

/** Share of churners among the rows that the model was trained on, if it says so. */
function trainingBaseRate({ lineage }: ModelManifest): number | undefined {
  const { trainingRows, trainingChurners } = lineage.data;
  return trainingChurners === undefined ? undefined : trainingChurners / trainingRows;
}
