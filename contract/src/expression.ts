/**
 * Feature expressions: JavaScript-like text, checked against a closed list, compiled twice from one tree.
 *
 *     parse (acorn) ─▶ check types and names ─▶ tree of operators ─▶ row function   (serving, one customer)
 *                                                                └─▶ column function (training, many)
 *
 * Both compilations call the same scalar functions (`operators.ts`), so they agree bit for bit. Text
 * columns appear only in comparisons with a literal and in `isMissing`; every other value is a double.
 */
import { ChurnError } from "./errors.ts";
import {
  BINARY_OPERATORS,
  CONDITIONAL,
  FOLDED_FUNCTIONS,
  FUNCTIONS,
  type Operator,
  UNARY_OPERATORS,
  type ValueType,
} from "./operators.ts";
import { type AnyNode, type Expression as Ast, parse, type SyntaxFault } from "./syntax.ts";
import { type CategoryColumn, MISSING_CODE, type Table } from "./table.ts";

/** One customer's values by column: a number (NaN is missing), or text (null is missing). */
export type Row = Readonly<Record<string, number | string | null>>;

/** A checked expression. Conditions evaluate to 0 or 1, missing to NaN. */
export interface Expression {
  readonly source: string;
  readonly type: "number" | "condition";
  /** Names of the columns and derived features it reads, without repeats. */
  readonly references: readonly string[];
  /** What it computes, for those who translate it into another language. */
  readonly tree: Node;
  evaluateRow(row: Row): number;
  /** One value per row of the table. */
  evaluateColumns(table: Table): Float64Array;
}

/** What an expression may refer to. */
export interface Scope {
  readonly names: readonly string[];
  /** The type of a name's values; undefined for a name that is not there. */
  typeOf(name: string): ValueType | undefined;
}

/**
 * A number; a column or derived feature of numbers; whether a category is a level, missing for a missing one; whether
 * a category is missing; an operator applied. One node may stand in several places of a tree.
 */
type Node =
  | { readonly kind: "literal"; readonly value: number; readonly type: "number" | "condition" }
  | { readonly kind: "column"; readonly name: string; readonly type: "number" | "condition" }
  | { readonly kind: "level"; readonly name: string; readonly level: string; readonly type: "condition" }
  | { readonly kind: "levelMissing"; readonly name: string; readonly type: "condition" }
  | {
      readonly kind: "call";
      readonly operator: Operator;
      readonly args: readonly Node[];
      readonly type: "number" | "condition";
    };

export type { Node as ExpressionNode };

/** Deep enough for any feature a person would write; keeps recursion far from the stack's end. */
const MAX_DEPTH = 100;
const MAX_LENGTH = 10_000;
/** Nodes of a tree whose shared parts are counted in each place: `bucket` in `bucket` multiplies them. */
const MAX_NODES = 10_000;

/**
 * Compiles one expression.
 *
 * @param path Where the expression stands, for messages: "dataset.json: /features/risk".
 * @throws CHURN_ERR_EXPRESSION_INVALID naming the path and the position (1-based column)
 */
export function compileExpression(source: string, scope: Scope, path: string): Expression {
  const root = new Checker(source, scope, path).check();
  const references = new Set<string>();
  collectReferences(root, references);
  return {
    source,
    type: root.type,
    references: [...references],
    tree: root,
    evaluateRow: rowFunction(root),
    evaluateColumns: (table) => evaluate(root, table),
  };
}

class Checker {
  readonly source: string;
  readonly scope: Scope;
  readonly path: string;
  /** Nodes of the tree below each node that is no leaf, itself included. */
  readonly sizes = new Map<Node, number>();

  constructor(source: string, scope: Scope, path: string) {
    this.source = source;
    this.scope = scope;
    this.path = path;
  }

  check(): Node {
    if (this.source.length > MAX_LENGTH) {
      throw this.fault(0, `expected at most ${MAX_LENGTH} characters, got ${this.source.length}`);
    }
    return this.value(this.parse(), 0);
  }

  parse(): Ast {
    try {
      return parse(this.source);
    } catch (error) {
      // Acorn appends " (line:column)"; the position is given in our own way.
      const { pos = 0, message } = error as SyntaxFault;
      throw this.fault(pos, message.replace(/ \(\d+:\d+\)$/, "").toLowerCase());
    }
  }

