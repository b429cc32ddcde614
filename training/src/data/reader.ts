/**
 * Reading customers from CSV and Parquet into typed columns, in chunks, through DuckDB.
 *
 * SQL selects and casts; it computes nothing else (features are computed once, in the contract). A blank
 * cell is a missing value. What cannot be cast to its column's type is an error that names column, row and
 * value; what is castable but out of range is counted, not refused.
 */
import { closeSync, openSync, readSync } from "node:fs";
import {
  ChurnError,
  type Column,
  type DatasetSpecification,
  featureColumnNames,
  MISSING_CODE,
  type Table,
  TRUTH_COLUMN,
} from "@churn/contract";
import { type DuckDBConnection, DuckDBInstance, quotedIdentifier, quotedString } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import type { DataSource } from "./source.ts";

/** Consecutive customers of a file. */
export interface CustomerTable extends Table {
  /** 1 is churn; undefined unless asked for. */
  readonly labels?: Uint8Array;
  /** The customer key as text (a blank one is null); undefined when the data set has no key. */
  readonly keys?: readonly (string | null)[];
  /** The true probability of churn, NaN where there is none; undefined unless labels are asked for and the file has it. */
  readonly truth?: Float64Array;
}

export interface CustomerReader {
  /** The file's columns. */
  readonly columns: readonly string[];
  /** Those that the specification does not mention. */
  readonly extraColumns: readonly string[];
  /** Rows of the file. */
  readonly rows: number;
  tables(): AsyncGenerator<CustomerTable>;
  close(): void;
}

/** A cell as text; blanks are missing everywhere. */
const text = (name: string): string => `nullif(trim(CAST(${quotedIdentifier(name)} AS VARCHAR)), '')`;

/** Types of Parquet whose values are doubles as they stand; others (decimals, float32) go by their text. */
const IS_NUMBER = /^(DOUBLE|U?(TINYINT|SMALLINT|INTEGER|BIGINT))$/;

/** NaN stands for NULL, as raw vectors do not tell them apart. */
const toDouble = (value: string): string => `coalesce(CAST(${value} AS DOUBLE), 'NaN'::DOUBLE)`;

/**
 * Opens data for reading, having checked its columns and labels.
 *
 * @param options.labelled For training: every feature column must be there, and the target with two labels
 *   and no blanks. Otherwise nullable columns may be absent; they count as missing.
 * @throws CHURN_ERR_DATA_INVALID, CHURN_ERR_DATA_INSUFFICIENT, CHURN_ERR_FILE_UNREADABLE
 */
export async function openCustomers(
  source: DataSource,
  dataset: DatasetSpecification,
  { labelled }: { readonly labelled: boolean },
): Promise<CustomerReader> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    return await open(connection, close, source, dataset, labelled);
  } catch (error) {
    close();
    throw error;
  }
}

async function open(
  connection: DuckDBConnection,
  close: () => void,
  source: DataSource,
  dataset: DatasetSpecification,
  labelled: boolean,
): Promise<CustomerReader> {
  const features = featureColumnNames(dataset);
  const needed = labelled
    ? [...features, dataset.target.column]
    : features.filter((name) => !dataset.columns[name].nullable);
  const files: DataFile[] = [];
  for (const path of source.files) files.push(await describeFile(connection, source, path));
  for (const { path, names } of files) {
    const missing = needed.find((name) => !names.includes(name));
    if (missing === undefined) continue;
    throw invalid({ path }, `expected a column "${missing}", got ${names.map((name) => `"${name}"`).join(", ")}`);
  }
  const columns = [...new Set(files.flatMap(({ names }) => names))];
  const rowsOfAll = files.map(({ table }) => `SELECT * FROM ${table}`).join(" UNION ALL BY NAME ");
  await run(connection, source, `CREATE TEMP VIEW customers AS ${rowsOfAll}`);
  const described = await run(connection, source, "SELECT column_name, column_type FROM (DESCRIBE customers)");
  const types = new Map(described.map(([name, type]) => [String(name), String(type)]));
  const present = features.filter((name) => types.has(name));
  const { rows, levels } = await scan(connection, source, dataset, present, types);
  if (labelled) await checkLabels(connection, source, dataset);

  const { key, time, target } = dataset;
  const known = new Set([...Object.keys(dataset.columns), key, time, target.column, TRUTH_COLUMN]);
  return {
    columns,
    extraColumns: columns.filter((name) => !known.has(name)),
    rows,
    tables: () => streamTables(connection, source, dataset, { features, levels, labelled, types }),
    close,
  };
}

