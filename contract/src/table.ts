/**
 * Customers in columns: what file readers give and features are computed from.
 *
 * Numbers, integers and booleans are doubles (0 and 1 for a boolean), NaN is missing. A category is a
 * code into its levels.
 */

/** The code of a missing category value. */
export const MISSING_CODE = -1;

export interface CategoryColumn {
  /** One per row: an index into `levels`, or `MISSING_CODE`. */
  readonly codes: Int32Array;
  readonly levels: readonly string[];
}

export type Column = Float64Array | CategoryColumn;

export interface Table {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, Column>;
}
