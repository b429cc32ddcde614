/**
 * A model's signature, as MLflow keeps it: the columns it takes and those it gives, each with a type of MLflow's.
 *
 * @source mlflow/types/schema.py and mlflow/models/utils.py (3.17), which say what a DataFrame's columns may be
 */
import { type ColumnType, type DatasetSpecification, featureColumnNames } from "@churn/contract";
import { PREDICTION, PROBABILITY } from "../onnx/outputs.ts";

const TYPES: Readonly<Record<ColumnType, string>> = {
  number: "double",
  integer: "long",
  boolean: "boolean",
  category: "string",
  text: "string",
  date: "string",
};

/** Of a target that is no column of the specification, by its positive value. */
const TARGET_TYPES: Readonly<Record<string, ColumnType>> = {
  string: "category",
  number: "integer",
  boolean: "boolean",
};

interface ColumnSchema {
  readonly type: string;
  readonly name: string;
  readonly required: boolean;
}

/** The columns of a data set that a model learns from, and what they should tell. */
export function datasetSchema(dataset: DatasetSpecification): ColumnSchema[] {
  const { columns, target } = dataset;
  const { type, nullable = false } = columns[target.column] ?? { type: TARGET_TYPES[typeof target.positive] };
  return [
    ...featureColumnNames(dataset).map((name) => ({
      type: TYPES[columns[name].type],
      name,
      required: !columns[name].nullable,
    })),
    { type: TYPES[type], name: target.column, required: !nullable },
  ];
}

/**
 * The columns that a model takes. MLflow allows no missing value in a `long` and no int64 in a `double`, and pandas gives
 * a column of whole numbers the one type or the other by whether a value is missing: so what may be missing is `any`.
 */
function inputSchema(dataset: DatasetSpecification): ColumnSchema[] {
  return featureColumnNames(dataset).map((name) => {
    const { type, nullable = false } = dataset.columns[name];
    const isAny = nullable && (type === "integer" || type === "boolean");
    return { type: isAny ? "any" : TYPES[type], name, required: !nullable };
  });
}

/** `signature` of an MLmodel. */
export function signatureOf(dataset: DatasetSpecification): Readonly<Record<string, string | null>> {
  const outputs: ColumnSchema[] = [
    { type: "double", name: PROBABILITY, required: true },
    { type: "long", name: PREDICTION, required: true },
  ];
  return {
    inputs: JSON.stringify(inputSchema(dataset)),
    outputs: JSON.stringify(outputs),
    params: null,
  };
}
