/**
 * A block of rows as a row group of a Parquet file.
 *
 * Most columns of a table have few distinct values, and their blocks say so: they give codes, or whole numbers of a
 * small range. Such a column is a dictionary and packed codes of a few bits each, made without looking a single value
 * up. So encoding costs a fraction of making the rows, and runs on the thread that made them. Headers and metadata
 * are the library's; only the packing is done here.
 *
 * @source Apache Parquet, "Encodings": PLAIN, RLE / bit-packing hybrid, RLE_DICTIONARY
 */
import { constants, zstdCompressSync } from "node:zlib";
import type { ColumnChunk, Encoding, RowGroup, SchemaElement } from "hyparquet";
import { ByteWriter } from "hyparquet-writer";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { type ColumnValues, missingValue, type TableBlock, type TableColumn } from "./table-block.ts";

/** The fastest: what is worth compressing here (keys, doubles, dictionaries) hardly shrinks more at the next. */
const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 };

/** A row group, and what the file's footer will say of it; offsets count from the group's first byte. */
export interface EncodedRowGroup {
  readonly rows: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly metadata: RowGroup;
}

const SCHEMA_TYPES: Readonly<Record<TableColumn["type"], Pick<SchemaElement, "type" | "converted_type">>> = {
  DOUBLE: { type: "DOUBLE" },
  INTEGER: { type: "INT32" },
  BOOLEAN: { type: "BOOLEAN" },
  DATE: { type: "INT32", converted_type: "DATE" },
  VARCHAR: { type: "BYTE_ARRAY", converted_type: "UTF8" },
};

/** The schema of a file of these columns; every one may have missing values. */
export function parquetSchema(columns: readonly TableColumn[]): SchemaElement[] {
  const leaves = columns.map(({ name, type }): SchemaElement => {
    return { name, repetition_type: "OPTIONAL", ...SCHEMA_TYPES[type] };
  });
  return [{ name: "table", num_children: columns.length }, ...leaves];
}

/** Where row groups are put together, one after the other; it grows as needed and stays. */
const writer = new ByteWriter(1 << 20);

/** @param block Its arrays stay as they are. */
export function encodeRowGroup(columns: readonly TableColumn[], block: TableBlock): EncodedRowGroup {
  writer.offset = 0;
  writer.index = 0;
  const chunks = columns.map((column, index) => {
    const values = presentValues(column, block.columns[index], block.rows);
    return writeChunk(column, values, block.rows);
  });
  const sum = (size: "total_uncompressed_size" | "total_compressed_size"): bigint =>
    chunks.reduce((bytes, { meta_data }) => bytes + (meta_data?.[size] ?? 0n), 0n);
  return {
    rows: block.rows,
    bytes: writer.getBytes().slice(),
    metadata: {
      columns: chunks,
      num_rows: BigInt(block.rows),
      total_byte_size: sum("total_uncompressed_size"),
      total_compressed_size: sum("total_compressed_size"),
    },
  };
}

/** What is there of a column: encoded, after one bit per row that says whether it is. */
interface PresentValues {
  readonly count: number;
  readonly levels: Uint8Array;
  readonly data: Uint8Array;
  readonly encoding: Encoding;
  /** What the codes mean. */
  readonly dictionary?: Dictionary;
}

/** PLAIN values, the number of a code's value being the code. */
interface Dictionary {
  readonly count: number;
  readonly size: number; // bytes, before compression
  readonly compressed: Uint8Array;
}

