/**
 * A sample of customers as the file has them, before anything is computed of them: for work that changes a column
 * and asks again. The rows go by once and nobody knows how many there are; each has the same chance to stay.
 *
 * @source Vitter 1985, "Random Sampling with a Reservoir", Algorithm R
 */
import type { Column, Table } from "@churn/contract";
import type { Random } from "../random.ts";
import { take } from "./take.ts";

/** Customers in their columns, and what they did. */
export interface LabelledRows extends Table {
  /** 1 is churn. */
  readonly labels: Uint8Array;
}

/** Some rows of a table, in the order of `rows`. */
export function takeRows(table: Table, rows: Uint32Array): Table {
  return {
    rows: rows.length,
    columns: new Map([...table.columns].map(([name, column]) => [name, takeValues(column, rows)])),
  };
}

function takeValues(column: Column, rows: Uint32Array): Column {
  if (column instanceof Float64Array) return take(column, rows);
  return { codes: take(column.codes, rows), levels: column.levels };
}

/** At most `size` rows of all that were added. All tables must share the levels of their categories. */
export class RowSample {
  readonly #size: number;
  readonly #random: Random;
  readonly #labels: Uint8Array;
  readonly #columns = new Map<string, Column>();
  #seen = 0;

  constructor(size: number, random: Random) {
    this.#size = size;
    this.#random = random;
    this.#labels = new Uint8Array(size);
  }

  add(table: Table, labels: Uint8Array): void {
    for (const [name, column] of table.columns) {
      if (!this.#columns.has(name)) this.#columns.set(name, emptyColumn(column, this.#size));
    }
    const { places, rows } = this.#choose(table.rows);
    copyValues(labels, rows, this.#labels, places);
    for (const [name, column] of table.columns) {
      copyValues(valuesOf(column), rows, valuesOf(this.#columns.get(name)), places);
    }
  }

  /** Which of the next rows stay, and where; of two at one place the last. */
  #choose(count: number): { readonly places: Uint32Array; readonly rows: Uint32Array } {
    const [places, rows] = [new Uint32Array(count), new Uint32Array(count)];
    let chosen = 0;
    for (let row = 0; row < count; row++) {
      const place = this.#seen < this.#size ? this.#seen : this.#random.integer(this.#seen + 1);
      this.#seen++;
      if (place >= this.#size) continue;
      places[chosen] = place;
      rows[chosen++] = row;
    }
    return { places: places.subarray(0, chosen), rows: rows.subarray(0, chosen) };
  }

  /** What has stayed, in no order. */
  rows(): LabelledRows {
    const rows = Uint32Array.from({ length: Math.min(this.#seen, this.#size) }, (_, i) => i);
    const table = takeRows({ rows: this.#size, columns: this.#columns }, rows);
    return { ...table, labels: this.#labels.slice(0, rows.length) };
  }
}

function copyValues(
  from: Float64Array | Int32Array | Uint8Array,
  rows: Uint32Array,
  to: Float64Array | Int32Array | Uint8Array,
  places: Uint32Array,
): void {
  for (let i = 0; i < rows.length; i++) to[places[i]] = from[rows[i]];
}

function emptyColumn(column: Column, size: number): Column {
  if (column instanceof Float64Array) return new Float64Array(size);
  return { codes: new Int32Array(size), levels: column.levels };
}

function valuesOf(column: Column | undefined): Float64Array | Int32Array {
  if (column === undefined) throw new Error("expected every table to have the same columns");
  return column instanceof Float64Array ? column : column.codes;
}
