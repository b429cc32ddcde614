/**
 * A model that scores: the directory's parts put together. Batch prediction and the service both use this
 * class, so a customer's probability cannot depend on which of them asked.
 */
import { calibrator } from "./calibration.ts";
import type { Row } from "./expression.ts";
import { FeatureEncoder } from "./features.ts";
import type { Forest } from "./forest.ts";
import { ForestKernel } from "./kernel.ts";
import type { ModelManifest } from "./manifest.ts";
import { type ModelFiles, readModelDirectory } from "./model-directory.ts";
import type { Table } from "./table.ts";
import { TreeExplainer } from "./tree-shap.ts";

/** How one customer's score, before calibration, comes about: the contributions and `baseValue` sum to `score`. */
export interface ScoreParts {
  readonly score: number;
  readonly baseValue: number;
  /** One per feature. */
  readonly contributions: Float64Array;
  /** Each feature's value, before encoding. */
  readonly values: Row;
}

/** Not safe to share between threads: it owns scratch memory. */
export class Model {
  readonly manifest: ModelManifest;
  readonly encoder: FeatureEncoder;
  /** The model card, in Markdown; empty for a model that has not been written. */
  readonly card: string;
  readonly #kernel: ForestKernel;
  readonly #calibrate: (score: number) => number;
  readonly #features: Float32Array;
  readonly #forest: Forest;
  #explainer: TreeExplainer | undefined;

  constructor({ manifest, features, forest, card = "" }: ModelFiles) {
    this.manifest = manifest;
    this.card = card;
    this.encoder = new FeatureEncoder(features, manifest.encodings);
    this.#kernel = new ForestKernel(forest);
    this.#calibrate = calibrator(manifest.calibration);
    this.#features = new Float32Array(features.length);
    this.#forest = forest;
  }

  /** @throws CHURN_ERR_MODEL_INVALID */
  static load(directory: string): Model {
    return new Model(readModelDirectory(directory));
  }

  /** P(churn) of one customer, in [0, 1]. */
  predictRow(row: Row): number {
    this.encoder.encodeRow(row, this.#features);
    return this.#calibrate(this.#kernel.predictProba(this.#features));
  }

  /** What one customer's score, before calibration, is made of. */
  explainRow(row: Row): ScoreParts {
    const { baseValue } = this.explainer;
    const values = this.encoder.encodeRow(row, this.#features);
    const contributions = this.explainer.explain(this.#features);
    return { score: this.#kernel.predictProba(this.#features), baseValue, contributions, values };
  }

  /** P(churn) of each customer of a table. */
  predictTable(table: Table): Float64Array {
    return this.calibrate(this.scoreTable(table));
  }

  /** The forest's score of each customer of a table, in [0, 1], before calibration. */
  scoreTable(table: Table): Float64Array {
    return this.#kernel.predictColumns(this.encoder.encodeTable(table), table.rows);
  }

  /** P(churn) for the forest's scores. */
  calibrate(scores: Float64Array): Float64Array {
    return scores.map(this.#calibrate);
  }

  /** Explains the forest's scores. Laid out when first asked for: 300 trees take a fifth of a second. */
  get explainer(): TreeExplainer {
    this.#explainer ??= new TreeExplainer(this.#forest);
    return this.#explainer;
  }

  /** 1 when the probability reaches the model's threshold. */
  decide(probability: number): 0 | 1 {
    return probability >= this.manifest.threshold.value ? 1 : 0;
  }
}
