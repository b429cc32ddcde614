/**
 * From raw columns to the numbers that the forest reads, as nodes of an ONNX graph: what the contract's FeatureEncoder
 * does to a table.
 */
import { type CategoryEncodings, type Feature, inDependencyOrder } from "@churn/contract";
import { addExpression } from "./expression.ts";
import type { Graph } from "./graph.ts";
import { DataType, float, floats, int, strings } from "./protobuf.ts";

/**
 * @param columns Graph inputs of the features that are columns, by name: doubles, or text.
 * @returns N × nFeatures float32, NaN is missing
 */
export function addFeatures(
  graph: Graph,
  features: readonly Feature[],
  encodings: CategoryEncodings,
  columns: readonly string[],
): string {
  const values = new Map(columns.map((name) => [name, name]));
  const customers = graph.add("Shape", [columns[0]]);
  for (const { name, expression } of inDependencyOrder(features)) {
    if (expression !== undefined) values.set(name, addExpression(graph, expression.tree, values));
  }
  const axis = graph.constant(BigInt64Array.of(1n));
  const encoded = features.map(({ name, kind, expression }) => {
    const value = values.get(name) as string;
    const numbers = kind === "category" ? addPositions(graph, value, encodings[name]) : addFloats(graph, value);
    // An expression may read no column, and has one value for all.
    const column = expression === undefined ? numbers : graph.add("Expand", [numbers, customers]);
    return graph.add("Unsqueeze", [column, axis]);
  });
  const matrix = graph.add("Concat", encoded, { axis: int(1) });
  const missing = graph.constant(Float32Array.of(Number.NaN), []);
  return graph.add("Where", [graph.add("IsInf", [matrix]), missing, matrix], {}, graph.newName("features"));
}

const addFloats = (graph: Graph, value: string): string => graph.add("Cast", [value], { to: int(DataType.FLOAT) });

/** Positions of texts among the levels; NaN for those that are not. */
function addPositions(graph: Graph, text: string, order: readonly string[] = []): string {
  // A table needs an entry: the empty text is missing, and so no level.
  return graph.add("LabelEncoder", [text], {
    keys_strings: strings(["", ...order]),
    values_floats: floats([Number.NaN, ...order.keys()]),
    default_float: float(Number.NaN),
  });
}