/** One file: its columns, and the SQL that reads it. */
interface DataFile {
  readonly path: string;
  readonly names: readonly string[];
  readonly table: string;
}

async function describeFile(connection: DuckDBConnection, source: DataSource, path: string): Promise<DataFile> {
  if (source.format === "csv") return describeCsv(path, await attempt(source, async () => readStart(path)));
  const table = `read_parquet(${fileLiteral(path)})`;
  const columns = await run(connection, source, `SELECT column_name FROM (DESCRIBE SELECT * FROM ${table})`);
  return { path, names: columns.map(([name]) => String(name)), table };
}

/**
 * The header line decides names and delimiter, and RFC 4180 the rest. Nothing is guessed from a sample of the
 * rows: DuckDB's sniffer takes one in which no cell is quoted for a file that has no quotes.
 */
function describeCsv(path: string, text: string): DataFile {
  if (text === "") {
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", `${path}: expected a header line, got an empty file`);
  }
  const headers = DELIMITERS.map((delimiter) => splitHeader(text, delimiter));
  const names = headers.reduce((most, header) => (header.length > most.length ? header : most));
  if (/[\0\ufffd]/.test(names.join(""))) {
    throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${path}: ${NOT_UTF8}`);
  }
  const lower = names.map((name) => name.toLowerCase()); // SQL does not tell them apart
  const repeated = names.find((name, index) => name !== "" && lower.indexOf(lower[index]) !== index);
  if (repeated !== undefined) {
    throw invalid({ path }, `expected each column once, in upper or lower case, got "${repeated}" more than once`);
  }
  const dialect = [`delim = ${quotedString(DELIMITERS[headers.indexOf(names)])}`, `quote = '"'`, `escape = '"'`];
  const columns = names.map((name, index) => `${quotedString(name || `column ${index + 1}`)}: 'VARCHAR'`);
  const options = ["header = true", "auto_detect = false", ...dialect, `columns = {${columns.join(", ")}}`];
  return { path, names, table: `read_csv(${fileLiteral(path)}, ${options.join(", ")})` };
}

const DELIMITERS = [",", ";", "\t", "|"];
const NOT_UTF8 = "expected text in UTF-8, got other bytes: save the file as UTF-8";

/** More than any header line. */
const START_BYTES = 2 ** 20;

function readStart(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(START_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes)));
  } finally {
    closeSync(file);
  }
}

/** The cells of the first line; a quoted one may hold delimiters and line ends. */
function splitHeader(text: string, delimiter: string): string[] {
  const cell = new RegExp(`("(?:[^"]|"")*"|[^${delimiter}\\r\\n]*)([${delimiter}\\r\\n]|$)`, "y");
  const cells: string[] = [];
  for (let end = delimiter; end === delimiter; ) {
    const [, value, after] = cell.exec(text) as RegExpExecArray;
    cells.push(/^".*"$/s.test(value) ? value.slice(1, -1).replaceAll('""', '"') : value);
    end = after;
  }
  return cells;
}

/** Column → its type in DuckDB; in a CSV file all are VARCHAR. */
type ColumnTypes = ReadonlyMap<string, string>;

interface Scan {
  readonly rows: number;
  /** The levels of each category column that occur in the data, sorted. */
  readonly levels: ReadonlyMap<string, readonly string[]>;
}

