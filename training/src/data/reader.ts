/**
 * Reading customers from CSV and Parquet into typed columns, in chunks, through DuckDB.
 *
 * SQL selects and casts; it computes nothing else (features are computed once, in the contract). A blank
 * cell is a missing value. What cannot be cast to its column's type is an error that names column, row and
 * value; what is castable but out of range is counted, not refused.
 */
import {
  ChurnError,
  type Column,
  type DatasetSpecification,
  describeValue,
  featureColumnNames,
  MISSING_CODE,
  type Table,
  TRUTH_COLUMN,
} from "@churn/contract";
import { type DuckDBConnection, DuckDBInstance, quotedIdentifier, quotedString } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { readCsvHeader } from "./csv.ts";
import { attempt, fileLiteral, run } from "./query.ts";
import type { DataSource } from "./source.ts";

/**
 * What the labels are read for: to train on, where every row must have one; to judge a model by, where those that
 * are blank are not known yet; or not at all.
 */
export type Labelled = boolean | "partly";

/** The label of a customer of whom nobody knows yet. */
export const UNKNOWN_LABEL = 255;

/** Consecutive customers of a file. */
export interface CustomerTable extends Table {
  /** 1 is churn, 0 is not, `UNKNOWN_LABEL` not yet known; undefined unless asked for. */
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
  /** Feature columns that a file does not have. */
  readonly missingColumns: readonly string[];
  /** Rows of the file. */
  readonly rows: number;
  /** Category column → the levels that occur in it, sorted; those of every table. */
  readonly levels: ReadonlyMap<string, readonly string[]>;
  tables(): AsyncGenerator<CustomerTable>;
  /** Looks for rows that cannot be. @param now What is later is the future. */
  impossibleRows(now: Date): Promise<ImpossibleRows>;
  close(): void;
}

