/**
 * The encoder behind `table-writer.ts`, in a worker thread: one DuckDB `COPY` whose source is a table function.
 *
 * DuckDB asks that function for chunks of 2,048 rows and waits for the answer, so the function may block its
 * own thread until the next block of rows arrives. Chunks are filled by copying memory, not value by value.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  BOOLEAN,
  DATE,
  DOUBLE,
  type DuckDBDataChunk,
  DuckDBInstance,
  DuckDBTableFunction,
  type DuckDBType,
  ENUM,
  INTEGER,
  quotedString,
  VARCHAR,
} from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { type ColumnValues, missingValue, type TableBlock, type TableColumn } from "./table-block.ts";

export interface WriterInput {
  readonly path: string;
  readonly format: "parquet" | "csv";
  readonly columns: readonly TableColumn[];
  /** Where blocks arrive. */
  readonly port: MessagePort;
  /** To wait on: signal[0] counts the messages sent, signal[1] is 1 once the encoder has stopped. */
  readonly signal: Int32Array;
}

export type BlockMessage = ({ readonly kind: "block" } & TableBlock) | { readonly kind: "end" | "abort" };

export type WorkerMessage =
  | { readonly kind: "encoded"; readonly rows: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string };

/** Rows per chunk: DuckDB's vector size. */
const CHUNK_ROWS = duckdb.vector_size();
/** A DuckDB string: its length in four bytes, then up to twelve bytes of text. */
const STRING_BYTES = 16;

const FORMAT_OPTIONS = {
  parquet: "FORMAT parquet, COMPRESSION zstd",
  csv: "FORMAT csv, HEADER",
};

/** Puts rows [start, start + count) of a column into a vector of DuckDB's. */
type FillVector = (vector: duckdb.Vector, values: ColumnValues, start: number, count: number) => void;

interface Encoding {
  readonly type: DuckDBType;
  readonly fill: FillVector;
}

