/**
 * A form that builds itself from the data set's own specification: one field per column that the model reads. What is
 * posted becomes the same JSON object that `POST /predict` takes, so that the same schema judges it.
 *
 * Left out are the customer's key and the time of observation: they do not move the score, and nothing here is stored.
 */
import {
  type ColumnSpecification,
  type ColumnType,
  featureColumnNames,
  fieldPointer,
  type Html,
  html,
  type Issue,
  type ModelManifest,
  NOTHING,
} from "@churn/contract";
import { counted } from "./words.ts";

/** One input of the form. */
export interface Field {
  /** Of its element; a column's name may not suit. */
  readonly id: string;
  readonly name: string;
  readonly column: ColumnSpecification;
  /** Levels of a category, those of the specification first; others the model has learned. */
  readonly levels: readonly string[];
  /** Those that the model has learned. */
  readonly learned: ReadonlySet<string>;
}

/** What the form shows: a text per column name, and what is wrong. */
export interface FormState {
  readonly typed: ReadonlyMap<string, string>;
  readonly faults: readonly Issue[];
}

/** A list of more levels than this would be most of the page: a field for text takes its place. */
const MOST_LEVELS = 60;

/** The request schema's own limit for a text. */
const MAX_TEXT_LENGTH = 256;

/** Faults that are no field's, in a body that is not this form's: more are only counted. */
const MOST_FOREIGN = 5;

export function customerFields({ dataset, encodings }: ModelManifest): Field[] {
  return featureColumnNames(dataset).map((name, index) => {
    const column = dataset.columns[name];
    const learned = new Set(Object.hasOwn(encodings, name) ? encodings[name] : []);
    return {
      id: `field-${index}`,
      name,
      column,
      levels: [...new Set([...(column.values ?? []), ...learned])],
      learned,
    };
  });
}

/** The form as it is first seen: filled in with the model's example. */
export function exampleState({ inputExample }: ModelManifest): FormState {
  const typed = Object.entries(inputExample).map(
    ([name, value]) => [name, value === null ? "" : String(value)] as const,
  );
  return { typed: new Map(typed), faults: [] };
}

/** A decimal number, as a field for numbers sends it. */
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i; // each digit can be read in one way only: linear time

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

const asNumber = (text: string): unknown => (NUMBER.test(text) ? Number(text) : text);

/** Type of a column → the JSON value of a text; a text that is none stays one, for the schema to refuse. */
const VALUES: Readonly<Record<ColumnType, (text: string) => unknown>> = {
  number: asNumber,
  integer: asNumber,
  boolean: (text) => BOOLEANS.get(text) ?? text,
  category: (text) => text,
  date: (text) => text,
  text: (text) => text,
};

/** The customer that a form describes, still to be judged by the request schema. What is blank is missing. */
export function readCustomer(
  fields: readonly Field[],
  typed: ReadonlyMap<string, string>,
): Readonly<Record<string, unknown>> {
  const types = new Map(fields.map(({ name, column }) => [name, column.type]));
  const given = [...typed].map(([name, text]) => [name, text.trim()] as const).filter(([, text]) => text !== "");
  return Object.fromEntries(given.map(([name, text]) => [name, VALUES[types.get(name) ?? "text"](text)]));
}

export function customerForm(fields: readonly Field[], { typed, faults }: FormState): Html {
  const inputs = fields.map((field) => fieldOf(field, typed.get(field.name) ?? "", faultsOf(field, faults)));
  return html`${faultList(fields, faults)}<form method="post" action="#try">
<div class="fields">
${inputs}</div>
<p><button type="submit">Score this customer</button></p>
</form>
`;
}

function faultsOf({ name }: Field, faults: readonly Issue[]): string[] {
  const pointer = fieldPointer("", name);
  return faults.filter(({ path }) => path === pointer).map(({ message }) => message);
}

/** All that is wrong, each with a way to its field; it is read out as soon as the page is there. */
function faultList(fields: readonly Field[], faults: readonly Issue[]): Html {
  if (faults.length === 0) return NOTHING;
  const own = fields.flatMap((field) =>
    faultsOf(field, faults).map((message) => html`<li><a href="#${field.id}">${field.name}</a>: ${message}</li>`),
  );
  const pointers = new Set(fields.map(({ name }) => fieldPointer("", name)));
  const foreign = faults.filter(({ path }) => !pointers.has(path));
  const others = foreign
    .slice(0, MOST_FOREIGN)
    .map(({ path, message }) => html`<li>${path.slice(1, MAX_TEXT_LENGTH)}: ${message}</li>`);
  const left = foreign.length - others.length;
  const more = left > 0 ? html`<li>and ${counted(left, "other")}</li>` : NOTHING;
  return html`<div class="alarm" role="alert"><p>This customer cannot be scored yet:</p><ul>${own}${others}${more}</ul></div>
`;
}

