/**
 * A training set: customers in memory as feature columns, split once into training rows and holdout rows.
 *
 * Who is held out follows from a hash of the customer's key, so a customer who is met again, in another
 * file or another month, is on the same side. Category orders are learned from the training rows only.
 */
import {
  type CategoryEncodings,
  ChurnError,
  type Column,
  type DatasetSpecification,
  encodeNumbers,
  type Feature,
  featureColumnNames,
  featureColumns,
  levelPositions,
  MISSING_CODE,
  TRUTH_COLUMN,
} from "@churn/contract";
import { rowsWhere } from "../sample.ts";
import { countValues, type ValueCounts, violations } from "./findings.ts";
import type { CustomerReader, CustomerTable } from "./reader.ts";
import { type RowSample, takeRows } from "./row-sample.ts";
import { take } from "./take.ts";

export interface TrainingSet {
  readonly rows: number;
  /** Per feature, per row: float32 as the forest reads it. */
  readonly columns: readonly Float32Array[];
  readonly encodings: CategoryEncodings;
  /** 1 is churn. */
  readonly labels: Uint8Array;
  /** 1 is held out. */
  readonly isHoldout: Uint8Array;
  /** True probabilities, when the data have them. */
  readonly truth: Float64Array | undefined;
  /** Whether every row has a key: without, its number stood in. */
  readonly isKeyed: boolean;
  /** Values that break the specification's bounds or lists: column → how many. */
  readonly findings: Readonly<Record<string, number>>;
  /** The same of the held-out rows, by the levels that the training rows have. */
  readonly heldFindings: Readonly<Record<string, number>>;
}

/** The rows of one side of the split. */
export interface Sample {
  readonly rows: number;
  readonly columns: readonly Float32Array[];
  readonly labels: Uint8Array;
  readonly truth: Float64Array | undefined;
}

/** A feature's values for all rows, before categories have an order: NaN is missing. */
interface RawColumn {
  /** Numbers, or codes into `levels`: a float32 is exact up to 2^24 of them. */
  readonly values: Float32Array;
  /** Undefined for numbers. */
  readonly levels: readonly string[] | undefined;
}

/** One customer in five is never trained on. */
export const HOLDOUT_SHARE = 0.2;
/** Any constant: changing it would move customers across the split between one model and the next. */
const HOLDOUT_SALT = 0x63687572;
/** Rows at the overall mean that steady the mean of a rare level. */
const SMOOTHING_ROWS = 10;
/** With fewer of a class, metrics mean nothing. */
const MINIMUM_PER_CLASS = 10;

/**
 * Reads all customers.
 *
 * @param heldOut Gets the held-out rows as they are in the file, to sample from.
 * @throws CHURN_ERR_DATA_INVALID for a column that says nothing; CHURN_ERR_DATA_INSUFFICIENT for too few customers
 */
export async function readTrainingSet(
  reader: CustomerReader,
  path: string,
  dataset: DatasetSpecification,
  features: readonly Feature[],
  heldOut?: RowSample,
): Promise<TrainingSet> {
  const { rows } = reader;
  const raw = new Map<string, RawColumn>();
  const labels = new Uint8Array(rows);
  const isHoldout = new Uint8Array(rows);
  let truth: Float64Array | undefined;
  let isKeyed = true;
  const counts: ValueCounts = new Map();
  const heldCounts: ValueCounts = new Map();
  let start = 0;
  for await (const table of reader.tables()) {
    countValues(dataset, table, counts);
    for (const [name, column] of featureColumns(features, table)) addValues(raw, name, column, start, rows);
    labels.set(table.labels as Uint8Array, start);
    isKeyed &&= hasKeys(table);
    for (let i = 0; i < table.rows; i++) isHoldout[start + i] = +isHeldOut(customerKey(table, i, start));
    const held = rowsWhere(table.rows, (row) => isHoldout[start + row] === 1);
    const heldRows = takeRows(table, held);
    countValues(dataset, heldRows, heldCounts, () => true); // which levels are known is not known yet
    heldOut?.add(heldRows, take(table.labels as Uint8Array, held));
    if (table.truth !== undefined) {
      truth ??= new Float64Array(rows);
      truth.set(table.truth, start);
    }
    start += table.rows;
  }
  if (truth !== undefined) checkTruth(path, truth);
  checkInformation(path, featureColumnNames(dataset), raw);
  checkClasses(path, labels, isHoldout);
  const encodings = learnEncodings(dataset, raw, labels, isHoldout);
  countUnknownLevels(raw, encodings, isHoldout, heldCounts);
  for (const [name, column] of raw) recode(column, encodings[name]);
  const columns = features.map(({ name }) => (raw.get(name) as RawColumn).values);
  const findings = violations(dataset, counts);
  const heldFindings = violations(dataset, heldCounts);
  return { rows, columns, encodings, labels, isHoldout, truth, isKeyed, findings, heldFindings };
}

