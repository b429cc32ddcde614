/**
 * The report of a training: the holdout's verdict as `churn evaluate` would give it on the same file. By then the
 * model is in its place; a report that cannot be written costs a warning, never the model.
 */
import { Model, type ModelFiles } from "@churn/contract";
import type { RowSample } from "./data/row-sample.ts";
import type { DataSource } from "./data/source.ts";
import type { Sample, TrainingSet } from "./data/training-set.ts";
import { explainModel, type ModelExplanation } from "./evaluation/explanation.ts";
import type { Logger } from "./logger.ts";
import { profileFeatures } from "./profile.ts";
import { type DrawnChart, drawCharts } from "./report/charts.ts";
import type { ReportContent } from "./report/content.ts";
import { evaluationNotes } from "./report/notes.ts";
import { renderReport } from "./report/page.ts";
import { stageOutput } from "./staged-output.ts";

/** What a training has at its end. */
export interface TrainingOutcome {
  readonly model: ModelFiles;
  readonly source: DataSource;
  readonly set: TrainingSet;
  readonly holdout: Sample;
  /** P(churn) of the holdout, and the forest's scores before calibration. */
  readonly scores: Float64Array;
  readonly forestScores: Float64Array;
  /** Rows of the holdout as the file has them. */
  readonly heldOut: RowSample;
}

/** A report that has been written, and what is in it. */
export interface TrainingReport {
  readonly path: string;
  readonly html: string;
  readonly charts: readonly DrawnChart[];
  readonly explanation: ModelExplanation;
}

/** @returns null when it could not be written */
export async function reportTraining(
  path: string,
  outcome: TrainingOutcome,
  log: Logger,
): Promise<TrainingReport | null> {
  const start = performance.now();
  try {
    const output = stageOutput(path);
    try {
      const content = await contentOf(outcome);
      const charts = await drawCharts(content);
      const html = renderReport(content, charts);
      output.write(html);
      const durationMs = Math.round(performance.now() - start);
      log.info({ event: "report.written", report: path, durationMs }, "report written");
      return { path, html, charts, explanation: content.explanation };
    } catch (error) {
      output.discard();
      throw error;
    }
  } catch (error) {
    log.warn({ event: "report.failed", report: path, err: error }, "no report was written");
    return null;
  }
}

async function contentOf(outcome: TrainingOutcome): Promise<ReportContent> {
  const { model, source, set, holdout, scores, forestScores, heldOut } = outcome;
  const { manifest, features } = model;
  const { lineage, encodings } = manifest;
  const { sha256, rows, trainingRows, trainingChurners = 0 } = lineage.data;
  const { labels, truth } = holdout;
  return {
    manifest,
    data: { path: source.path, sha256, rows, labelledRows: rows },
    judged: { scores, forestScores, labels, truth },
    profile: (await profileFeatures(features, encodings, holdout.columns, scores)).features,
    evaluation: manifest,
    explanation: await explainModel(new Model(model), heldOut.rows(), lineage.seed),
    baseRate: trainingChurners / trainingRows,
    findings: set.heldFindings,
    notes: evaluationNotes({
      customers: "holdout",
      rows,
      labelledRows: rows,
      judgingRows: holdout.rows,
      trainingSideRows: 0,
      missingColumns: [],
      isTrainingData: true,
      hasKey: true,
      knowsBaseRate: true,
    }),
  };
}