/** One pass over the file: how many rows, which levels, and whether every number is one. */
async function scan(
  connection: DuckDBConnection,
  source: DataSource,
  dataset: DatasetSpecification,
  features: readonly string[],
  types: ColumnTypes,
): Promise<Scan> {
  const isCategory = (name: string): boolean => dataset.columns[name].type === "category";
  const numeric = features.filter((name) => !isCategory(name) && !isStoredAsNumber(dataset, name, types));
  const categories = features.filter(isCategory);
  const select = [
    "count(*)::DOUBLE",
    ...numeric.map((name) => `count(*) FILTER (${isBad(dataset, name)})::DOUBLE`),
    ...categories.map((name) => `list_sort(list(DISTINCT ${text(name)}))`),
  ];
  const [[rows, ...found]] = await run(connection, source, `SELECT ${select.join(", ")} FROM customers`);
  if (rows === 0)
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", `${source.path}: expected customers, got no rows`);
  for (const [index, name] of numeric.entries()) {
    if (found[index] !== 0) throw await badNumber(connection, source, dataset, name, found[index] as number);
  }
  const lists = found.slice(numeric.length) as ({ items: readonly string[] } | null)[];
  const levels = new Map(
    categories.map((name, index) => [name, (lists[index]?.items ?? []).filter((level) => level !== null)]),
  );
  for (const [name, values] of levels) {
    const list = values.length === 0 ? "" : values.map(quotedString).join(", ");
    await run(connection, source, `CREATE TEMP TYPE ${levelType(name)} AS ENUM (${list})`);
  }
  return { rows: rows as number, levels };
}

const sqlType = (dataset: DatasetSpecification, name: string): string =>
  dataset.columns[name].type === "boolean" ? "BOOLEAN" : "DOUBLE";

/** Such a column needs no look at its texts: three times as fast, for 3 million rows of Parquet. */
function isStoredAsNumber(dataset: DatasetSpecification, name: string, types: ColumnTypes): boolean {
  return sqlType(dataset, name) === "DOUBLE" && IS_NUMBER.test(types.get(name) as string);
}

/** A number or boolean as SQL; a filled cell that is neither has been refused. */
function numberSql(dataset: DatasetSpecification, name: string, types: ColumnTypes): string {
  if (isStoredAsNumber(dataset, name, types)) return toDouble(quotedIdentifier(name));
  return toDouble(`CAST(${text(name)} AS ${sqlType(dataset, name)})`);
}

/** A key as text. A whole number is written without a point, whatever type it was stored as. */
function keySql(name: string, types: ColumnTypes): string {
  if (types.get(name) !== "DOUBLE") return text(name);
  const column = quotedIdentifier(name);
  const isWhole = `${column} = trunc(${column}) AND abs(${column}) <= ${Number.MAX_SAFE_INTEGER}`;
  return `CASE WHEN ${isWhole} THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE ${text(name)} END`;
}

/** SQL condition: this cell is filled, but not with a value of its column's type. */
const isBad = (dataset: DatasetSpecification, name: string): string =>
  `${text(name)} IS NOT NULL AND TRY_CAST(${text(name)} AS ${sqlType(dataset, name)}) IS NULL`;

/** The enumeration type that turns a column's levels into codes. */
const levelType = (name: string): string => quotedIdentifier(`levels of ${name}`);

/** Finds the first of a column's bad cells, for the message. */
async function badNumber(
  connection: DuckDBConnection,
  source: DataSource,
  dataset: DatasetSpecification,
  name: string,
  count: number,
): Promise<ChurnError> {
  const numbered = `SELECT row_number() OVER () AS row, ${text(name)} AS value, ${isBad(dataset, name)} AS bad FROM customers`;
  const [[row, value]] = await run(
    connection,
    source,
    `SELECT row::DOUBLE, value FROM (${numbered}) WHERE bad LIMIT 1`,
  );
  const expected = sqlType(dataset, name) === "BOOLEAN" ? "true or false" : "a number";
  const more = count > 1 ? ` (and ${count - 1} more)` : "";
  return invalid(source, `column "${name}", row ${row}: expected ${expected}, got "${value}"${more}`);
}

async function checkLabels(
  connection: DuckDBConnection,
  source: DataSource,
  dataset: DatasetSpecification,
): Promise<void> {
  const { column } = dataset.target;
  const found = await run(
    connection,
    source,
    `SELECT ${text(column)} AS label, count(*)::DOUBLE, bool_or(${isPositive(dataset)}) FROM customers GROUP BY 1 ORDER BY 1 LIMIT 20`,
  );
  const blank = found.find(([label]) => label === null);
  if (blank !== undefined)
    throw invalid(source, `column "${column}": expected a label in every row, got ${blank[1]} without one`);
  const labels = found.map(([label]) => `"${label}"`).join(", ");
  const positive = JSON.stringify(dataset.target.positive);
  if (found.length === 1) {
    throw new ChurnError(
      "CHURN_ERR_DATA_INSUFFICIENT",
      `${source.path}: column "${column}": expected two classes, got only ${labels}`,
    );
  }
  if (found.length > 2) throw invalid(source, `column "${column}": expected two labels, got ${labels}`);
  if (!found.some(([, , isChurn]) => isChurn)) {
    throw invalid(source, `column "${column}": expected ${positive} to be one of the labels, got ${labels}`);
  }
}

