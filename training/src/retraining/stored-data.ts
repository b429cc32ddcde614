/** Predictions whose outcome is known, from the store into a file of customers: what a challenger is trained on and judged by. */
import {
  ChurnError,
  type Column,
  type DatasetSpecification,
  featureColumnNames,
  horizonMs,
  MISSING_CODE,
  textFromStored,
} from "@churn/contract";
import { takeRows } from "../data/row-sample.ts";
import { MISSING, type TableBlock, type TableColumn } from "../data/table-block.ts";
import { writeTable } from "../data/table-writer.ts";
import { DAY_MS, lastWindow } from "../drift/windows.ts";
import { judgedWindow, LEAST_CONTROLS, UNKNOWN } from "../performance/judged-window.ts";
import type { JudgedPrediction, JudgedReader } from "../store/prediction-reader.ts";
import { StoredCustomers } from "../store/stored-customers.ts";

export interface StoredDataOptions {
  /** Length of the window. */
  readonly days: number;
  /** Epoch ms. */
  readonly asOf: number;
  /** How long after it has happened an outcome may be reported. */
  readonly graceDays: number;
}

/** A key that the service has hashed, as it does with a secret. */
const HASH = /^[0-9a-f]{32}$/;

/**
 * The first prediction of each customer in the last window whose predictions are mature, with its outcome. Windows lie where the
 * calendar puts them: until the next is mature the data are the same, and judge a challenger once. Young predictions are left out:
 * of them those who left are known and those who stay are not. Who was contacted is left out, too: else he would perhaps have left.
 *
 * @throws CHURN_ERR_DATA_INSUFFICIENT where nobody is left, or too few of those who would be contacted
 */
export async function writeStoredCustomers(
  reader: JudgedReader,
  dataset: DatasetSpecification,
  out: string,
  { asOf, graceDays, days }: StoredDataOptions,
): Promise<{ readonly rows: number; readonly notes: readonly string[] }> {
  const horizon = horizonMs(dataset.target.horizonDays);
  const window = lastWindow(days, asOf - (horizon ?? 0) - graceDays * DAY_MS);
  const counts = { contacted: 0, unknown: 0, hashedKeys: 0, rows: 0, controls: 0 };
  const customers = new StoredCustomers(dataset, "");
  async function* blocks(): AsyncGenerator<TableBlock> {
    const query = { ...window, horizonMs: horizon, periodMs: window.to - window.from, withFeatures: true };
    for await (const batch of reader.judged(query)) yield blockOf(batch);
  }
  function blockOf(batch: readonly JudgedPrediction[]): TableBlock {
    const { labels, contacted } = judgedWindow(batch, asOf);
    const isKept = (row: number): boolean => labels[row] !== UNKNOWN && contacted[row] !== 1;
    const rows = Uint32Array.from(batch.keys()).filter(isKept);
    for (let row = 0; row < batch.length; row++) {
      counts.contacted += +(contacted[row] === 1);
      counts.unknown += +(labels[row] === UNKNOWN && contacted[row] !== 1);
    }
    counts.rows += rows.length;
    counts.controls += rows.reduce((sum, row) => sum + batch[row].decision, 0);
    const keys = Array.from(rows, (row) => batch[row].customer_key).map((key) => key && textFromStored(key));
    counts.hashedKeys += keys.filter((key) => key !== null && HASH.test(key)).length;
    const { columns } = takeRows(customers.table(batch as never), rows);
    return {
      rows: rows.length,
      columns: [
        ...(dataset.key === undefined ? [] : [keys]),
        ...[...columns].map(([name, column]) => valuesOf(dataset, name, column)),
        Array.from(rows, (row) => labelText(dataset, labels[row])),
      ],
    };
  }
  await writeTable(out, columnsOf(dataset), blocks());
  if (counts.rows === 0) {
    const [from, to] = [window.from, window.to].map((time) => new Date(time).toISOString().slice(0, 10));
    const message = `prediction store: expected predictions of ${from} to ${to} whose outcome is known, got none`;
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", message);
  }
  if (counts.contacted > 0 && counts.controls < LEAST_CONTROLS) {
    const message = `prediction store: expected ${LEAST_CONTROLS} customers above the threshold whom nobody contacted, got ${counts.controls}: leave a few alone, by chance`;
    throw new ChurnError("CHURN_ERR_DATA_INSUFFICIENT", message);
  }
  return { rows: counts.rows, notes: notesOf(counts, customers.hashed) };
}

function columnsOf(dataset: DatasetSpecification): TableColumn[] {
  return [
    ...(dataset.key === undefined ? [] : [{ name: dataset.key, type: "VARCHAR" } as const]),
    ...featureColumnNames(dataset).map((name): TableColumn => {
      const { type } = dataset.columns[name];
      return { name, type: type === "category" ? "VARCHAR" : type === "boolean" ? "BOOLEAN" : "DOUBLE" };
    }),
    { name: dataset.target.column, type: "VARCHAR" },
  ];
}

function valuesOf(dataset: DatasetSpecification, name: string, column: Column): TableBlock["columns"][number] {
  if (!(column instanceof Float64Array)) {
    return Array.from(column.codes, (code) => (code === MISSING_CODE ? null : column.levels[code]));
  }
  if (dataset.columns[name].type !== "boolean") return column;
  return Uint8Array.from(column, (value) => (Number.isNaN(value) ? MISSING.uint8 : value));
}

/** As a file of the specification would have it. */
function labelText({ target: { positive } }: DatasetSpecification, label: number): string {
  if (label === 1) return String(positive);
  if (typeof positive === "number") return positive === 0 ? "1" : "0";
  return typeof positive === "boolean" ? String(!positive) : `not ${positive}`;
}

function notesOf(
  {
    contacted,
    unknown,
    hashedKeys,
  }: { readonly contacted: number; readonly unknown: number; readonly hashedKeys: number },
  hashed: ReadonlySet<string>,
): string[] {
  return [
    ...(contacted > 0 ? [`${contacted} customers who were contacted are left out`] : []),
    ...(unknown > 0 ? [`of ${unknown} mature predictions nobody has reported what became of them`] : []),
    ...(hashedKeys > 0
      ? ["keys are hashed: a champion that was trained on files may have seen customers who judge it here"]
      : []),
    ...(hashed.size > 0 ? [`columns that the store has hashed are empty: ${[...hashed].join(", ")}`] : []),
  ];
}
