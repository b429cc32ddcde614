import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ChurnError, compileExpression, MISSING_CODE, type Row, type Scope, type Table } from "../src/index.ts";

const TYPES = new Map<string, ReturnType<Scope["typeOf"]>>([
  ["x", "number"],
  ["y", "number"],
  ["flag", "condition"],
  ["plan", "text"],
]);
const SCOPE: Scope = { names: [...TYPES.keys()], typeOf: (name) => TYPES.get(name) };

const LEVELS = ["a", "b", "c"];

function evaluate(source: string, row: Row): number {
  return compileExpression(source, SCOPE, "test").evaluateRow(row);
}

function row(values: Row): Row {
  return { x: Number.NaN, y: Number.NaN, flag: Number.NaN, plan: null, ...values };
}

const CASES: readonly (readonly [string, Row, number])[] = [
  ["x + 2 * y", { x: 1, y: 3 }, 7],
  ["-x - -1", { x: 2 }, -1],
  ["x / max(y, 0.1)", { x: 1, y: 0 }, 10],
  ["x > 5 && y > 5", { x: 6, y: 6 }, 1],
  ["x > 5 && y > 5", { x: 6, y: 5 }, 0],
  ["bucket(x, 6, 24)", { x: 6 }, 0],
  ["bucket(x, 6, 24)", { x: 7 }, 1],
  ["bucket(x, 6, 24)", { x: 25 }, 2],
  ["bucket(x, -1, 0)", { x: -0.5 }, 1],
  ["plan == 'a'", { plan: "a" }, 1],
  ["'b' != plan", { plan: "a" }, 1],
  ["plan == 'never seen'", { plan: "a" }, 0],
  ["(((x + 1)))", { x: 1 }, 2],
  ["(plan) == ('a')", { plan: "a" }, 1],
  ["flag ? x : y", { flag: 1, x: 1, y: 2 }, 1],
  ["flag + 1", { flag: 1 }, 2],
  ["!(x == 1)", { x: 1 }, 0],
  ["min(x, y, 0)", { x: 1, y: -1 }, -1],
  ["floor(x) + ceil(x) + abs(-x)", { x: 1.5 }, 4.5],
  ["sqrt(x) * exp(0) + log(1)", { x: 9 }, 3],
  ["isMissing(x)", {}, 1],
  ["isMissing(plan)", { plan: "a" }, 0],
  ["coalesce(x, y, 7)", {}, 7],
  // Missing values propagate, and && and || decide where they can.
  ["x + 1", {}, Number.NaN],
  ["x > 1", {}, Number.NaN],
  ["plan == 'a'", {}, Number.NaN],
  ["flag ? 1 : 2", {}, Number.NaN],
  ["bucket(x, 6)", {}, Number.NaN],
  ["x > 1 && y > 1", { y: 0 }, 0],
  ["x > 1 && y > 1", { y: 2 }, Number.NaN],
  ["x > 1 || y > 1", { y: 2 }, 1],
  ["x > 1 || y > 1", { y: 0 }, Number.NaN],
  ["max(x, 1)", {}, Number.NaN],
];