function writeChunk(
  { name, type }: TableColumn,
  { count, levels, data, encoding, dictionary }: PresentValues,
  rows: number,
): ColumnChunk {
  const start = writer.offset;
  let uncompressed = 0;
  const dictionaryStart = dictionary && BigInt(start);
  if (dictionary !== undefined) {
    const { size, compressed } = dictionary;
    writePageHeader(writer, {
      type: "DICTIONARY_PAGE",
      uncompressed_page_size: size,
      compressed_page_size: compressed.length,
      dictionary_page_header: { num_values: dictionary.count, encoding: "PLAIN" },
    });
    uncompressed += writer.offset - start + size;
    writer.appendBytes(compressed);
  }
  const pageStart = writer.offset;
  // Packed codes are as small as they get.
  const isCompressed = dictionary === undefined;
  const page = isCompressed ? compress(data) : data;
  writePageHeader(writer, {
    type: "DATA_PAGE_V2",
    uncompressed_page_size: levels.length + data.length,
    compressed_page_size: levels.length + page.length,
    data_page_header_v2: {
      num_values: rows,
      num_nulls: rows - count,
      num_rows: rows,
      encoding,
      definition_levels_byte_length: levels.length,
      repetition_levels_byte_length: 0,
      is_compressed: isCompressed,
    },
  });
  uncompressed += writer.offset - pageStart + levels.length + data.length;
  writer.appendBytes(levels);
  writer.appendBytes(page);
  return {
    file_offset: BigInt(start),
    meta_data: {
      type: SCHEMA_TYPES[type].type ?? "INT32",
      encodings: dictionary === undefined ? ["RLE", encoding] : ["PLAIN", "RLE", encoding],
      path_in_schema: [name],
      codec: "ZSTD",
      num_values: BigInt(rows),
      total_uncompressed_size: BigInt(uncompressed),
      total_compressed_size: BigInt(writer.offset - start),
      data_page_offset: BigInt(pageStart),
      ...(dictionaryStart !== undefined && { dictionary_page_offset: dictionaryStart }),
      statistics: { null_count: BigInt(rows - count) },
    },
  };
}

const compress = (bytes: Uint8Array): Uint8Array => zstdCompressSync(bytes, { params: COMPRESSION });

// --- from values to bytes ---------------------------------------------------------------------------------

function presentValues(column: TableColumn, values: ColumnValues, rows: number): PresentValues {
  if (values instanceof Float64Array) return doubles(values.subarray(0, rows));
  if (!ArrayBuffer.isView(values)) throw new TypeError(`column ${column.name}: expected a typed array, got a list`);
  if (column.width !== undefined) return fixedWidthTexts(values as Uint8Array, column.width, rows);
  const { present, levels } = withoutMissing((values as Int32Array).subarray(0, rows));
  if (column.values !== undefined) return coded(present, levels, 0, textDictionary(column.values));
  if (column.type === "BOOLEAN") return { count: present.length, levels, encoding: "PLAIN", data: pack(present, 0, 1) };
  return wholeNumbers(column, present, levels);
}

/**
 * Whole numbers as distances from the lowest, whose dictionary is every number up to the highest; one by one where
 * that dictionary would be longer than the column.
 */
function wholeNumbers(column: TableColumn, present: Int32Array, levels: Uint8Array): PresentValues {
  const [lowest, highest] = column.range ?? roundRange(rangeOf(present));
  const count = highest - lowest + 1;
  if (count > present.length) {
    return { count: present.length, levels, encoding: "PLAIN", data: plainNumbers(column, present) };
  }
  const key = `${lowest} ${count} ${column.type} ${column.scale}`;
  const dictionary = cached(rangeDictionaries, key, () => {
    const range = Int32Array.from({ length: count }, (_, i) => lowest + i);
    return dictionaryOf(count, plainNumbers(column, range));
  });
  return coded(present, levels, lowest, dictionary);
}

/** The lowest and the highest of some numbers. */
type Range = readonly [number, number];

function rangeOf(numbers: Int32Array): Range {
  let lowest = numbers.length === 0 ? 0 : numbers[0];
  let highest = lowest;
  for (let i = 1; i < numbers.length; i++) {
    lowest = Math.min(lowest, numbers[i]);
    highest = Math.max(highest, numbers[i]);
  }
  return [lowest, highest];
}

/** A wide range a little wider, so that one row group after the other has the same. */
function roundRange([lowest, highest]: Range): Range {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(highest - lowest + 1)) - 3);
  return [Math.floor(lowest / step) * step, Math.ceil((highest + 1) / step) * step - 1];
}