  /** A node whose value is a double. */
  value(ast: AnyNode, depth: number): Node {
    if (depth > MAX_DEPTH) throw this.fault(ast.start, `nested deeper than ${MAX_DEPTH} levels`);
    switch (ast.type) {
      case "ParenthesizedExpression":
        return this.value(ast.expression, depth);
      case "Literal":
        return this.literal(ast);
      case "Identifier":
        return this.column(ast);
      case "UnaryExpression":
        return this.operation(ast, UNARY_OPERATORS, [ast.argument], depth);
      case "BinaryExpression":
        return (
          this.levelComparison(ast.operator, ast.left, ast.right) ??
          this.operation(ast, BINARY_OPERATORS, [ast.left, ast.right], depth)
        );
      case "LogicalExpression":
        return this.operation(ast, BINARY_OPERATORS, [ast.left, ast.right], depth);
      case "ConditionalExpression":
        return this.conditional([ast.test, ast.consequent, ast.alternate], depth);
      case "CallExpression":
        return this.call(ast, depth);
      default:
        throw this.fault(ast.start, `"${this.text(ast)}" is not part of the expression language`);
    }
  }

  literal(ast: AnyNode & { type: "Literal" }): Node {
    if (typeof ast.value === "number") return { kind: "literal", value: ast.value, type: "number" };
    if (typeof ast.value === "boolean") return { kind: "literal", value: ast.value ? 1 : 0, type: "condition" };
    if (typeof ast.value === "string") {
      throw this.fault(ast.start, "text can only be compared with a category column, by == or !=");
    }
    throw this.fault(ast.start, `"${this.text(ast)}" is not part of the expression language`);
  }

  column(ast: AnyNode & { type: "Identifier" }): Node {
    const type = this.typeOf(ast);
    if (type === "text") {
      throw this.fault(ast.start, `"${ast.name}" is a category: compare it by == or != with a text, or use isMissing`);
    }
    return { kind: "column", name: ast.name, type };
  }

  typeOf(ast: AnyNode & { type: "Identifier" }): ValueType {
    const type = this.scope.typeOf(ast.name);
    if (type !== undefined) return type;
    throw this.fault(ast.start, `unknown name "${ast.name}": expected one of ${this.scope.names.join(", ")}`);
  }

  operation(
    ast: AnyNode & { type: "UnaryExpression" | "BinaryExpression" | "LogicalExpression" },
    operators: ReadonlyMap<string, Operator>,
    operands: readonly AnyNode[],
    depth: number,
  ): Node {
    const operator = operators.get(ast.operator);
    if (operator !== undefined) return this.application(operator, operands, depth);
    const kind = ast.type === "UnaryExpression" ? "prefix" : "infix";
    const known = [...operators.keys()].join(" ");
    throw this.fault(ast.start, `unknown ${kind} operator "${ast.operator}": expected one of ${known}`);
  }

  application(operator: Operator, operands: readonly AnyNode[], depth: number): Node {
    const args = operands.map((operand) => this.value(operand, depth + 1));
    this.expectTypes(operator, args, operands);
    return this.node(operator, args);
  }

  /** A node of the tree. One operand may stand in several places, and is evaluated in each. */
  node(operator: Operator, args: readonly Node[], type: Node["type"] = operator.result): Node {
    const node: Node = { kind: "call", operator, args, type };
    const size = args.reduce((sum, arg) => sum + (this.sizes.get(arg) ?? 1), 1);
    if (size > MAX_NODES) throw this.fault(0, `expected at most ${MAX_NODES} operations, got more`);
    this.sizes.set(node, size);
    return node;
  }

  /** Conditions count as the numbers 0 and 1; a number is never a condition. */
  expectTypes(operator: Operator, args: readonly Node[], operands: readonly AnyNode[]): void {
    for (const [index, arg] of args.entries()) {
      if (operator.parameters[index] === "condition" && arg.type !== "condition") {
        throw this.fault(operands[index].start, `${operator.name} expects a condition here, got a number`);
      }
    }
  }

  conditional(operands: readonly AnyNode[], depth: number): Node {
    const node = this.application(CONDITIONAL, operands, depth);
    const bothConditions =
      node.kind === "call" && node.args[1].type === "condition" && node.args[2].type === "condition";
    return bothConditions ? this.node(CONDITIONAL, node.args, "condition") : node;
  }

  /** `column == "level"`; undefined when neither side is text. */
  levelComparison(operator: string, left: AnyNode, right: AnyNode): Node | undefined {
    const sides = [withoutParentheses(left), withoutParentheses(right)];
    const [column, literal] = sides[1].type === "Literal" ? sides : sides.toReversed();
    if (literal.type !== "Literal" || typeof literal.value !== "string") return undefined;
    if (column.type !== "Identifier" || this.typeOf(column) !== "text" || (operator !== "==" && operator !== "!=")) {
      throw this.fault(literal.start, "text can only be compared with a category column, by == or !=");
    }
    const equal: Node = { kind: "level", name: column.name, level: literal.value, type: "condition" };
    if (operator === "==") return equal;
    return this.node(UNARY_OPERATORS.get("!") as Operator, [equal]);
  }

