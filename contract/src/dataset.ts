/**
 * The dataset specification: every column described once, as data.
 *
 * This file reads and checks it; everything that needs to know a column (file readers, the feature
 * encoder, the HTTP schema, reports) reads it from here. Its JSON Schema, `dataset.schema.json`, is
 * published next to this folder, so that editors complete and check a `dataset.json` while it is written.
 */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import datasetSchema from "../dataset.schema.json" with { type: "json" };
import { ChurnError, type Issue } from "./errors.ts";
import { fieldPointer, schemaIssues } from "./schema-issues.ts";
import { type AnyNode, parse } from "./syntax.ts";

export type ColumnType = "number" | "integer" | "category" | "boolean" | "date" | "text";

/** What one column holds. */
export interface ColumnSpecification {
  readonly type: ColumnType;
  readonly role?: "feature" | "identity" | "ignore";
  /** Inclusive bounds of a number, in `unit`. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** Known levels of a category; without them they are learned. */
  readonly values?: readonly string[];
  readonly nullable?: boolean;
  readonly unit?: string;
  readonly description?: string;
  readonly sensitive?: boolean;
}

/** What a decision is worth, in one currency. */
export interface Economics {
  readonly customerValue: number;
  readonly contactCost: number;
  readonly offerCost: number;
  /** Share of contacted churners who stay because of the offer, in (0, 1]. */
  readonly offerAcceptance: number;
}

export interface DatasetSpecification {
  readonly name: string;
  readonly description?: string;
  readonly key?: string;
  readonly time?: string;
  readonly target: {
    readonly column: string;
    readonly positive: string | number | boolean;
    readonly horizonDays?: number;
  };
  readonly columns: Readonly<Record<string, ColumnSpecification>>;
  readonly features?: Readonly<Record<string, string>>;
  readonly slices?: readonly string[];
  readonly economics?: Economics;
}

/** A generator's true probability of churn: reported against, never a feature. */
export const TRUTH_COLUMN = "churn_truth";

/** Columns of batch predictions, beside the key. */
const PREDICTION_COLUMNS: ReadonlySet<string> = new Set(["churn_probability", "churn_prediction", "expected_profit"]);

/** Names that a JavaScript object or a JSON Schema of such a field would misunderstand. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["__proto__", "$ref", "$id", "properties"]);

const FEATURE_TYPES: ReadonlySet<ColumnType> = new Set(["number", "integer", "category", "boolean"]);
const SLICE_TYPES: ReadonlySet<ColumnType> = new Set(["category", "boolean"]);

const validate = new Ajv({
  allErrors: true,
  verbose: true,
  allowUnionTypes: true,
  validateSchema: false, // a test does: each start would compile JSON Schema's own schema for it
}).compile(datasetSchema);

/** The columns that are features as they stand, in the order of the specification. */
export function featureColumnNames(dataset: DatasetSpecification): string[] {
  const special = new Set([dataset.key, dataset.time, dataset.target.column, TRUTH_COLUMN]);
  return Object.entries(dataset.columns)
    .filter(([name, column]) => (column.role ?? "feature") === "feature" && !special.has(name))
    .map(([name]) => name);
}

/**
 * Reads a `dataset.json`.
 *
 * @throws CHURN_ERR_FILE_MISSING, CHURN_ERR_DATASET_INVALID
 */
