/**
 * The table that batch prediction writes: which columns it has, and how they follow from the probabilities.
 */
import type { Model } from "@churn/contract";
import type { TableBlock, TableColumn } from "./data/table-block.ts";
import { contactValues } from "./evaluation/economics.ts";

/** Consecutive customers. */
export interface Scores {
  /** Undefined when the data have no key. */
  readonly keys?: readonly (string | null)[] | undefined;
  /** P(churn) of each. */
  readonly probabilities: Float64Array;
}

/** The form of the scores of one model. */
export class ScoreTable {
  readonly columns: readonly TableColumn[];
  /** Expected gain of contacting a customer of this P(churn); undefined when the data set has no economics. */
  readonly profit: ((probability: number) => number) | undefined;
  readonly #model: Model;

  /** @param hasKey Whether the data have the data set's key column. */
  constructor(model: Model, hasKey: boolean) {
    const { key = "", economics } = model.manifest.dataset;
    const worth = economics && contactValues(economics);
    this.#model = model;
    this.profit = worth && ((probability) => probability * worth.churner + (1 - probability) * worth.stayer);
    this.columns = [
      ...(hasKey ? [{ name: key, type: "VARCHAR" } as const] : []),
      { name: "churn_probability", type: "DOUBLE" },
      { name: "churn_prediction", type: "INTEGER" },
      ...(worth ? [{ name: "expected_profit", type: "DOUBLE" } as const] : []),
    ];
  }

  block({ keys, probabilities }: Scores): TableBlock {
    return {
      rows: probabilities.length,
      columns: [
        ...(keys ? [keys] : []),
        probabilities,
        Int32Array.from(probabilities, (probability) => this.#model.decide(probability)),
        ...(this.profit ? [probabilities.map(this.profit)] : []),
      ],
    };
  }
}
