/**
 * What answers a customer: reader, model, and the two who want to know of it, the record of predictions and the metrics.
 * Every route that predicts uses this one.
 */
import { randomUUIDv7 } from "node:crypto";
import { type Model, type Reason, ReasonFinder, RequestReader, type Row, type Warning } from "@churn/contract";
import type { Metrics } from "./metrics.ts";
import type { RecordSink } from "./store/recorder.ts";
import { type Customer, RecordMaker } from "./store/records.ts";

/** The answer, by its wire names. */
export interface Prediction {
  readonly churn_prediction: 0 | 1;
  readonly churn_probability: number;
  readonly prediction_id: string;
  readonly threshold: number;
  readonly model_version: string;
  /** Only when there are any. */
  readonly warnings?: readonly Warning[];
}

/** What `?explain=true` adds, by its wire names. */
export interface Explained {
  readonly reasons: readonly Reason[];
  readonly base_value: number;
  readonly other_contributions: number;
  readonly forest_score: number;
}

export interface PredictorParts {
  readonly model: Model;
  readonly sink: Pick<RecordSink, "record">;
  readonly metrics: Metrics;
  /** What of sensitive columns is recorded is hashed with this, when it is there. */
  readonly hashSecret: string | undefined;
}

export class Predictor {
  readonly model: Model;
  readonly reader: RequestReader;
  readonly reasonFinder: ReasonFinder;
  readonly records: RecordMaker;
  readonly #sink: Pick<RecordSink, "record">;
  readonly #metrics: Metrics;

  constructor({ model, sink, metrics, hashSecret }: PredictorParts) {
    this.model = model;
    this.reader = new RequestReader(model.manifest.dataset, model.encoder);
    this.reasonFinder = new ReasonFinder(model);
    this.records = new RecordMaker(model.manifest, hashSecret);
    this.#sink = sink;
    this.#metrics = metrics;
  }

  /** Scores a customer, counts it and records it. */
  predict(customer: Customer, isExplained = false): Prediction & Partial<Explained> {
    const { version, threshold } = this.model.manifest;
    const { row, warnings } = this.reader.read(customer);
    const score = this.model.predictRow(row);
    const decision = this.model.decide(score);
    const id = randomUUIDv7();
    const explained = isExplained ? this.#explain(row) : undefined; // before anything is counted: it may fail
    this.#metrics.observePrediction(score, decision, warnings);
    this.#sink.record(this.records.prediction(customer, { id, at: Date.now(), score, decision }));
    return {
      churn_prediction: decision,
      churn_probability: score,
      prediction_id: id,
      threshold: threshold.value,
      model_version: version,
      ...(warnings.length > 0 && { warnings }),
      ...explained,
    };
  }

  #explain(row: Row): Explained {
    const { reasons, baseValue, otherContributions, score } = this.reasonFinder.find(row);
    return { reasons, base_value: baseValue, other_contributions: otherContributions, forest_score: score };
  }
}
