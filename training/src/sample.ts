/**
 * Some of the rows, for work that does not need them all. Those of a sample are drawn at random: evenly spaced ones would
 * meet, in a file of twelve months per customer, the same month each time.
 */
import type { Random } from "./random.ts";

/**
 * `size` of the rows 0 to `nRows` − 1 (all when there are fewer), ascending, each set of them as likely as another.
 *
 * @source Knuth, The Art of Computer Programming 2, §3.4.2, Algorithm S
 */
export function sampleRows(nRows: number, size: number, random: Random): Uint32Array {
  const rows = new Uint32Array(Math.min(nRows, size));
  let chosen = 0;
  for (let row = 0; chosen < rows.length; row++) {
    if ((nRows - row) * random.uniform() < rows.length - chosen) rows[chosen++] = row;
  }
  return rows;
}

/** The rows, 0 to `rows` − 1, of which something holds; ascending. */
export function rowsWhere(rows: number, holds: (row: number) => boolean): Uint32Array {
  const found = new Uint32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (holds(row)) found[count++] = row;
  return found.slice(0, count);
}
