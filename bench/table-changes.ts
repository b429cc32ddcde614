/** Changes of one column of a table: prices that rise, and the faults that data come with. */
import { type CategoryColumn, type Column, MISSING_CODE } from "../contract/src/index.ts";
import type { FaultKind } from "../training/src/drift/data-quality.ts";
import { Random } from "../training/src/random.ts";

export interface TableChange {
  readonly column: string;
  /** What a check must call it; undefined for what may happen. */
  readonly fault?: FaultKind;
  readonly apply: (column: Column, random: Random) => Column;
}

const eachNumber =
  (change: (value: number, random: Random) => number) =>
  (column: Column, random: Random): Column =>
    (column as Float64Array).map((value) => change(value, random));

const times = (factor: number, share = 1): TableChange["apply"] =>
  eachNumber((value, random) => (random.uniform() < share ? value * factor : value));

const inCents = (factor: number): TableChange["apply"] => eachNumber((value) => Math.round(100 * factor * value) / 100);

const filled = (filling: number, share: number): TableChange["apply"] =>
  eachNumber((value, random) => (random.uniform() < share ? filling : value));

/** A level by another name. */
const spelled =
  (level: string, otherwise: string): TableChange["apply"] =>
  (column) => {
    const { codes, levels } = column as CategoryColumn;
    return { codes, levels: levels.map((one) => (one === level ? otherwise : one)) };
  };

const withoutValue =
  (share: number): TableChange["apply"] =>
  (column, random) => {
    const { codes, levels } = column as CategoryColumn;
    return { codes: codes.map((code) => (random.uniform() < share ? MISSING_CODE : code)), levels };
  };

export const TABLE_CHANGES: Readonly<Record<string, TableChange>> = {
  "charges +0.5 %": { column: "monthly_charges", apply: inCents(1.005) },
  "charges +2 %": { column: "monthly_charges", apply: inCents(1.02) },
  "charges in cents": { column: "monthly_charges", fault: "unit", apply: times(100) },
  "use in minutes": { column: "avg_usage_hours", fault: "unit", apply: times(60) },
  "use per month": { column: "avg_usage_hours", fault: "unit", apply: times(30) },
  "charges in another currency by a factor of 1/10": { column: "monthly_charges", fault: "unit", apply: times(0.1) },
  "use in minutes, three rows in ten": { column: "avg_usage_hours", fault: "partial_unit", apply: times(60, 0.3) },
  "all charges 49.99": { column: "monthly_charges", fault: "constant", apply: filled(49.99, 1) },
  "tenure 12 for two rows in ten": { column: "tenure_months", fault: "default_filled", apply: filled(12, 0.2) },
  "charges 0 for two rows in ten": { column: "monthly_charges", fault: "default_filled", apply: filled(0, 0.2) },
  "another spelling": { column: "contract", fault: "new_spelling", apply: spelled("Month-to-month", "month to month") },
  "a level mistyped": { column: "region", fault: "new_spelling", apply: spelled("South", "Soutth") },
  "region without a value, one row in ten": { column: "region", fault: "missing", apply: withoutValue(0.1) },
  "no gender at all": { column: "gender", fault: "missing", apply: withoutValue(1) },
  "tickets -1, one row in a hundred": { column: "support_tickets", fault: "out_of_range", apply: filled(-1, 0.01) },
};

export function applyChange(columns: Map<string, Column>, { column, apply }: TableChange, seed: number): void {
  columns.set(column, apply(columns.get(column) as Column, new Random(seed)));
}
