/** Expressions of GitHub Actions, by GitHub's own evaluator. */
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";

/** `github`, `inputs`, `steps` and the others: JSON values. */
export type Contexts = Readonly<Record<string, unknown>>;

/** How it stands: of the steps before a step, or of the jobs that a job needs. */
export interface Status {
  readonly hasFailed: boolean;
  /** A job whose need was skipped is skipped as well, unless it says otherwise. */
  readonly isSuccess: boolean;
  /** What `hashFiles` looks at. */
  readonly hashFiles: (pattern: string) => string;
}

type Functions = ConstructorParameters<typeof Evaluator>[2] & {};

const STATUS_FUNCTIONS = ["success", "failure", "always", "cancelled"];

function functionsOf({ hasFailed, isSuccess, hashFiles }: Status): Functions {
  const constant = (name: string, value: boolean) =>
    ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(value) }) as const;
  const functions = [
    constant("success", isSuccess),
    constant("failure", hasFailed),
    constant("always", true),
    constant("cancelled", false), // nobody cancels here
    {
      name: "hashFiles",
      minArgs: 1,
      maxArgs: 1,
      call: (pattern: data.ExpressionData) => new data.StringData(hashFiles(pattern.coerceString())),
    },
  ];
  return new Map(functions.map((one) => [one.name.toLowerCase(), one]));
}

function evaluate(expression: string, contexts: Contexts, status: Status): data.ExpressionData {
  const functions = functionsOf(status);
  const { tokens } = new Lexer(expression).lex();
  const parsed = new Parser(tokens, Object.keys(contexts), [...functions.values()]).parse();
  const values: data.Dictionary = JSON.parse(JSON.stringify(contexts), data.reviver);
  return new Evaluator(parsed, values, functions).evaluate();
}

/** A text with its `${{ … }}` filled in. */
export function fill(text: string, contexts: Contexts, status: Status): string {
  return text.replaceAll(/\$\{\{(.*?)\}\}/gs, (_, expression: string) =>
    evaluate(expression.trim(), contexts, status).coerceString(),
  );
}

/** Whether an `if` holds; without a status function it holds only where nothing has failed. */
export function holds(condition: string | undefined, contexts: Contexts, status: Status): boolean {
  const expression = (condition ?? "success()").trim().replace(/^\$\{\{(.*)\}\}$/s, "$1");
  const asksStatus = STATUS_FUNCTIONS.some((name) => new RegExp(`\\b${name}\\s*\\(`).test(expression));
  const whole = asksStatus ? expression : `success() && (${expression})`;
  return evaluate(`(${whole}) && true || false`, contexts, status).coerceString() === "true";
}
