/**
 * A feature expression's tree as nodes of an ONNX graph, on doubles: a condition is 0 or 1, a missing value NaN, as in
 * the contract's operators, whose meaning each line of the table repeats.
 */
import type { ExpressionNode } from "@churn/contract";
import type { Graph } from "./graph.ts";
import { DataType, float, floats, int, strings } from "./protobuf.ts";

/** Called with as many values as the operator has parameters. */
type Translate = (graph: Graph, ...args: string[]) => string;

const plain =
  (operator: string): Translate =>
  (graph, ...args) =>
    graph.add(operator, args);

const toDouble = (graph: Graph, value: string): string => graph.add("Cast", [value], { to: int(DataType.DOUBLE) });
const where = (graph: Graph, test: string, a: string, b: string): string => graph.add("Where", [test, a, b]);
const equals = (graph: Graph, a: string, value: number): string => graph.add("Equal", [a, graph.scalar(value)]);

/** Missing when a side is; else whether the ONNX operator holds. */
const comparison =
  (operator: string, { negated = false } = {}): Translate =>
  (graph, a, b) => {
    const holds = graph.add(operator, [a, b]);
    const truth = toDouble(graph, negated ? graph.add("Not", [holds]) : holds);
    const isMissing = graph.add("Or", [graph.add("IsNaN", [a]), graph.add("IsNaN", [b])]);
    return where(graph, isMissing, graph.scalar(Number.NaN), truth);
  };

/** `decider` when a side is it; else both are the other value or missing, and so is their product. */
const connective =
  (decider: 0 | 1): Translate =>
  (graph, a, b) => {
    const isDecided = graph.add("Or", [equals(graph, a, decider), equals(graph, b, decider)]);
    return where(graph, isDecided, graph.scalar(decider), graph.add("Mul", [a, b]));
  };

/** By operator name; a prefix minus, which shares its name with the infix one, is told by its one argument. */
const TRANSLATIONS: Readonly<Record<string, Translate>> = {
  "+": plain("Add"),
  "-": (graph, ...args) => graph.add(args.length === 1 ? "Neg" : "Sub", args),
  "*": plain("Mul"),
  "/": plain("Div"),
  "<": comparison("Less"),
  "<=": comparison("LessOrEqual"),
  ">": comparison("Greater"),
  ">=": comparison("GreaterOrEqual"),
  "==": comparison("Equal"),
  "!=": comparison("Equal", { negated: true }),
  "&&": connective(0),
  "||": connective(1),
  "!": (graph, a) => graph.add("Sub", [graph.scalar(1), a]),
  "?:": (graph, test, a, b) =>
    where(graph, equals(graph, test, 1), a, where(graph, equals(graph, test, 0), b, graph.scalar(Number.NaN))),
  abs: plain("Abs"),
  sqrt: plain("Sqrt"),
  log: plain("Log"),
  exp: plain("Exp"),
  floor: plain("Floor"),
  ceil: plain("Ceil"),
  isMissing: (graph, a) => toDouble(graph, graph.add("IsNaN", [a])),
  min: plain("Min"),
  max: plain("Max"),
  coalesce: (graph, a, b) => where(graph, graph.add("IsNaN", [a]), b, a),
};

/**
 * Adds an expression to a graph.
 *
 * @param values Name → value in the graph of each column (doubles, or text that is empty where missing) and derived
 * feature (doubles) that it reads.
 * @returns its value: doubles, one per customer, or a scalar when it reads nothing
 */
export function addExpression(graph: Graph, root: ExpressionNode, values: ReadonlyMap<string, string>): string {
  const added = new Map<ExpressionNode, string>(); // a node that stands in several places is computed once
  const add = (node: ExpressionNode): string => {
    const known = added.get(node);
    if (known !== undefined) return known;
    const value = translate(node);
    added.set(node, value);
    return value;
  };
  const translate = (node: ExpressionNode): string => {
    switch (node.kind) {
      case "literal":
        return graph.scalar(node.value);
      case "column":
        return values.get(node.name) as string;
      case "level":
        return lookUp(graph, values.get(node.name) as string, { [node.level]: 1, "": Number.NaN });
      case "levelMissing":
        return lookUp(graph, values.get(node.name) as string, { "": 1 });
      case "call":
        return TRANSLATIONS[node.operator.name](graph, ...node.args.map(add));
    }
  };
  return add(root);
}

/** What a table says of texts, as doubles; 0 for those that it does not name. */
function lookUp(graph: Graph, text: string, table: Readonly<Record<string, number>>): string {
  const found = graph.add("LabelEncoder", [text], {
    keys_strings: strings(Object.keys(table)),
    values_floats: floats(Object.values(table)),
    default_float: float(0),
  });
  return toDouble(graph, found);
}