/**
 * The rows to train on, and those that judge, each in their order.
 *
 * Takes the set apart: its arrays now hold the training rows first, as a copy of each would be a second set.
 */
export function splitSamples(set: TrainingSet): { readonly training: Sample; readonly holdout: Sample } {
  const { isHoldout } = set;
  const columns = set.columns.map((column) => part(column, isHoldout));
  const [labels, truth] = [part(set.labels, isHoldout), set.truth && part(set.truth, isHoldout)];
  const side = (held: 0 | 1): Sample => ({
    rows: labels[held].length,
    columns: columns.map((column) => column[held]),
    labels: labels[held],
    truth: truth?.[held],
  });
  return { training: side(0), holdout: side(1) };
}

/** Moves the held-out values, in their order, behind the others. */
function part<T extends Float32Array | Float64Array | Uint8Array>(values: T, isHoldout: Uint8Array): readonly [T, T] {
  const held = values.slice(
    0,
    isHoldout.reduce((sum, side) => sum + side, 0),
  ) as T;
  let nTraining = 0;
  let nHeld = 0;
  for (let row = 0; row < values.length; row++) {
    if (isHoldout[row] === 1) held[nHeld++] = values[row];
    else values[nTraining++] = values[row];
  }
  values.set(held, nTraining);
  return [values.subarray(0, nTraining) as T, values.subarray(nTraining) as T];
}

function addValues(raw: Map<string, RawColumn>, name: string, column: Column, start: number, rows: number): void {
  const levels = column instanceof Float64Array ? undefined : column.levels;
  const { values } = raw.get(name) ?? { values: new Float32Array(rows) };
  raw.set(name, { values, levels });
  if (column instanceof Float64Array) values.set(encodeNumbers(column), start);
  else for (const [i, code] of column.codes.entries()) values[start + i] = code === MISSING_CODE ? Number.NaN : code;
}

/** Adds the held-out rows' levels that no training row has, as a later file's would be counted. */
function countUnknownLevels(
  raw: ReadonlyMap<string, RawColumn>,
  encodings: CategoryEncodings,
  isHoldout: Uint8Array,
  counts: ValueCounts,
): void {
  for (const [name, { values, levels }] of raw) {
    const count = counts.get(name);
    if (levels === undefined || count === undefined) continue;
    const known = new Set(encodings[name]);
    const isUnknown = levels.map((level) => !known.has(level));
    for (let i = 0; i < values.length; i++) if (isHoldout[i] === 1 && isUnknown[values[i]]) count.unknownLevels++;
  }
}

/** From codes into levels to positions in their learned order; a level that is not in it becomes missing. */
function recode({ values, levels }: RawColumn, order: readonly string[]): void {
  if (levels === undefined) return;
  const positions = levelPositions(order);
  const encoded = Float32Array.from(levels, (level) => positions.get(level) ?? Number.NaN);
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i])) values[i] = encoded[values[i]];
}

/**
 * A missing truth would poison every figure beside it.
 *
 * @param rows The place of each value in the data; in order without it.
 * @throws CHURN_ERR_DATA_INVALID
 */
export function checkTruth(path: string, truth: Float64Array, rows?: Uint32Array): void {
  const row = truth.findIndex((probability) => !(probability >= 0 && probability <= 1));
  if (row === -1) return;
  const got = Number.isNaN(truth[row]) ? "none" : String(truth[row]);
  throw new ChurnError(
    "CHURN_ERR_DATA_INVALID",
    `${path}: column "${TRUTH_COLUMN}", row ${(rows?.[row] ?? row) + 1}: expected a probability in [0, 1] in every row, got ${got}`,
  );
}

