/**
 * How a CSV file is to be read. The header line decides names, delimiter and line end, and RFC 4180 the rest.
 * Nothing is guessed from a sample of the rows: DuckDB's sniffer takes one in which no cell is quoted for a file
 * that has no quotes.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { ChurnError } from "@churn/contract";
import { quotedString } from "@duckdb/node-api";

export interface CsvHeader {
  /** As they stand; a column may have none. */
  readonly names: readonly string[];
  /** Arguments of DuckDB's read_csv, after the path; every column is text. */
  readonly options: string;
}

export const NOT_UTF8 = "expected text in UTF-8, got other bytes: save the file as UTF-8";

const DELIMITERS = [",", ";", "\t", "|"];

/** More than any header line. */
const START_BYTES = 2 ** 20;

/** @throws CHURN_ERR_DATA_INSUFFICIENT, CHURN_ERR_DATA_INVALID, CHURN_ERR_FILE_UNREADABLE */
export function readCsvHeader(path: string): CsvHeader {
  const text = readStart(path);
  if (text === "") {
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", `${path}: expected a header line, got an empty file`);
  }
  const headers = DELIMITERS.map((candidate) => splitHeader(text, candidate));
  const sound = headers.filter(({ cutsQuotes }) => !cutsQuotes);
  const { names, delimiter, lineEnd, isOpen } = (sound.length > 0 ? sound : headers).reduce((most, header) =>
    header.names.length > most.names.length ? header : most,
  );
  if (isOpen) {
    const message = "line 1: expected a closing quote at the end of its cell";
    throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${path}: ${message}`);
  }
  checkNames(path, names);
  const columns = names.map((name, index) => `${quotedString(name || `column ${index + 1}`)}: 'VARCHAR'`);
  const options = [
    "header = true",
    "auto_detect = false",
    `delim = ${quotedString(delimiter)}`,
    `quote = '"'`,
    `escape = '"'`,
    `new_line = ${quotedString(lineEnd)}`,
    `columns = {${columns.join(", ")}}`,
  ];
  return { names, options: options.join(", ") };
}

function checkNames(path: string, names: readonly string[]): void {
  if (/[\0\ufffd]/.test(names.join(""))) throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${path}: ${NOT_UTF8}`);
  const lower = names.map((name) => name.toLowerCase()); // SQL does not tell them apart
  const repeated = names.find((name, index) => name !== "" && lower.indexOf(lower[index]) !== index);
  if (repeated !== undefined) {
    const message = `expected each column once, in upper or lower case, got "${repeated}" more than once`;
    throw new ChurnError("CHURN_ERR_DATA_INVALID", `${path}: ${message}`);
  }
}

function readStart(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(START_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes)));
  } finally {
    closeSync(file);
  }
}

interface Header {
  readonly names: readonly string[];
  readonly delimiter: string;
  /** As DuckDB writes it. */
  readonly lineEnd: string;
  /** A quote stands inside a cell that is not quoted: this delimiter has cut a quoted cell, or there is no order here. */
  readonly cutsQuotes: boolean;
  /** A cell begins with a quote, and does not end with its partner. */
  readonly isOpen: boolean;
}

/** The cells of the first line; a quoted one may hold delimiters and line ends. */
function splitHeader(text: string, delimiter: string): Header {
  const cell = new RegExp(`("(?:[^"]|"")*"|[^${delimiter}\\r\\n]*)([${delimiter}]|\\r\\n|\\r|\\n|$)`, "y");
  const names: string[] = [];
  let end = delimiter;
  let cutsQuotes = false;
  let isOpen = false;
  while (end === delimiter) {
    const [, value, after] = cell.exec(text) as RegExpExecArray;
    const isQuoted = /^"(?:[^"]|"")*"$/.test(value);
    names.push(isQuoted ? value.slice(1, -1).replaceAll('""', '"') : value);
    cutsQuotes ||= !isQuoted && value.includes('"');
    isOpen ||= !isQuoted && value.startsWith('"');
    end = after;
  }
  return { names, delimiter, cutsQuotes, isOpen, lineEnd: end === "\r\n" ? "\\r\\n" : end === "\r" ? "\\r" : "\\n" };
}