  call(ast: AnyNode & { type: "CallExpression" }, depth: number): Node {
    const name = this.text(ast.callee);
    const args = ast.arguments as readonly AnyNode[];
    if (name === "bucket") return this.bucket(ast, args, depth);

    const folded = FOLDED_FUNCTIONS.get(name);
    if (folded !== undefined) {
      if (args.length < 2) throw this.fault(ast.start, `${name} expects at least 2 arguments, got ${args.length}`);
      return args
        .map((arg) => this.value(arg, depth + args.length))
        .reduce((left, right) => this.node(folded, [left, right]));
    }
    const operator = FUNCTIONS.get(name);
    if (operator === undefined) {
      const known = [...FUNCTIONS.keys(), ...FOLDED_FUNCTIONS.keys(), "bucket"].join(", ");
      throw this.fault(ast.callee.start, `unknown function "${name}": expected one of ${known}`);
    }
    if (args.length !== operator.parameters.length) {
      throw this.fault(ast.start, `${name} expects ${operator.parameters.length} argument, got ${args.length}`);
    }
    const argument = withoutParentheses(args[0]);
    if (name === "isMissing" && argument.type === "Identifier" && this.typeOf(argument) === "text") {
      return { kind: "levelMissing", name: argument.name, type: "condition" };
    }
    return this.application(operator, args, depth);
  }

  /** `bucket(x, e1, e2, …)`: how many of the rising edges x exceeds, as a sum of comparisons. */
  bucket(ast: AnyNode, args: readonly AnyNode[], depth: number): Node {
    if (args.length < 2) throw this.fault(ast.start, "bucket expects a value and at least one edge");
    const [x, ...edges] = args.map((arg) => this.value(arg, depth + args.length));
    const greater = BINARY_OPERATORS.get(">") as Operator;
    const plus = BINARY_OPERATORS.get("+") as Operator;
    let last = Number.NEGATIVE_INFINITY;
    return edges
      .map((edge, index): Node => {
        const value = constant(edge);
        if (value === undefined || !(value > last)) {
          throw this.fault(args[index + 1].start, "bucket expects its edges to be rising numbers");
        }
        last = value;
        return this.node(greater, [x, edge]);
      })
      .reduce((left, right) => this.node(plus, [left, right]));
  }

  text(ast: AnyNode): string {
    return this.source.slice(ast.start, ast.end);
  }

  fault(position: number, message: string): ChurnError {
    return new ChurnError("CHURN_ERR_EXPRESSION_INVALID", `${this.path}: ${message} (at character ${position + 1})`, {
      issues: [{ path: this.path, message }],
    });
  }
}

function withoutParentheses(ast: AnyNode): AnyNode {
  return ast.type === "ParenthesizedExpression" ? withoutParentheses(ast.expression) : ast;
}

/** The value of a literal, or of one with a minus sign. */
function constant(node: Node): number | undefined {
  if (node.kind === "literal") return node.value;
  if (node.kind === "call" && node.operator === UNARY_OPERATORS.get("-")) {
    const value = constant(node.args[0]);
    return value === undefined ? undefined : -value;
  }
  return undefined;
}

function collectReferences(node: Node, into: Set<string>): void {
  if (node.kind === "call") for (const arg of node.args) collectReferences(arg, into);
  else if (node.kind !== "literal") into.add(node.name);
}

/** The tree as one closure over a row. */
function rowFunction(node: Node): (row: Row) => number {
  switch (node.kind) {
    case "literal":
      return () => node.value;
    case "column":
      return (row) => row[node.name] as number;
    case "level":
      return (row) => (row[node.name] === null ? Number.NaN : row[node.name] === node.level ? 1 : 0);
    case "levelMissing":
      return (row) => (row[node.name] === null ? 1 : 0);
    case "call": {
      const { scalar } = node.operator;
      const [a, b, c] = node.args.map(rowFunction);
      if (c !== undefined) return (row) => scalar(a(row), b(row), c(row));
      if (b !== undefined) return (row) => scalar(a(row), b(row), 0);
      return (row) => scalar(a(row), 0, 0);
    }
  }
}

/** The tree over whole columns, node by node. */
function evaluate(node: Node, table: Table): Float64Array {
  const out = new Float64Array(table.rows);
  switch (node.kind) {
    case "literal":
      return out.fill(node.value);
    case "column":
      return table.columns.get(node.name) as Float64Array;
    case "level":
    case "levelMissing": {
      const { codes, levels } = table.columns.get(node.name) as CategoryColumn;
      if (node.kind === "levelMissing") return out.map((_, i) => (codes[i] === MISSING_CODE ? 1 : 0));
      const wanted = levels.indexOf(node.level);
      return out.map((_, i) => (codes[i] === MISSING_CODE ? Number.NaN : codes[i] === wanted ? 1 : 0));
    }
    case "call": {
      const { scalar } = node.operator;
      const [a, b = a, c = a] = node.args.map((arg) => evaluate(arg, table));
      for (let i = 0; i < out.length; i++) out[i] = scalar(a[i], b[i], c[i]);
      return out;
    }
  }
}
