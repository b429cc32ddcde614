/**
 * Rows on their way into a file: columns described once, values in blocks of columns. What makes rows and what
 * writes them meet here.
 */

/** A column of the file. */
export interface TableColumn {
  readonly name: string;
  readonly type: "DOUBLE" | "INTEGER" | "BOOLEAN" | "DATE" | "VARCHAR";
  /** DOUBLE only: blocks give whole numbers, which stand for so many times their value (10: tenths). */
  readonly scale?: number;
  /** Whole numbers: the lowest and the highest that blocks may give. Nobody looks: another number spoils its neighbours. */
  readonly range?: readonly [number, number];
  /** VARCHAR only: the distinct texts that blocks give as codes, 0 for the first. */
  readonly values?: readonly string[];
  /** VARCHAR only: blocks give every text as this many ASCII bytes, 2 to 12 and even (an id); none is missing. */
  readonly width?: number;
}

/**
 * The values of one column in a block. Numbers, booleans (0 and 1), dates (days since 1970-01-01) and codes
 * into `values` come in a typed array, whose missing value is in `MISSING`; other texts in a list.
 */
export type ColumnValues = Float64Array | Int32Array | Uint16Array | Uint8Array | readonly (string | null)[];

/** Consecutive rows: one array per column, in the order of the columns. */
export interface TableBlock {
  readonly rows: number;
  readonly columns: readonly ColumnValues[];
}

/** What stands for a missing value in each kind of typed array; fixed-width texts have none. */
export const MISSING = { float64: Number.NaN, int32: -2147483648, uint16: 65535, uint8: 255 } as const;

export function missingValue(values: Int32Array | Uint16Array | Uint8Array): number {
  if (values instanceof Int32Array) return MISSING.int32;
  return values instanceof Uint16Array ? MISSING.uint16 : MISSING.uint8;
}
