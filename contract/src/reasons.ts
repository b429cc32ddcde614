/**
 * Why a customer has his score, for people: the features that move it most, each in a sentence.
 *
 * The words come from the data set's own descriptions and units. A column that is marked sensitive is never a reason, nor
 * is a derived feature that reads one, directly or through others; what they contribute is part of `otherContributions`.
 */
import type { ColumnSpecification } from "./dataset.ts";
import type { Row } from "./expression.ts";
import type { Feature } from "./features.ts";
import type { Model } from "./model.ts";

export const MOST_REASONS = 5;

export interface Reason {
  /** A column or a derived feature. */
  readonly feature: string;
  /** The customer's; null is missing. */
  readonly value: number | string | boolean | null;
  /** To the forest's score; never 0. */
  readonly contribution: number;
  readonly effect: "raises" | "lowers";
  readonly text: string;
  /** Of a derived feature. */
  readonly expression?: string;
}

/** `baseValue`, the reasons' contributions and `otherContributions` sum to `score`, the forest's, before calibration. */
export interface Explanation {
  /** At most `MOST_REASONS`, the largest contribution first, ties in the order of the features. */
  readonly reasons: readonly Reason[];
  readonly baseValue: number;
  /** Of all features that are not among the reasons. */
  readonly otherContributions: number;
  readonly score: number;
}

/** Finds the reasons of one model. */
export class ReasonFinder {
  readonly #model: Model;
  readonly #hidden: readonly boolean[]; // per feature

  constructor(model: Model) {
    this.#model = model;
    const sensitive = sensitiveNames(model);
    this.#hidden = model.encoder.features.map(({ name }) => sensitive.has(name));
  }

  /** @param row As `Model.predictRow` takes it. */
  find(row: Row): Explanation {
    const { score, baseValue, contributions, values } = this.#model.explainRow(row);
    const listed = [...contributions.keys()]
      .filter((f) => contributions[f] !== 0 && !this.#hidden[f])
      .sort((a, b) => Math.abs(contributions[b]) - Math.abs(contributions[a]))
      .slice(0, MOST_REASONS);
    const reasons = listed.map((f) => this.#reason(this.#model.encoder.features[f], values, contributions[f]));
    for (const f of listed) contributions[f] = 0;
    return { reasons, baseValue, otherContributions: contributions.reduce((sum, one) => sum + one, 0), score };
  }

  #reason(feature: Feature, values: Row, contribution: number): Reason {
    const { name, expression } = feature;
    const column = this.#model.manifest.dataset.columns[name];
    const isCondition = expression === undefined ? column.type === "boolean" : expression.type === "condition";
    const value = plainValue(values[name], isCondition);
    const effect = contribution > 0 ? "raises" : "lowers";
    const subject =
      expression === undefined ? this.#columnText(name, column, value) : derivedText(expression.source, value);
    return {
      feature: name,
      value,
      contribution,
      effect,
      text: `${subject}, which ${effect} the risk score by ${pointsText(contribution)}.`,
      ...(expression !== undefined && { expression: expression.source }),
    };
  }

  #columnText(name: string, column: ColumnSpecification, value: Reason["value"]): string {
    const isUnknown = typeof value === "string" && !this.#model.encoder.knowsLevel(name, value);
    return `${labelOf(name, column)}: ${valueText(value, column.unit)}${isUnknown ? " (new to the model)" : ""}`;
  }
}

/** Sensitive columns, and the derived features that read one. */
function sensitiveNames({ manifest: { dataset }, encoder }: Model): Set<string> {
  const found = new Set(Object.keys(dataset.columns).filter((name) => dataset.columns[name].sensitive));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const { name, expression } of encoder.features) {
      if (expression?.references.some((other) => found.has(other))) found.add(name);
    }
  }
  return found;
}

/** What is not finite is scored as missing. */
function plainValue(value: number | string | null, isCondition: boolean): Reason["value"] {
  if (typeof value !== "number") return value;
  if (!Number.isFinite(value)) return null;
  return isCondition ? value !== 0 : value;
}

/** The first clause of a column's description: what follows a full stop or a semicolon is for those who prepare the data. */
function labelOf(name: string, { description }: ColumnSpecification): string {
  return description?.split(/[.;](?:\s|$)/, 1)[0].trim() || name;
}

function derivedText(source: string, value: Reason["value"]): string {
  return typeof value === "number" ? `${source} = ${roundedText(value)}` : `${source}: ${valueText(value)}`;
}

function valueText(value: Reason["value"], unit?: string): string {
  if (value === null) return "not known";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string" || unit === undefined) return String(value);
  return Math.abs(value) === 1 ? `${value} (${unit})` : `${value} ${unit}`; // a unit tends to be a plural
}

/** Four digits, as computed values have many; a whole number keeps all of its own. */
function roundedText(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}

/** A contribution in hundredths of the score. */
function pointsText(contribution: number): string {
  const points = Math.abs(100 * contribution).toFixed(1);
  return points === "0.0" ? "less than 0.1 points" : `${points} points`;
}