function plainNumbers({ type, scale = 1 }: TableColumn, numbers: Int32Array): Uint8Array {
  return bytesOf(type === "DOUBLE" ? Float64Array.from(numbers, (number) => number / scale) : numbers.slice());
}

/** The page says how many bits a code has, and then that all of them are packed. */
function coded(present: Int32Array, levels: Uint8Array, lowest: number, dictionary: Dictionary): PresentValues {
  const bits = Math.max(1, 32 - Math.clz32(dictionary.count - 1));
  const data = Buffer.concat([Uint8Array.of(bits), runHeader(groups(present.length), 1), pack(present, lowest, bits)]);
  return { count: present.length, levels, data, encoding: "RLE_DICTIONARY", dictionary };
}

const textDictionary = (values: readonly string[]): Dictionary =>
  cached(textDictionaries, values, () => dictionaryOf(values.length, plainTexts(values)));

const dictionaryOf = (count: number, data: Uint8Array): Dictionary => ({
  count,
  size: data.length,
  compressed: compress(data),
});

/** One row group after the other has the same dictionaries; few others come in between. */
const textDictionaries = new Map<readonly string[], Dictionary>();
const rangeDictionaries = new Map<string, Dictionary>();
const MOST_CACHED = 64;

function cached<Key>(made: Map<Key, Dictionary>, key: Key, make: () => Dictionary): Dictionary {
  const known = made.get(key);
  if (known !== undefined) return known;
  const dictionary = make();
  if (made.size >= MOST_CACHED) made.clear();
  made.set(key, dictionary);
  return dictionary;
}

function doubles(values: Float64Array): PresentValues {
  const present = values.filter((value) => !Number.isNaN(value));
  if (present.length === values.length) {
    return { count: values.length, levels: allPresent(values.length), data: bytesOf(values), encoding: "PLAIN" };
  }
  const bits = new Uint8Array(groups(values.length));
  for (let row = 0; row < values.length; row++) bits[row >> 3] |= +!Number.isNaN(values[row]) << (row & 7);
  return { count: present.length, levels: somePresent(bits), data: bytesOf(present), encoding: "PLAIN" };
}

/** Two bytes at a time: a width is even. */
function fixedWidthTexts(values: Uint8Array, width: number, rows: number): PresentValues {
  const pairs = width / 2;
  const source = new Uint16Array(values.buffer, values.byteOffset, rows * pairs);
  const data = new Uint16Array(rows * (LENGTH_BYTES / 2 + pairs));
  for (let row = 0, from = 0, to = 0; row < rows; row++) {
    data[to] = width;
    to += LENGTH_BYTES / 2;
    for (let i = 0; i < pairs; i++) data[to++] = source[from++];
  }
  return { count: rows, levels: allPresent(rows), data: bytesOf(data), encoding: "PLAIN" };
}

/** A PLAIN text: its length in four bytes, then its bytes. */
const LENGTH_BYTES = 4;

