/**
 * What a reader of an evaluation must know before its figures: who judged the model, who did not, and what was made
 * of what the data lack.
 */
import { count } from "./words.ts";

export interface EvaluationFacts {
  readonly customers: "all" | "holdout";
  readonly rows: number;
  readonly labelledRows: number;
  readonly judgingRows: number;
  readonly trainingSideRows: number;
  readonly missingColumns: readonly string[];
  readonly isTrainingData: boolean;
  /** Whether keys tell whom the model may have seen. */
  readonly hasKey: boolean;
  readonly knowsBaseRate: boolean;
}

/** One sentence each. */
export function evaluationNotes(facts: EvaluationFacts): string[] {
  const { rows, labelledRows, missingColumns, knowsBaseRate } = facts;
  const unknown = rows - labelledRows;
  return [
    judgesNote(facts),
    ...(unknown > 0 ? [`Left out, as it is not known yet whether they churn: ${people(unknown)}.`] : []),
    ...missingColumns.map((column) => `Column "${column}" is not in the data; scored as unknown.`),
    ...(knowsBaseRate ? [] : ["The model does not say its training base rate; that of these customers stands in."]),
  ];
}

function judgesNote({ customers, isTrainingData, hasKey, judgingRows, trainingSideRows }: EvaluationFacts): string {
  const judges = people(judgingRows);
  if (isTrainingData && customers === "holdout") {
    return `Judged by ${judges} that were held out of training; on the others of this file the model was trained.`;
  }
  if (isTrainingData) {
    return `Judged by all ${judges} of the file that the model was trained on, ${count(trainingSideRows)} of whom it has seen: the figures flatter.`;
  }
  if (customers === "holdout") return `Judged by ${judges} whose key was held out of training.`;
  if (!hasKey) {
    return `Judged by ${judges}. Without a key for everyone, here and in the training data, nobody can tell who of them the model has seen.`;
  }
  return (
    `Judged by ${judges}. The keys of ${count(trainingSideRows)} are on the training side of the split: where the model was ` +
    "trained on earlier rows of theirs, the figures flatter; --customers holdout leaves them out."
  );
}

const people = (customers: number): string => `${count(customers)} ${customers === 1 ? "customer" : "customers"}`;