describe("an expression", () => {
  for (const [source, values, expected] of CASES) {
    test(`gives ${expected} for ${source} at ${JSON.stringify(values)}`, () => {
      assert.equal(evaluate(source, row(values)), expected);
    });
  }

  test("knows what it refers to", () => {
    assert.deepEqual(compileExpression("x + x * y", SCOPE, "test").references, ["x", "y"]);
  });
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["x + z", /unknown name "z": expected one of x, y, flag, plan \(at character 5\)/],
  ["  pow(x, 2)", /unknown function "pow": expected one of .*bucket \(at character 3\)/],
  ["x ** 2", /unknown infix operator "\*\*"/],
  ["x === 1", /unknown infix operator "==="/],
  ["+x", /unknown prefix operator "\+": expected one of - !/],
  ["x % 2", /unknown infix operator "%": expected one of \+ - /],
  ["x.constructor", /"x.constructor" is not part of the expression language/],
  ["(() => 1)()", /unknown function/],
  ["x = 1", /"x = 1" is not part of the expression language/],
  ["x\u0060\u0060", /is not part of the expression language/],
  ["/a/", /is not part of the expression language/],
  ["null", /is not part of the expression language/],
  ["x; y", /expected the expression to end here \(at character 2\)/],
  ["x y", /expected the expression to end here/],
  ["x +", /unexpected token/],
  ["", /unexpected token/],
  ["'a'", /text can only be compared with a category/],
  ["x == 'a'", /text can only be compared with a category/],
  ["plan < 'a'", /text can only be compared with a category/],
  ["plan + 1", /"plan" is a category: compare it/],
  ["x && y > 1", /&& expects a condition here, got a number \(at character 1\)/],
  ["x ? 1 : 2", /\?: expects a condition here/],
  ["!x", /! expects a condition here/],
  ["abs(x, y)", /abs expects 1 argument, got 2/],
  ["min(x)", /min expects at least 2 arguments, got 1/],
  ["x // why", /expected no comment \(at character 3\)/],
  ["1_000", /identifier directly after number/],
  [
    Array.from({ length: 32 }).reduce((inner: string) => `bucket(${inner}, 0.1, 0.2)`, "x"),
    /expected at most 10000 operations, got more/,
  ],
  ["bucket(x)", /bucket expects a value and at least one edge/],
  ["bucket(x, 6, 6)", /bucket expects its edges to be rising numbers \(at character 14\)/],
  ["bucket(x, y)", /bucket expects its edges to be rising numbers/],
  [`${"(".repeat(300)}x${" + 1)".repeat(300)}`, /nested deeper than 100 levels/],
];

describe("an expression is refused, with its position,", () => {
  for (const [source, message] of REFUSED) {
    test(`when it is ${source.slice(0, 40)}`, () => {
      assert.throws(
        () => compileExpression(source, SCOPE, "dataset.json: /features/f"),
        (error) => {
          assert(error instanceof ChurnError);
          assert.equal(error.code, "CHURN_ERR_EXPRESSION_INVALID");
          assert.match(error.message, /^dataset\.json: \/features\/f: .*\(at character \d+\)$/);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

/** Any expression of the language, as text: numbers and conditions each from the other. */
const { number } = fc.letrec<{ number: string; condition: string }>((tie) => ({
  number: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("x", "y"),
    fc.double({ min: -100, max: 100, noNaN: true }).map((value) => `(${value})`),
    fc
      .tuple(tie("number"), fc.constantFrom("+", "-", "*", "/"), tie("number"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(fc.constantFrom("min", "max", "coalesce"), tie("number"), tie("number"))
      .map(([f, a, b]) => `${f}(${a}, ${b})`),
    fc
      .tuple(fc.constantFrom("abs", "sqrt", "log", "exp", "floor", "ceil", "-"), tie("number"))
      .map(([f, a]) => `${f}(${a})`),
    fc.tuple(tie("condition"), tie("number"), tie("number")).map(([test, a, b]) => `((${test}) ? ${a} : ${b})`),
    tie("number").map((a) => `bucket(${a}, -1, 0.5, 3)`),
    tie("condition").map((test) => `(${test})`),
  ),
  condition: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("flag", "plan == 'a'", "plan != 'z'", "isMissing(plan)", "true", "false"),
    fc
      .tuple(tie("number"), fc.constantFrom("<", "<=", ">", ">=", "==", "!="), tie("number"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(tie("condition"), fc.constantFrom("&&", "||"), tie("condition"))
      .map(([a, op, b]) => `((${a}) ${op} (${b}))`),
    tie("condition").map((a) => `!(${a})`),
    tie("number").map((a) => `isMissing(${a})`),
  ),
}));

const someRow: fc.Arbitrary<Row> = fc.record({
  x: fc.oneof(fc.constant(Number.NaN), fc.double()),
  y: fc.oneof(fc.constant(Number.NaN), fc.integer({ min: -3, max: 3 })),
  flag: fc.constantFrom(0, 1, Number.NaN),
  plan: fc.constantFrom(null, ...LEVELS),
});

function toTable(rows: readonly Row[]): Table {
  const numbers = (name: string): Float64Array => Float64Array.from(rows, (one) => one[name] as number);
  const codes = Int32Array.from(rows, (one) => (one.plan === null ? MISSING_CODE : LEVELS.indexOf(one.plan as string)));
  return {
    rows: rows.length,
    columns: new Map<string, Float64Array | { codes: Int32Array; levels: string[] }>([
      ["x", numbers("x")],
      ["y", numbers("y")],
      ["flag", numbers("flag")],
      ["plan", { codes, levels: LEVELS }],
    ]),
  };
}

test("the row path and the column path agree bit for bit on random expressions and rows", () => {
  fc.assert(
    fc.property(number, fc.array(someRow, { minLength: 1, maxLength: 20 }), (source, rows) => {
      const expression = compileExpression(source, SCOPE, "test");
      const byRow = rows.map((one) => expression.evaluateRow(one));
      // As lists, which compare by Object.is: 0 is not -0, and a NaN is a NaN whatever bits an engine gives it.
      assert.deepEqual([...expression.evaluateColumns(toTable(rows))], byRow);
    }),
    { numRuns: 2000, seed: 20261124 },
  );
});