function plainTexts(values: readonly string[]): Uint8Array {
  const size = values.reduce((sum, text) => sum + LENGTH_BYTES + Buffer.byteLength(text), 0);
  const data = Buffer.alloc(size);
  let position = 0;
  for (const text of values) {
    const length = data.write(text, position + LENGTH_BYTES);
    position = data.writeUInt32LE(length, position) + length;
  }
  return data;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array | Int32Array | Uint16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

// --- missing values ---------------------------------------------------------------------------------------

/** Numbers of the rows that are there, as int32; valid until the next call. */
function withoutMissing(values: Int32Array | Uint16Array | Uint8Array): { present: Int32Array; levels: Uint8Array } {
  const rows = values.length;
  const numbers = room(0, rows);
  numbers.set(values);
  const missing = missingValue(values);
  if (!values.includes(missing)) return { present: numbers, levels: allPresent(rows) };
  const bits = new Uint8Array(groups(rows));
  let count = 0;
  for (let row = 0, byte = 0; row < rows; row++) {
    const number = numbers[row];
    const difference = number ^ missing;
    const isPresent = (difference | -difference) >>> 31; // 0 or 1 without a branch, which nobody could predict
    numbers[count] = number;
    count += isPresent;
    byte |= isPresent << (row & 7);
    if ((row & 7) < 7 && row < rows - 1) continue;
    bits[row >> 3] = byte;
    byte = 0;
  }
  return { present: numbers.subarray(0, count), levels: somePresent(bits) };
}

/** Definition levels: one run where all are there, else a bit each. */
const allPresent = (rows: number): Uint8Array => Buffer.concat([runHeader(rows, 0), Uint8Array.of(1)]);
const somePresent = (bits: Uint8Array): Uint8Array => Buffer.concat([runHeader(bits.length, 1), bits]);

// --- packing ----------------------------------------------------------------------------------------------

/** Packed values come in groups of eight. */
const groups = (count: number): number => Math.ceil(count / 8);

/** A run's length and kind, as a variable-length number: 0 for one value repeated, 1 for groups packed. */
function runHeader(length: number, kind: 0 | 1): Uint8Array {
  const writer = new ByteWriter(8);
  writer.appendVarInt((length << 1) | kind);
  return writer.getBytes();
}

/**
 * The lowest `bits` (1 to 32) of each number's distance from `lowest`, one after the other, from the lowest bit of
 * each byte up. Words are little-endian, as on every machine Node runs on. Valid until the next call.
 */
function pack(numbers: Int32Array, lowest: number, bits: number): Uint8Array {
  const bytes = groups(numbers.length) * bits;
  const words = room(1, Math.ceil(bytes / 4) + 1);
  // Two or four numbers as one, where their bits fit: a half or a quarter of the work is left.
  if (bits > 16) packWords(numbers, lowest, bits, words);
  else if (bits > 8) packWords(inTwos(numbers, lowest, bits), 0, 2 * bits, words);
  else packWords(inFours(numbers, lowest, bits), 0, 4 * bits, words);
  return new Uint8Array(words.buffer, 0, bytes);
}

function inTwos(numbers: Int32Array, lowest: number, bits: number): Int32Array {
  const twos = room(2, Math.ceil(numbers.length / 2));
  const whole = numbers.length >> 1;
  for (let i = 0, n = 0; i < whole; i++, n += 2) twos[i] = (numbers[n] - lowest) | ((numbers[n + 1] - lowest) << bits);
  if (twos.length > whole) twos[whole] = numbers[2 * whole] - lowest;
  return twos;
}

function inFours(numbers: Int32Array, lowest: number, bits: number): Int32Array {
  const fours = room(2, Math.ceil(numbers.length / 4));
  const whole = numbers.length >> 2;
  for (let i = 0, n = 0; i < whole; i++, n += 4) {
    const low = (numbers[n] - lowest) | ((numbers[n + 1] - lowest) << bits);
    const high = (numbers[n + 2] - lowest) | ((numbers[n + 3] - lowest) << bits);
    fours[i] = low | (high << (2 * bits));
  }
  if (fours.length > whole) fours[whole] = 0;
  for (let n = 4 * whole; n < numbers.length; n++) fours[whole] |= (numbers[n] - lowest) << ((n & 3) * bits);
  return fours;
}

function packWords(numbers: Int32Array, lowest: number, bits: number, words: Int32Array): void {
  let word = 0;
  let used = 0;
  let end = 0;
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i] - lowest;
    word |= code << used;
    used += bits;
    if (used < 32) continue;
    words[end++] = word;
    used -= 32;
    word = used === 0 ? 0 : code >>> (bits - used);
  }
  words.fill(0, end);
  words[end] = word;
}

/** Memory that is used again from column to column: of each kind there is one. */
const rooms: Int32Array[] = [];

function room(kind: 0 | 1 | 2, length: number): Int32Array {
  if ((rooms[kind]?.length ?? 0) < length) rooms[kind] = new Int32Array(length);
  return rooms[kind].subarray(0, length);
}
