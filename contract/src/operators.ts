/**
 * The closed list of what a feature expression can compute.
 *
 * Every value is a double: a condition is 0 or 1, a missing value is NaN. An operator is one scalar
 * function; the row path and the column path both call it, so they cannot differ. Missing values
 * propagate, except where an operator's meaning is about them (Kleene's three-valued logic for `&&` and
 * `||`, `isMissing`, `coalesce`). Nothing enters this list that an ONNX graph cannot say: `Math.round`
 * (halves up) and `%` of negatives, for example, differ there.
 */

export type ValueType = "number" | "condition" | "text";

export interface Operator {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: "number" | "condition";
  /** Always called with three numbers; takes as many as it has parameters. */
  readonly scalar: (a: number, b: number, c: number) => number;
}

const missing = Number.isNaN;
const truth = (value: boolean): number => (value ? 1 : 0);
const compare =
  (holds: (a: number, b: number) => boolean) =>
  (a: number, b: number): number =>
    missing(a) || missing(b) ? Number.NaN : truth(holds(a, b));

function operator(
  name: string,
  parameters: readonly ValueType[],
  result: "number" | "condition",
  scalar: Operator["scalar"],
): Operator {
  return { name, parameters, result, scalar };
}

const two = ["number", "number"] as const;

/** Infix operators by their JavaScript spelling. */
export const BINARY_OPERATORS: ReadonlyMap<string, Operator> = new Map(
  [
    operator("+", two, "number", (a, b) => a + b),
    operator("-", two, "number", (a, b) => a - b),
    operator("*", two, "number", (a, b) => a * b),
    operator("/", two, "number", (a, b) => a / b),
    operator(
      "<",
      two,
      "condition",
      compare((a, b) => a < b),
    ),
    operator(
      "<=",
      two,
      "condition",
      compare((a, b) => a <= b),
    ),
    operator(
      ">",
      two,
      "condition",
      compare((a, b) => a > b),
    ),
    operator(
      ">=",
      two,
      "condition",
      compare((a, b) => a >= b),
    ),
    operator(
      "==",
      two,
      "condition",
      compare((a, b) => a === b),
    ),
    operator(
      "!=",
      two,
      "condition",
      compare((a, b) => a !== b),
    ),
    operator("&&", ["condition", "condition"], "condition", (a, b) => {
      if (a === 0 || b === 0) return 0;
      return missing(a) || missing(b) ? Number.NaN : 1;
    }),
    operator("||", ["condition", "condition"], "condition", (a, b) => {
      if (a === 1 || b === 1) return 1;
      return missing(a) || missing(b) ? Number.NaN : 0;
    }),
  ].map((entry) => [entry.name, entry]),
);

/** Prefix operators by their JavaScript spelling. */
export const UNARY_OPERATORS: ReadonlyMap<string, Operator> = new Map(
  [operator("-", ["number"], "number", (a) => -a), operator("!", ["condition"], "condition", (a) => 1 - a)].map(
    (entry) => [entry.name, entry],
  ),
);

/** `condition ? a : b`; a missing condition gives a missing value. */
export const CONDITIONAL: Operator = operator("?:", ["condition", "number", "number"], "number", (test, a, b) => {
  if (missing(test)) return Number.NaN;
  return test === 1 ? a : b;
});

/** Functions of a fixed number of arguments. */
export const FUNCTIONS: ReadonlyMap<string, Operator> = new Map(
  [
    operator("abs", ["number"], "number", Math.abs),
    operator("sqrt", ["number"], "number", Math.sqrt),
    operator("log", ["number"], "number", Math.log),
    operator("exp", ["number"], "number", Math.exp),
    operator("floor", ["number"], "number", Math.floor),
    operator("ceil", ["number"], "number", Math.ceil),
    operator("isMissing", ["number"], "condition", (a) => truth(missing(a))),
  ].map((entry) => [entry.name, entry]),
);

/** Functions of two or more arguments, folded pair by pair from the left: f(f(a, b), c). */
export const FOLDED_FUNCTIONS: ReadonlyMap<string, Operator> = new Map(
  [
    operator("min", two, "number", (a, b) => Math.min(a, b)),
    operator("max", two, "number", (a, b) => Math.max(a, b)),
    operator("coalesce", two, "number", (a, b) => (missing(a) ? b : a)),
  ].map((entry) => [entry.name, entry]),
);