/** What a customer is known by across files; without a key, his place in the data. */
export function customerKey({ keys }: CustomerTable, row: number, start: number): string {
  return keys?.[row] ?? `row ${start + row}`;
}

/** Whether every row has a key of its own. */
export const hasKeys = ({ keys }: CustomerTable): boolean => keys?.every((key) => key !== null) ?? false;

/** Whether a customer belongs to the holdout: FNV-1a of the salted key, finished by MurmurHash3's mixer. */
export function isHeldOut(key: string): boolean {
  let hash = HOLDOUT_SALT;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 < HOLDOUT_SHARE;
}

/** A column that is the same for everybody teaches nothing, and usually is a broken export. */
function checkInformation(path: string, names: readonly string[], raw: ReadonlyMap<string, RawColumn>): void {
  for (const name of names) {
    const { values, levels } = raw.get(name) as RawColumn;
    const [first] = values;
    const isMissing = Number.isNaN(first);
    if (values.some((value) => value !== first && !(isMissing && Number.isNaN(value)))) continue;
    const only = levels ? `"${levels[first]}" in every row` : `${first} in every row (numbers count to seven digits)`;
    const got = isMissing ? "no value at all" : only;
    throw new ChurnError(
      "CHURN_ERR_DATA_INVALID",
      `${path}: column "${name}": expected at least two different values, got ${got}: mend the data, or give the column the role "ignore"`,
    );
  }
}

function checkClasses(path: string, labels: Uint8Array, isHoldout: Uint8Array): void {
  for (const [side, held] of [
    ["training", 0],
    ["holdout", 1],
  ] as const) {
    const mine = labels.filter((_, i) => isHoldout[i] === held);
    checkBothClasses(path, mine, `${side} rows`);
  }
}

/** @throws CHURN_ERR_DATA_INSUFFICIENT when of one class there are too few for a metric to mean anything */
export function checkBothClasses(path: string, labels: Uint8Array, what: string): void {
  const churners = labels.reduce((sum, label) => sum + label, 0);
  const stayers = labels.length - churners;
  if (Math.min(churners, stayers) >= MINIMUM_PER_CLASS) return;
  throw new ChurnError(
    "CHURN_ERR_DATA_INSUFFICIENT",
    `${path}: expected at least ${MINIMUM_PER_CLASS} customers of each class among the ${what}, got ${churners} who churned and ${stayers} who stayed`,
  );
}

/**
 * Orders each category's levels by their share of churners, so that one threshold can part them. Declared
 * levels that do not occur stand at the overall share; so, nearly, do rare ones.
 *
 * @source Fisher 1958: for two classes the best two-way split of a category is a cut in this order
 */
function learnEncodings(
  dataset: DatasetSpecification,
  raw: ReadonlyMap<string, RawColumn>,
  labels: Uint8Array,
  isHoldout: Uint8Array,
): CategoryEncodings {
  const encodings: Record<string, string[]> = {};
  for (const [name, { values, levels }] of raw) {
    if (levels === undefined) continue;
    const rows = new Float64Array(levels.length);
    const churners = new Float64Array(levels.length);
    for (let i = 0; i < values.length; i++) {
      if (isHoldout[i] === 1 || Number.isNaN(values[i])) continue;
      rows[values[i]]++;
      churners[values[i]] += labels[i];
    }
    const total = rows.reduce((sum, n) => sum + n, 0);
    const overall = total === 0 ? 0 : churners.reduce((sum, n) => sum + n, 0) / total;
    const share = (level: string): number => {
      const code = levels.indexOf(level);
      return ((churners[code] ?? 0) + SMOOTHING_ROWS * overall) / ((rows[code] ?? 0) + SMOOTHING_ROWS);
    };
    const seen = levels.filter((_, code) => rows[code] > 0);
    const known = [...new Set([...(dataset.columns[name].values ?? []), ...seen])].sort();
    const shares = new Map(known.map((level) => [level, share(level)]));
    encodings[name] = known.sort((a, b) => (shares.get(a) as number) - (shares.get(b) as number));
  }
  return encodings;
}
