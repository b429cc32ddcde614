/**
 * JSON Schema faults in words. Ajv finds them; this file says, for each, where it is, what was expected
 * and what came. The dataset specification, the model manifest and the HTTP request share it.
 */
import type { ErrorObject } from "ajv";
import type { Issue } from "./errors.ts";

/** Patterns of texts. */
export const NOT_BLANK = "\\S";
/** A day of the calendar: 30 days in April, a 29th of February every four years, but for three centuries of four. */
const MONTH_AND_DAY =
  "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))";
const LEAP_YEAR = "(\\d{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
export const DAY = `(\\d{4}-${MONTH_AND_DAY}|${LEAP_YEAR}-02-29)`;
export const TIME_OF_DAY = "T([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,9})?)?";
export const ZONE = "(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
export const DATE = `^${DAY}(${TIME_OF_DAY}${ZONE}?)?$`;

/** What each pattern asks for, in words. */
const PATTERN_WORDS: ReadonlyMap<string, string> = new Map([
  [NOT_BLANK, "a text that is not blank"],
  [DATE, "a date such as 2026-01-31, with or without a time"],
]);

/** An `Issue` with the JSON Schema keyword that failed, for machines. */
export interface SchemaIssue extends Issue {
  readonly keyword: string;
}

/**
 * One issue per fault, in document order.
 *
 * @param errors Ajv's errors; the validator must run with `verbose: true`, so that they carry the value.
 */
export function schemaIssues(errors: readonly ErrorObject[]): SchemaIssue[] {
  return errors.map((error) => ({
    path: pointer(error),
    keyword: error.keyword,
    message: `expected ${expectation(error)}${got(error)}`,
  }));
}

/** The faulty place as a JSON Pointer (RFC 6901); a missing or unknown field is named itself. */
function pointer(error: ErrorObject): string {
  const field = error.params.missingProperty ?? error.params.additionalProperty;
  if (field === undefined) return error.instancePath;
  return fieldPointer(error.instancePath, String(field));
}

/** The JSON Pointer of an object's field. */
export function fieldPointer(parent: string, field: string): string {
  return `${parent}/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function expectation(error: ErrorObject): string {
  const { params } = error;
  switch (error.keyword) {
    case "type":
      return [params.type].flat().join(" or ");
    case "required":
      return "a value: the field is required";
    case "additionalProperties":
      return "no such field";
    case "enum":
      return `one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(", ")}`;
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return `a value ${params.comparison} ${params.limit}`;
    case "pattern":
      return PATTERN_WORDS.get(params.pattern) ?? `a text that matches ${params.pattern}`;
    default:
      return error.message?.replace(/^must /, "") ?? error.keyword;
  }
}

function got(error: ErrorObject): string {
  if (error.keyword === "required" || error.keyword === "additionalProperties") return "";
  return `, got ${describeValue(error.data)}`;
}

/** A value in a message: short, and never more than its kind for a structure. */
export function describeValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
