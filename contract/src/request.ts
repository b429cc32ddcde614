/**
 * A customer as a JSON object: its schema, and the way from a valid object to a `Row`.
 *
 * The schema is strict: numbers within their bounds, no text for a number, no unknown field. Only two
 * things are let through with a warning, because a model can score them: a category level it has never
 * seen, and a missing value of a nullable column.
 */
import { type ColumnSpecification, type DatasetSpecification, featureColumnNames } from "./dataset.ts";
import type { Row } from "./expression.ts";
import type { FeatureEncoder } from "./features.ts";
import { DATE, NOT_BLANK } from "./schema-issues.ts";

/** A JSON Schema as data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A value that was scored as unknown. */
export interface Warning {
  readonly field: string;
  readonly code: "unknown_level" | "missing";
  readonly detail: string;
}

/** A longer category level is a fault, not an unseen level. */
const MAX_TEXT_LENGTH = 256;

/** The JSON Schema (draft 7, as OpenAPI 3.1 takes it too) of one customer. */
export function requestSchema(dataset: DatasetSpecification): JsonSchema {
  const features = featureColumnNames(dataset);
  const properties: Record<string, JsonSchema> = {};
  if (dataset.key !== undefined) {
    properties[dataset.key] = { ...identifierSchema(dataset, dataset.key), description: "Customer key (optional)." };
  }
  if (dataset.time !== undefined) {
    properties[dataset.time] = {
      ...identifierSchema(dataset, dataset.time),
      description: "Observation time (optional).",
    };
  }
  for (const name of features) properties[name] = columnSchema(dataset.columns[name]);
  return {
    type: "object",
    additionalProperties: false,
    required: features.filter((name) => !dataset.columns[name].nullable),
    properties,
  };
}

function identifierSchema(dataset: DatasetSpecification, name: string): JsonSchema {
  const type = dataset.columns[name]?.type;
  if (type === "integer" || type === "number") return { type };
  if (type === "date") return { type: "string", maxLength: MAX_TEXT_LENGTH, pattern: DATE };
  return { type: "string", maxLength: MAX_TEXT_LENGTH };
}

function columnSchema(column: ColumnSpecification): JsonSchema {
  const type = column.type === "category" ? "string" : column.type;
  return {
    type: column.nullable ? [type, "null"] : type,
    ...(column.minimum === undefined ? {} : { minimum: column.minimum }),
    ...(column.maximum === undefined ? {} : { maximum: column.maximum }),
    ...(type === "string" ? { maxLength: MAX_TEXT_LENGTH } : {}),
    ...(type === "string" && !column.nullable ? { pattern: NOT_BLANK } : {}), // blank is missing
    description: columnDescription(column),
  };
}

/** For readers of the docs page: meaning, unit, known levels. */
function columnDescription(column: ColumnSpecification): string {
  const levels = column.values?.map((value) => JSON.stringify(value)).join(", ");
  return [
    column.description,
    column.unit === undefined ? undefined : `Unit: ${column.unit}.`,
    levels === undefined ? undefined : `Known values: ${levels}; another is scored as unknown.`,
    column.nullable ? "May be missing." : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}

/** Text as file readers see it: without spaces around (of any width), and nothing when it is blank. */
function trimmed(text: string): string | null {
  return text.replaceAll(/^\p{Zs}+|\p{Zs}+$/gu, "") || null;
}

/** Turns validated JSON objects of one data set into rows. */
export class RequestReader {
  readonly #columns: readonly { readonly name: string; readonly isCategory: boolean }[];
  readonly #encoder: FeatureEncoder;

  constructor(dataset: DatasetSpecification, encoder: FeatureEncoder) {
    this.#columns = featureColumnNames(dataset).map((name) => ({
      name,
      isCategory: dataset.columns[name].type === "category",
    }));
    this.#encoder = encoder;
  }

  /** @param customer Must satisfy `requestSchema`. */
  read(customer: Readonly<Record<string, unknown>>): { row: Row; warnings: Warning[] } {
    const row: Record<string, number | string | null> = {};
    const warnings: Warning[] = [];
    for (const { name, isCategory } of this.#columns) {
      const given = Object.hasOwn(customer, name) ? customer[name] : null;
      const value = typeof given === "string" ? trimmed(given) : given;
      if (value === null) {
        row[name] = isCategory ? null : Number.NaN;
        warnings.push({ field: name, code: "missing", detail: `${name} is missing; scored as unknown` });
      } else if (isCategory) {
        row[name] = value as string;
        if (!this.#encoder.knowsLevel(name, value as string)) {
          const detail = `${name}: the model has not seen ${JSON.stringify(value)}; scored as unknown`;
          warnings.push({ field: name, code: "unknown_level", detail });
        }
      } else {
        row[name] = Number(value);
      }
    }
    return { row, warnings };
  }
}
