/**
 * JavaScript's syntax as a tree, which JSON's is a part of: for feature expressions, and for what JSON.parse does
 * not tell of a file.
 */
import { type AnyNode, type Expression, parseExpressionAt, tokenizer } from "acorn";

export type { AnyNode, Expression };

/** A fault of a text, with the place where it is. */
export interface SyntaxFault extends Error {
  /** Characters before it. */
  readonly pos?: number;
}

function refuseComment(_isBlock: boolean, _text: string, start: number): never {
  throw Object.assign(new SyntaxError("expected no comment"), { pos: start });
}

/**
 * Parses a text that is one expression and nothing else. Parentheses stay in the tree.
 *
 * @throws SyntaxFault
 */
export function parse(text: string): Expression {
  const options = { ecmaVersion: 2020, preserveParens: true, onComment: refuseComment } as const;
  const tree = parseExpressionAt(text, 0, options);
  const rest = tokenizer(text.slice(tree.end), options).getToken();
  if (rest.type.label === "eof") return tree;
  throw Object.assign(new SyntaxError("expected the expression to end here"), { pos: tree.end + rest.start });
}
