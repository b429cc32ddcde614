/**
 * HTML from templates: what is put into a template is text and gets escaped, unless it is HTML of another template.
 * So neither a column's name nor a customer's key can become markup, whoever wrote it.
 */

/** A piece of HTML that is safe to put into a page. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

type Part = Html | string | number | readonly Html[];

/** A tagged template: text and numbers are escaped, also for attributes in double quotes; lists are joined. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: strings }, ...parts.map(render)));
}

/** HTML that something else made safe, such as a renderer of SVG, or that is this program's own. */
export const trusted = (text: string): Html => new Html(text);

export const NOTHING: Html = trusted("");

function render(part: Part): string {
  if (part instanceof Html) return part.toString();
  if (typeof part === "object") return part.join("");
  return escapeHtml(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]);
}