/** SQL condition: this row's label means churn. */
function isPositive({ target }: DatasetSpecification): string {
  const value = text(target.column);
  const equals = (type: string): string => `coalesce(TRY_CAST(${value} AS ${type}) = ${target.positive}, false)`;
  if (typeof target.positive === "number") return equals("DOUBLE");
  if (typeof target.positive === "boolean") return equals("BOOLEAN");
  return `${value} = ${quotedString(target.positive)}`;
}

interface Selection {
  readonly features: readonly string[];
  readonly levels: ReadonlyMap<string, readonly string[]>;
  readonly labelled: boolean;
  readonly types: ColumnTypes;
}

async function* streamTables(
  connection: DuckDBConnection,
  source: DataSource,
  dataset: DatasetSpecification,
  { features, levels, labelled, types }: Selection,
): AsyncGenerator<CustomerTable> {
  const hasKey = dataset.key !== undefined && types.has(dataset.key);
  const hasTruth = labelled && types.has(TRUTH_COLUMN);
  const select = features.map((name) => {
    const isCategory = dataset.columns[name].type === "category";
    if (!types.has(name)) return isCategory ? `${MISSING_CODE}::INTEGER` : "'NaN'::DOUBLE";
    if (isCategory) return `coalesce(enum_code(CAST(${text(name)} AS ${levelType(name)})), ${MISSING_CODE})::INTEGER`;
    return numberSql(dataset, name, types);
  });
  if (labelled) select.push(`(${isPositive(dataset)})::INTEGER`);
  if (hasTruth) select.push(`coalesce(TRY_CAST(${text(TRUTH_COLUMN)} AS DOUBLE), 'NaN'::DOUBLE)`);
  if (hasKey) select.push(keySql(dataset.key as string, types));

  const result = await attempt(source, () => connection.stream(`SELECT ${select.join(", ")} FROM customers`));
  for (;;) {
    const chunk = await attempt(source, () => result.fetchChunk());
    if (chunk === null || chunk.rowCount === 0) return;
    const rows = chunk.rowCount;
    let next = 0;
    const doubles = (): Float64Array => new Float64Array(rawColumn(chunk.chunk, next++, rows * 8));
    const integers = (): Int32Array => new Int32Array(rawColumn(chunk.chunk, next++, rows * 4));
    const columns = new Map<string, Column>();
    for (const name of features) {
      const isCategory = dataset.columns[name].type === "category";
      columns.set(name, isCategory ? { codes: integers(), levels: levels.get(name) ?? [] } : doubles());
    }
    yield {
      rows,
      columns,
      ...(labelled ? { labels: Uint8Array.from(integers()) } : {}),
      ...(hasTruth ? { truth: doubles() } : {}),
      ...(hasKey ? { keys: chunk.getColumnValues(next) as (string | null)[] } : {}),
    };
  }
}

/** A copy of a vector's bytes: the chunk's own memory goes with the chunk. */
function rawColumn(chunk: duckdb.DataChunk, column: number, byteLength: number): ArrayBuffer {
  const bytes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, column), byteLength);
  return bytes.slice().buffer as ArrayBuffer;
}

async function run(connection: DuckDBConnection, source: DataSource, sql: string): Promise<unknown[][]> {
  return attempt(source, async () => (await connection.runAndReadAll(sql)).getRows());
}

/** DuckDB's complaint, as one line of ours. */
async function attempt<T>(source: DataSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
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
  const [, expected, got] = /^Expected Number of Columns: (\d+) Found: (\d+)/m.exec(message) ?? [];
  return expected && `line ${line}: expected ${expected} cells, as in the header, got ${got}`;
}

function invalid({ path }: { readonly path: string }, message: string): ChurnError {
  return new ChurnError("CHURN_ERR_DATA_INVALID", `${path}: ${message}`);
}

/** A path that DuckDB does not take for a glob. */
const fileLiteral = (path: string): string => quotedString(path.replaceAll(/[*?[]/g, "[$&]"));