async function run(input: WriterInput, report: (message: WorkerMessage) => void): Promise<void> {
  try {
    // One thread reads the source in order and encodes it: the same rows give the same bytes.
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    connection.registerTableFunction(rowSource(input, report));
    await connection.run(copyStatement(input));
    connection.closeSync();
    instance.closeSync();
    report({ kind: "done" });
  } catch (error) {
    report({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  } finally {
    Atomics.store(input.signal, 1, 1);
    Atomics.notify(input.signal, 1);
  }
}

function copyStatement({ path, format }: WriterInput): string {
  return `COPY (FROM row_source()) TO ${quotedString(path)} (${FORMAT_OPTIONS[format]}, USE_TMP_FILE false)`;
}

/** The table function `row_source()`: cuts the blocks that arrive into chunks. */
function rowSource(input: WriterInput, report: (message: WorkerMessage) => void): DuckDBTableFunction {
  const encodings = input.columns.map((column) => encodingOf(column, input.format));
  let block: TableBlock = { rows: 0, columns: [] };
  let position = 0;
  let messagesRead = 0;

  const nextMessage = (): BlockMessage => {
    for (;;) {
      const received = receiveMessageOnPort(input.port);
      if (received !== undefined) {
        messagesRead++;
        return received.message;
      }
      Atomics.wait(input.signal, 0, messagesRead);
    }
  };

  return DuckDBTableFunction.create({
    name: "row_source",
    bindFunction: (info) => {
      for (const [index, { name }] of input.columns.entries()) info.addResultColumn(name, encodings[index].type);
    },
    initFunction: (info) => info.setMaxThreads(1),
    mainFunction: (info, chunk) => {
      if (position === block.rows) {
        const message = nextMessage();
        if (message.kind !== "block") {
          chunk.rowCount = 0;
          if (message.kind === "abort") info.setError("the source of the rows failed");
          return;
        }
        block = message;
        position = 0;
      }
      const count = Math.min(CHUNK_ROWS, block.rows - position);
      fillChunk(chunk, encodings, block, position, count);
      position += count;
      if (position === block.rows) report({ kind: "encoded", rows: block.rows });
    },
  });
}

function fillChunk(
  chunk: DuckDBDataChunk,
  encodings: readonly Encoding[],
  block: TableBlock,
  start: number,
  count: number,
): void {
  chunk.rowCount = count;
  for (let column = 0; column < encodings.length; column++) {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
    encodings[column].fill(vector, block.columns[column], start, count);
  }
}

/** How a column travels: the type DuckDB is told, and how its values get there. */
function encodingOf(column: TableColumn, format: WriterInput["format"]): Encoding {
  switch (column.type) {
    case "DOUBLE": {
      // In text a double looks as in JSON; DuckDB would write 0.0 and 1e-07.
      const [type, fill] =
        format === "csv"
          ? ([VARCHAR, fillTexts(textOfDouble)] as const)
          : ([DOUBLE, fillNumbers(new Float64Array(CHUNK_ROWS))] as const);
      return { type, fill: column.scale === undefined ? fill : fillScaled(column.scale, fill) };
    }
    case "INTEGER":
      return { type: INTEGER, fill: fillNumbers(new Int32Array(CHUNK_ROWS)) };
    case "DATE":
      return { type: DATE, fill: fillNumbers(new Int32Array(CHUNK_ROWS)) };
    case "BOOLEAN":
      return { type: BOOLEAN, fill: fillNumbers(new Uint8Array(CHUNK_ROWS)) };
    case "VARCHAR":
      if (column.width !== undefined) return { type: VARCHAR, fill: fillFixedWidth(column.width) };
      if (column.values !== undefined) return codedEncoding(column.values);
      return { type: VARCHAR, fill: fillTexts((text: string | null) => text) };
  }
}

/** Codes travel as an enumeration, which the COPY turns into texts. The smallest type depends on the list's length. */
function codedEncoding(values: readonly string[]): Encoding {
  // An enumeration needs at least one value, also for a column that is missing throughout.
  const type = ENUM(values.length > 0 ? values : [""]);
  const Codes = values.length <= 0xff ? Uint8Array : values.length <= 0xffff ? Uint16Array : Uint32Array;
  return { type, fill: fillNumbers(new Codes(CHUNK_ROWS)) };
}

/** Converts through `staging`, an array of the vector's own number type. */
function fillNumbers(staging: Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array): FillVector {
  return (vector, values, start, count) => {
    const source = (values as Int32Array).subarray(start, start + count);
    staging.set(source);
    if (markMissing(source)) {
      // What lies under a missing value must still be a valid code or boolean.
      for (let row = 0; row < count; row++) if (!isValid(row)) staging[row] = 0;
      setValidity(vector);
    }
    const bytes = count * staging.BYTES_PER_ELEMENT;
    duckdb.copy_data_to_vector(vector, 0, staging.buffer as ArrayBuffer, 0, bytes);
  };
}

/** Whole numbers as the doubles they stand for. */
function fillScaled(scale: number, fill: FillVector): FillVector {
  const doubles = new Float64Array(CHUNK_ROWS);
  return (vector, values, start, count) => {
    const source = (values as Int32Array).subarray(start, start + count);
    const missing = missingValue(source);
    for (let row = 0; row < count; row++) doubles[row] = source[row] === missing ? Number.NaN : source[row] / scale;
    fill(vector, doubles, 0, count);
  };
}

/** One bit per row of the current vector: 1 where there is a value. */
const validity = new Uint8Array(CHUNK_ROWS / 8);
/** Every integer type is looked at as this one, so that the loop over it stays fast. */
const integers = new Int32Array(CHUNK_ROWS);

function isValid(row: number): boolean {
  return ((validity[row >> 3] >> (row & 7)) & 1) === 1;
}

/** Fills `validity`; false when nothing is missing, and it need not be used. */
function markMissing(source: Float64Array | Int32Array | Uint16Array | Uint8Array): boolean {
  if (source instanceof Float64Array) return markNaN(source);
  const missing = missingValue(source);
  if (!source.includes(missing)) return false;
  integers.set(source);
  validity.fill(0xff);
  for (let row = 0; row < source.length; row++) if (integers[row] === missing) markRow(row);
  return true;
}

function markNaN(source: Float64Array): boolean {
  let any = false;
  validity.fill(0xff);
  for (let row = 0; row < source.length; row++) {
    if (Number.isNaN(source[row])) {
      markRow(row);
      any = true;
    }
  }
  return any;
}

function markRow(row: number): void {
  validity[row >> 3] &= ~(1 << (row & 7));
}

function setValidity(vector: duckdb.Vector): void {
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, validity.buffer, 0, validity.byteLength);
}

function fillFixedWidth(width: number): FillVector {
  const strings = new Uint8Array(CHUNK_ROWS * STRING_BYTES);
  for (let row = 0; row < CHUNK_ROWS; row++) strings[row * STRING_BYTES] = width;
  return (vector, values, start, count) => {
    const bytes = values as Uint8Array;
    for (let row = 0, from = start * width; row < count; row++) {
      const to = row * STRING_BYTES + 4;
      for (let i = 0; i < width; i++) strings[to + i] = bytes[from++];
    }
    duckdb.copy_data_to_vector(vector, 0, strings.buffer, 0, count * STRING_BYTES);
  };
}

function fillTexts<T>(textOf: (value: T) => string | null): FillVector {
  return (vector, values, start, count) => {
    const source = values as unknown as ArrayLike<T>;
    let any = false;
    validity.fill(0xff);
    for (let row = 0; row < count; row++) {
      const text = textOf(source[start + row]);
      if (text === null) {
        markRow(row);
        any = true;
      } else {
        duckdb.vector_assign_string_element(vector, row, text);
      }
    }
    if (any) setValidity(vector);
  };
}

/** The shortest text that reads back to the same double; none for a missing value. */
function textOfDouble(value: number): string | null {
  if (Number.isNaN(value)) return null;
  return Object.is(value, -0) ? "-0" : String(value);
}

// Last, when every constant above is there.
if (parentPort !== null) await run(workerData as WriterInput, (message) => parentPort?.postMessage(message));