function fieldOf(field: Field, value: string, faults: readonly string[]): Html {
  const { id, name, column } = field;
  const isFaulty = faults.length > 0;
  const hint = hintOf(column);
  const describedBy = [...(isFaulty ? [`${id}-fault`] : []), ...(hint === "" ? [] : [`${id}-hint`])].join(" ");
  const attributes = html`id="${id}" name="${name}"${describedBy === "" ? NOTHING : html` aria-describedby="${describedBy}"`}${isFaulty ? html` aria-invalid="true"` : NOTHING}${column.nullable ? NOTHING : html` required`}`;
  return html`<div class="field">
<label for="${id}">${name}${column.unit === undefined ? NOTHING : html` <span class="muted">${column.unit}</span>`}</label>
${inputOf(field, value, attributes)}
${isFaulty ? html`<p class="fault" id="${id}-fault">${faults.join("; ")}</p>` : NOTHING}${hint === "" ? NOTHING : html`<p class="hint" id="${id}-hint">${hint}</p>`}
</div>
`;
}

/** What the column means, and which values it takes. */
function hintOf({ description, minimum, maximum, nullable, type }: ColumnSpecification): string {
  const isNumber = type === "number" || type === "integer";
  return [
    description?.replace(/([^.])$/, "$1."),
    rangeText(minimum, maximum),
    nullable && isNumber ? "Empty when not known." : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string | undefined {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maximum === undefined ? undefined : `At most ${maximum}.`;
}

function inputOf(field: Field, value: string, attributes: Html): Html {
  const { column, levels } = field;
  switch (column.type) {
    case "number":
    case "integer":
      return numberInput(column, value, attributes);
    case "boolean":
      return choice(column, value, attributes, [
        ["true", "yes"],
        ["false", "no"],
      ]);
    default:
      return levels.length > MOST_LEVELS
        ? textInput(value, attributes)
        : choice(column, value, attributes, levelsOf(field));
  }
}

/** A browser shows nothing in a field for numbers that holds a word: such a value is kept in a field for text. */
function numberInput({ type, minimum, maximum }: ColumnSpecification, value: string, attributes: Html): Html {
  if (value !== "" && !NUMBER.test(value.trim())) return textInput(value, attributes);
  const isWhole = type === "integer";
  const least = minimum === undefined ? NOTHING : html` min="${isWhole ? Math.ceil(minimum) : minimum}"`;
  const most = maximum === undefined ? NOTHING : html` max="${isWhole ? Math.floor(maximum) : maximum}"`;
  return html`<input ${attributes} type="number" step="${isWhole ? 1 : "any"}"${least}${most} value="${value.slice(0, MAX_TEXT_LENGTH)}">`;
}

function textInput(value: string, attributes: Html): Html {
  const shown = value.slice(0, MAX_TEXT_LENGTH);
  return html`<input ${attributes} type="text" maxlength="${MAX_TEXT_LENGTH}" autocomplete="off" value="${shown}">`;
}

type Choice = readonly [value: string, label: string];

/** A level that the model has not learned can be tried like any other. */
function levelsOf({ levels, learned }: Field): Choice[] {
  return levels.map((level) => [level, learned.has(level) ? level : `${level} (new to the model)`]);
}

function choice(
  { nullable, type }: ColumnSpecification,
  value: string,
  attributes: Html,
  choices: readonly Choice[],
): Html {
  const none: Choice[] = nullable || value === "" ? [["", nullable ? "not known" : "please choose"]] : [];
  const isOther = value !== "" && !choices.some(([known]) => known === value);
  const shown = value.slice(0, MAX_TEXT_LENGTH);
  const other: Choice[] = isOther ? [[shown, type === "category" ? `${shown} (new to the model)` : shown]] : [];
  const selected = isOther ? shown : value;
  return html`<select ${attributes}>${[...none, ...choices, ...other].map(([one, label]) => html`<option value="${one}"${one === selected ? html` selected` : NOTHING}>${label}</option>`)}</select>`;
}
