/**
 * Asking DuckDB about a data source; its complaints become one line of ours, with what it says of the file.
 */
import { ChurnError } from "@churn/contract";
import { type DuckDBConnection, quotedString } from "@duckdb/node-api";
import { NOT_UTF8 } from "./csv.ts";
import type { DataSource } from "./source.ts";

/** All rows of a result. */
export function run(connection: DuckDBConnection, source: DataSource, sql: string): Promise<unknown[][]> {
  return attempt(source, async () => (await connection.runAndReadAll(sql)).getRows());
}

/** @throws CHURN_ERR_FILE_UNREADABLE in place of any error of the work */
export async function attempt<T>(source: DataSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ChurnError) throw cause;
    const { message } = cause as Error;
    const path = /^ {2}file = (.*)$/m.exec(message)?.[1] ?? source.path;
    const reason = csvFault(message) ?? `not readable as ${source.format}: ${message.split("\n")[0]}`;
    throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${path}: ${reason}`, { cause });
  }
}

/** The faults of CSV files that people meet. */
function csvFault(message: string): string | undefined {
  // DuckDB trips over its own message about bytes that are no text when it does not read every column.
  if (message.startsWith("INTERNAL Error") && message.includes("within vector of size")) return NOT_UTF8;
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  if (message.includes("invalid state")) return "not readable as csv: expected one kind of line end, and closed quotes";
  if (line === undefined) return undefined;
  if (message.includes("Invalid unicode")) return `line ${line}: ${NOT_UTF8}`;
  if (message.includes("unterminated quote")) return `line ${line}: expected a closing quote`;
  if (message.includes("Maximum line size")) return `line ${line}: expected a line of at most 2 MB, got a longer one`;
  const [, expected, got] = /^Expected Number of Columns: (\d+) Found: (\d+)/m.exec(message) ?? [];
  return expected && `line ${line}: expected ${expected} cells, as in the header, got ${got}`;
}

/** A path that DuckDB takes neither for a glob nor for a home. */
export const fileLiteral = (path: string): string =>
  quotedString(path.replace(/^~/, "./~").replaceAll(/[*?[]/g, "[$&]"));
