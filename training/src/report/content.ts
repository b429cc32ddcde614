/** What a report is made of: the figures that come in, and the plots that they become. */
import type { FeatureReference, ModelManifest } from "@churn/contract";
import type { Evaluation } from "../evaluation/evaluate.ts";
import type { ModelExplanation } from "../evaluation/explanation.ts";
import type { Scored } from "../evaluation/metrics.ts";
import type { Plot } from "./vega.ts";

/** What a report tells of: a model, the customers that judged it, and what came out. */
export interface ReportContent {
  readonly manifest: ModelManifest;
  readonly data: {
    readonly path: string;
    readonly sha256: string;
    readonly rows: number;
    readonly labelledRows: number;
  };
  /** The judging rows; the forest's scores are those before calibration, `truth` is there where the data have it. */
  readonly judged: Scored & { readonly forestScores: Float64Array; readonly truth: Float64Array | undefined };
  /** What they look like, by feature. */
  readonly profile: Readonly<Record<string, FeatureReference>>;
  readonly evaluation: Evaluation;
  readonly explanation: ModelExplanation;
  /** Share of churners that the base-rate guess says. */
  readonly baseRate: number;
  /** Values outside the specification: column → how many. */
  readonly findings: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/** A plot and the words around it. */
export interface Chart {
  /** Names the figure in the page. */
  readonly id: string;
  readonly title: string;
  /** How to read it, in plain words. */
  readonly caption: string;
  readonly plot: Plot;
}