export interface ImpossibleRows {
  /** Rows whose customer has another row, of the same time where the data have times; 0 without a key. */
  readonly repeated: number;
  /** Rows of a time that is still to come. */
  readonly future: number;
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
 * @param options.labelled `true`: every feature column must be there, and the target with two labels and no
 *   blanks. `"partly"`: so must the target, but it may have blanks, and as without labels nullable columns may be
 *   absent; they count as missing.
 * @throws CHURN_ERR_DATA_INVALID, CHURN_ERR_DATA_INSUFFICIENT, CHURN_ERR_FILE_UNREADABLE
 */
export async function openCustomers(
  source: DataSource,
  dataset: DatasetSpecification,
  { labelled }: { readonly labelled: Labelled },
): Promise<CustomerReader> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    return { ...(await open(connection, source, dataset, labelled)), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Data in the middle of being read. The view `customers` holds the rows of all files. */
interface OpenData {
  readonly connection: DuckDBConnection;
  readonly source: DataSource;
  readonly dataset: DatasetSpecification;
  readonly files: readonly DataFile[];
  /** Column → its type in DuckDB; in a CSV file all are VARCHAR. */
  readonly types: ReadonlyMap<string, string>;
}

async function open(
  connection: DuckDBConnection,
  source: DataSource,
  dataset: DatasetSpecification,
  labelled: Labelled,
): Promise<Omit<CustomerReader, "close">> {
  const files: DataFile[] = [];
  for (const path of source.files) files.push(await describeFile(connection, source, path, dataset.key));
  checkColumns(files, dataset, labelled);
  const rowsOfAll = files.map(({ table }) => `SELECT * FROM ${table}`).join(" UNION ALL BY NAME ");
  await run(connection, source, `CREATE TEMP VIEW customers AS ${rowsOfAll}`);
  const described = await run(connection, source, "SELECT column_name, column_type FROM (DESCRIBE customers)");
  const types = new Map(described.map(([name, type]) => [String(name), String(type)]));
  const data: OpenData = { connection, source, dataset, files, types };
  const { rows, levels } = await scan(data);
  if (labelled !== false) await checkLabels(data, labelled);

  const { key, time, target } = dataset;
  const known = new Set([...Object.keys(dataset.columns), key, time, target.column, TRUTH_COLUMN]);
  const columns = [...new Set(files.flatMap(({ names }) => names))];
  return {
    columns,
    extraColumns: columns.filter((name) => !known.has(name)),
    missingColumns: featureColumnNames(dataset).filter((name) => files.some(({ names }) => !names.includes(name))),
    rows,
    levels,
    tables: () => streamTables(data, levels, labelled),
    impossibleRows: (now) => findImpossible(data, now),
  };
}

/** A message that names more columns is read by nobody. */
const MAX_NAMES = 20;

function checkColumns(files: readonly DataFile[], dataset: DatasetSpecification, labelled: Labelled): void {
  const features = featureColumnNames(dataset);
  const needed = [
    ...features.filter((name) => labelled === true || !dataset.columns[name].nullable),
    ...(labelled === false ? [] : [dataset.target.column]),
  ];
  const spellings = new Map<string, string>(); // SQL does not tell upper from lower case
  for (const { path, names } of files) {
    for (const name of names) {
      const first = spellings.get(name.toLowerCase()) ?? name;
      if (first !== name) throw invalid(path, `expected the column "${first}" as in another file, got "${name}"`);
      spellings.set(name.toLowerCase(), name);
    }
    const missing = needed.find((name) => !names.includes(name));
    if (missing === undefined) continue;
    const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
    throw invalid(
      path,
      `expected a column "${missing}", got ${names.slice(0, MAX_NAMES).map(describeValue).join(", ")}${more}`,
    );
  }
}

/** A folder called `column=value` is a folder: the cells are the file's own. */
const FILE_ONLY = "hive_partitioning = false";

/** One file: its columns, and the SQL that reads it. */
interface DataFile {
  readonly path: string;
  readonly names: readonly string[];
  readonly table: string;
}

async function describeFile(
  connection: DuckDBConnection,
  source: DataSource,
  path: string,
  key: string | undefined,
): Promise<DataFile> {
  if (source.format === "csv") {
    const { names, options } = await attempt(source, async () => readCsvHeader(path));
    return { path, names, table: `read_csv(${fileLiteral(path)}, ${FILE_ONLY}, ${options})` };
  }
  const table = `read_parquet(${fileLiteral(path)}, ${FILE_ONLY})`;
  const columns = await run(
    connection,
    source,
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${table})`,
  );
  const names = columns.map(([name]) => String(name));
  const [, keyType] = columns.find(([name]) => name === key) ?? [];
  if (key === undefined || !HAS_POINT.test(String(keyType))) return { path, names, table };
  return {
    path,
    names,
    table: `(SELECT * REPLACE (${wholeNumberText(key)} AS ${quotedIdentifier(key)}) FROM ${table})`,
  };
}

/** Types of Parquet that write a whole number with a point. */
const HAS_POINT = /^(DOUBLE|FLOAT|DECIMAL)/;

/** A numeric key as text. A whole number has no point, so that it is the same customer whatever stored it. */
function wholeNumberText(name: string): string {
  const column = quotedIdentifier(name);
  const isWhole = `${column} = trunc(${column}) AND abs(${column}) <= ${Number.MAX_SAFE_INTEGER}`;
  return `CASE WHEN ${isWhole} THEN CAST(CAST(${column} AS BIGINT) AS VARCHAR) ELSE CAST(${column} AS VARCHAR) END`;
}

interface Scan {
  readonly rows: number;
  /** The levels of each category column that occur in the data, sorted. */
  readonly levels: ReadonlyMap<string, readonly string[]>;
}

/** One pass over the files: how many rows, which levels, and whether every number is one. */
async function scan(data: OpenData): Promise<Scan> {
  const { connection, source, dataset, types } = data;
  const features = featureColumnNames(dataset).filter((name) => types.has(name));
  const isCategory = (name: string): boolean => dataset.columns[name].type === "category";
  const texts = features.filter((name) => !isCategory(name) && !isStoredAsNumber(data, name));
  const categories = features.filter(isCategory);
  const select = [
    "count(*)::DOUBLE",
    ...texts.map((name) => `count(*) FILTER (${isBad(dataset, name)})::DOUBLE`),
    ...categories.map((name) => `list_sort(list(DISTINCT ${text(name)}))`),
  ];
  const [[rows, ...found]] = await run(connection, source, `SELECT ${select.join(", ")} FROM customers`);
  if (rows === 0) {
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", `${source.path}: expected customers, got no rows`);
  }
  for (const [index, name] of texts.entries()) {
    if (found[index] !== 0) throw await badNumber(data, name, found[index] as number);
  }
  const lists = found.slice(texts.length) as ({ items: readonly string[] } | null)[];
  const levels = new Map(
    categories.map((name, index) => [name, (lists[index]?.items ?? []).filter((level) => level !== null)]),
  );
  for (const [name, values] of levels) {
    if (values.some((level) => level.includes("\0"))) {
      throw invalid(source.path, `column "${name}": expected text, got a value that holds a zero byte`);
    }
    if (new Set(values).size < values.length) {
      // A byte order mark at the start of a value, which is lost on the way here.
      throw invalid(source.path, `column "${name}": expected text, got a value that begins with a byte order mark`);
    }
    const list = values.length === 0 ? "" : values.map(quotedString).join(", ");
    await run(connection, source, `CREATE TEMP TYPE ${levelType(name)} AS ENUM (${list})`);
  }
  return { rows: rows as number, levels };
}

const sqlType = (dataset: DatasetSpecification, name: string): string =>
  dataset.columns[name].type === "boolean" ? "BOOLEAN" : "DOUBLE";

/** Such a column needs no detour through text. */
function isStoredAsNumber({ dataset, types }: OpenData, name: string): boolean {
  return sqlType(dataset, name) === "DOUBLE" && IS_NUMBER.test(types.get(name) as string);
}

/** A number or boolean as SQL; a filled cell that is neither has been refused. */
function numberSql(data: OpenData, name: string): string {
  if (isStoredAsNumber(data, name)) return toDouble(quotedIdentifier(name));
  return toDouble(`CAST(${text(name)} AS ${sqlType(data.dataset, name)})`);
}

/** SQL condition: this cell is filled, but not with a value of its column's type. */
const isBad = (dataset: DatasetSpecification, name: string): string =>
  `${text(name)} IS NOT NULL AND TRY_CAST(${text(name)} AS ${sqlType(dataset, name)}) IS NULL`;

/** The enumeration type that turns a column's levels into codes. */
const levelType = (name: string): string => quotedIdentifier(`levels of ${name}`);

/** Finds the first of a column's bad cells, for the message. */
async function badNumber(data: OpenData, name: string, count: number): Promise<ChurnError> {
  const { connection, source, dataset, files } = data;
  const expected = sqlType(dataset, name) === "BOOLEAN" ? "true or false" : "a number";
  const more = count > 1 ? ` (and ${count - 1} more)` : "";
  for (const { path, table } of files.filter(({ names }) => names.includes(name))) {
    const numbered = `SELECT row_number() OVER () AS row, ${text(name)} AS value, ${isBad(dataset, name)} AS bad FROM ${table}`;
    const first = `SELECT row::DOUBLE, value FROM (${numbered}) WHERE bad LIMIT 1`;
    const [found] = await run(connection, source, first);
    if (found === undefined) continue;
    return invalid(
      path,
      `column "${name}", row ${found[0]}: expected ${expected}, got ${describeValue(found[1])}${more}`,
    );
  }
  return invalid(source.path, `column "${name}": expected ${expected}${more}`);
}

async function checkLabels({ connection, source, dataset }: OpenData, labelled: true | "partly"): Promise<void> {
  const { column } = dataset.target;
  const all = await run(
    connection,
    source,
    `SELECT ${text(column)} AS label, count(*)::DOUBLE, bool_or(${isPositive(dataset)}) FROM customers GROUP BY 1 ORDER BY 1 LIMIT 20`,
  );
  const blank = all.find(([label]) => label === null);
  const found = all.filter(([label]) => label !== null);
  if (blank !== undefined && labelled === true) {
    throw invalid(source.path, `column "${column}": expected a label in every row, got ${blank[1]} without one`);
  }
  const labels = found.map(([label]) => describeValue(label)).join(", ");
  const positive = JSON.stringify(dataset.target.positive);
  if (found.length < 2) {
    const got = found.length === 0 ? "no label in any row" : `only ${labels}`;
    throw new ChurnError(
      "CHURN_ERR_DATA_INSUFFICIENT",
      `${source.path}: column "${column}": expected two classes, got ${got}`,
    );
  }
  if (found.length > 2) throw invalid(source.path, `column "${column}": expected two labels, got ${labels}`);
  if (!found.some(([, , isChurn]) => isChurn)) {
    throw invalid(source.path, `column "${column}": expected ${positive} to be one of the labels, got ${labels}`);
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

function labelSql(dataset: DatasetSpecification): string {
  return `CASE WHEN ${text(dataset.target.column)} IS NULL THEN ${UNKNOWN_LABEL} ELSE (${isPositive(dataset)})::INTEGER END`;
}

async function findImpossible({ connection, source, dataset, types }: OpenData, now: Date): Promise<ImpossibleRows> {
  const has = (name: string | undefined): name is string => name !== undefined && types.has(name);
  const { key, time } = dataset;
  const who = has(key) ? (has(time) ? `(${text(key)} || chr(31) || coalesce(${text(time)}, ''))` : text(key)) : "NULL";
  const when = has(time) ? `TRY_CAST(${text(time)} AS TIMESTAMP)` : "NULL";
  const sql = `SELECT (count(${who}) - count(DISTINCT ${who}))::DOUBLE,
    count(*) FILTER (${when} > CAST(${quotedString(now.toISOString().slice(0, 23))} AS TIMESTAMP))::DOUBLE FROM customers`;
  const [[repeated, future]] = await run(connection, source, sql);
  return { repeated: repeated as number, future: future as number };
}

async function* streamTables(
  data: OpenData,
  levels: Scan["levels"],
  labelled: Labelled,
): AsyncGenerator<CustomerTable> {
  const { connection, source, dataset, types } = data;
  const features = featureColumnNames(dataset);
  const hasKey = dataset.key !== undefined && types.has(dataset.key);
  const hasTruth = labelled !== false && types.has(TRUTH_COLUMN);
  const select = features.map((name) => {
    const isCategory = dataset.columns[name].type === "category";
    if (!types.has(name)) return isCategory ? `${MISSING_CODE}::INTEGER` : "'NaN'::DOUBLE";
    if (isCategory) return `coalesce(enum_code(CAST(${text(name)} AS ${levelType(name)})), ${MISSING_CODE})::INTEGER`;
    return numberSql(data, name);
  });
  if (labelled !== false) select.push(labelSql(dataset));
  if (hasTruth) select.push(`coalesce(TRY_CAST(${text(TRUTH_COLUMN)} AS DOUBLE), 'NaN'::DOUBLE)`);
  if (hasKey) select.push(text(dataset.key as string));

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
      ...(labelled !== false ? { labels: Uint8Array.from(integers()) } : {}),
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

function invalid(path: string, message: string): ChurnError {
  return new ChurnError("CHURN_ERR_DATA_INVALID", `${path}: ${message}`);
}