export function readDataset(path: string): DatasetSpecification {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ChurnError("CHURN_ERR_FILE_MISSING", `${path}: expected a dataset specification, but it cannot be read`, {
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ChurnError("CHURN_ERR_DATASET_INVALID", `${path}: not valid JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  const dataset = parseDataset(value, path);
  const repeated = [...repeatedFields(parse(text), "")];
  if (repeated.length > 0) {
    throw invalid(
      path,
      repeated.map((pointer) => ({ path: pointer, message: "expected this field once, got it again" })),
    );
  }
  return dataset;
}

/** JSON Pointers of the fields that an object of a JSON text has again: JSON.parse keeps the last one, silently. */
function* repeatedFields(node: AnyNode, pointer: string): Generator<string> {
  if (node.type !== "ObjectExpression") return; // no list of a specification holds objects
  const seen = new Set<unknown>();
  for (const property of node.properties) {
    if (property.type !== "Property" || property.key.type !== "Literal") continue;
    const path = fieldPointer(pointer, String(property.key.value));
    if (seen.has(path)) yield path;
    seen.add(path);
    yield* repeatedFields(property.value, path);
  }
}

/**
 * Checks a value against the JSON Schema and against itself. Feature expressions are checked where
 * they are compiled (`compileFeatures`), as this file does not know their language.
 *
 * @param source Names the value in messages: a path, or "model.json".
 * @throws CHURN_ERR_DATASET_INVALID with every fault in `issues`
 */
export function parseDataset(value: unknown, source: string): DatasetSpecification {
  if (!validate(value)) throw invalid(source, schemaIssues(validate.errors ?? []));
  const dataset = value as unknown as DatasetSpecification;
  const issues = contradictions(dataset);
  if (issues.length > 0) throw invalid(source, issues);
  return dataset;
}

/** What the JSON Schema cannot say. */
function contradictions(dataset: DatasetSpecification): Issue[] {
  const issues: Issue[] = [];
  const report = (path: string, message: string) => issues.push({ path, message });

  for (const [name, column] of Object.entries(dataset.columns)) {
    const path = fieldPointer("/columns", name);
    const isNumber = column.type === "number" || column.type === "integer";
    if (!isNumber && (column.minimum !== undefined || column.maximum !== undefined)) {
      report(path, `minimum and maximum are for numbers, but the type is "${column.type}"`);
    }
    if (column.minimum !== undefined && column.maximum !== undefined && column.minimum > column.maximum) {
      report(path, `expected minimum ≤ maximum, got ${column.minimum} > ${column.maximum}`);
    }
    if (column.values !== undefined && column.type !== "category") {
      report(path, `values are for categories, but the type is "${column.type}"`);
    }
  }
  for (const field of ["columns", "features"] as const) {
    for (const name of Object.keys(dataset[field] ?? {}).filter((other) => RESERVED_NAMES.has(other))) {
      report(`/${field}/${name}`, "expected another name: JavaScript or JSON Schema keeps this one for itself");
    }
  }
  if (dataset.key !== undefined && PREDICTION_COLUMNS.has(dataset.key)) {
    report("/key", `expected another name: predictions have a column "${dataset.key}"`);
  }
  for (const name of featureColumnNames(dataset)) {
    const { type } = dataset.columns[name];
    if (!FEATURE_TYPES.has(type)) {
      report(`/columns/${name}`, `a "${type}" column cannot be a feature: give it the role "ignore" or "identity"`);
    }
  }
  for (const name of Object.keys(dataset.features ?? {})) {
    if (Object.hasOwn(dataset.columns, name) || name === TRUTH_COLUMN)
      report(`/features/${name}`, "the name is taken by a column");
  }
  for (const [index, name] of (dataset.slices ?? []).entries()) {
    if (!featureColumnNames(dataset).includes(name) || !SLICE_TYPES.has(dataset.columns[name].type)) {
      report(`/slices/${index}`, `expected a category or boolean column that is a feature, got "${name}"`);
    }
  }
  const roles = [dataset.key, dataset.time, dataset.target.column].filter((name) => name !== undefined);
  if (new Set(roles).size < roles.length) report("/target/column", "key, time and target must be different columns");
  if (featureColumnNames(dataset).length === 0) report("/columns", "expected at least one column that is a feature");
  return issues;
}

function invalid(source: string, issues: readonly Issue[]): ChurnError {
  const lines = issues.map(({ path, message }) => `${path || "/"}: ${message}`);
  return new ChurnError("CHURN_ERR_DATASET_INVALID", `${source}: ${lines.join("; ")}`, { issues });
}
