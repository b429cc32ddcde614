/**
 * Faults of the data, which are no drift: a unit that changed, a default filled in, values that went missing, another
 * spelling. Whoever reads "drift" would retrain a model on them; they are to be mended where they come from.
 *
 * A column with a fault is named, and left out of what drift is found in.
 */
import type { DatasetSpecification } from "@churn/contract";
import type { ImpossibleRows } from "../data/reader.ts";
import { kolmogorovSmirnovDistance } from "../statistics/divergence.ts";
import { hypergeometricTwoSided } from "../statistics/hypergeometric.ts";
import {
  type CategoryReference,
  type ColumnReference,
  type NumberReference,
  referenceQuantile,
  total,
} from "./column-reference.ts";
import type { WindowColumn } from "./window.ts";

export type FaultKind =
  | "unit"
  | "partial_unit"
  | "constant"
  | "default_filled"
  | "new_spelling"
  | "missing"
  | "out_of_range"
  | "repeated_rows"
  | "future_rows";

export interface DataFault {
  readonly column: string;
  readonly kind: FaultKind;
  /** What was found, in words. */
  readonly detail: string;
}

interface FaultRule<Reference extends ColumnReference = ColumnReference> {
  readonly kind: FaultKind;
  /** undefined for no fault. */
  readonly find: (reference: Reference, current: WindowColumn) => string | undefined;
}

/** The fault of a column; the first of these rules that holds says what it is. */
export function findFault(column: string, reference: ColumnReference, current: WindowColumn): DataFault | undefined {
  const rules = reference.kind === "number" ? NUMBER_RULES : CATEGORY_RULES;
  for (const { kind, find } of rules as readonly FaultRule[]) {
    const detail = find(reference, current);
    if (detail !== undefined) return { column, kind, detail };
  }
  return undefined;
}

/** Faults of whole rows. */
export function findRowFaults(
  { key = "", time = "" }: Pick<DatasetSpecification, "key" | "time">,
  { repeated, future }: ImpossibleRows,
  rows: number,
): DataFault[] {
  const faults: DataFault[] = [];
  if (isMany(repeated, rows)) {
    const detail = `${repeated} rows repeat a customer of another row: each counts as one more`;
    faults.push({ column: key, kind: "repeated_rows", detail });
  }
  if (isMany(future, rows)) {
    faults.push({ column: time, kind: "future_rows", detail: `${future} rows are of a time that is still to come` });
  }
  return faults;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

// --- units -------------------------------------------------------------------------------------------------

const QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9];
const LEAST_QUANTILES = 3;
/** A real change of this size has not been seen; of a factor of two it has. */
const CLEAR_FACTOR = 5;
/** By how much of the factor's logarithm the quantiles may differ. */
const MOST_SPREAD = 0.15;
/** Between units of time, of currency, of number. */
const UNIT_FACTORS = [7, 10, 12, 24, 30, 60, 100, 1000, 3600];
/** Between units of length, weight, speed and volume: too small to be told from a change but by their value. */
const SMALL_FACTORS = [1.609344, 2.20462, 2.54, 3.6, 4.345];
const SMALL_FACTOR_TOLERANCE = 0.02;
const LEAST_FACTOR = 1.5;
const LEAST_VALUES = 50;

/** Every quantile changed by the same factor. */
function unit(reference: NumberReference, { values }: WindowColumn): string | undefined {
  if (values.length < LEAST_VALUES) return undefined;
  const ratios = QUANTILES.flatMap((share) => {
    const [before, now] = [referenceQuantile(reference, share), quantileOf(values, share)];
    return before > 0 && now > 0 ? [Math.log(now / before)] : [];
  }).sort((a, b) => a - b);
  if (ratios.length < LEAST_QUANTILES) return undefined;
  const middle = ratios[ratios.length >> 1];
  if (ratios[ratios.length - 1] - ratios[0] > MOST_SPREAD * Math.abs(middle)) return undefined;
  const factor = unitFactor(Math.exp(Math.abs(middle)));
  if (factor === undefined) return undefined;
  return `values are ${middle > 0 ? "" : "1/"}${factor} times those of the training data: another unit?`;
}

function unitFactor(factor: number): number | undefined {
  if (factor >= CLEAR_FACTOR) return nearest(UNIT_FACTORS, factor);
  const small = nearest(SMALL_FACTORS, factor);
  return factor >= LEAST_FACTOR && Math.abs(factor / small - 1) <= SMALL_FACTOR_TOLERANCE ? small : undefined;
}

function nearest(factors: readonly number[], factor: number): number {
  const distance = (one: number): number => Math.abs(Math.log(one / factor));
  return factors.reduce((best, one) => (distance(one) < distance(best) ? one : best));
}

/** Values beyond what there was, and how many of these a factor must bring back. */
const BEYOND_SHARE = 0.01;
const BROUGHT_BACK_SHARE = 0.9;

/** Some of the rows came in another unit. */
function partialUnit({ cuts, counts }: NumberReference, { values }: WindowColumn): string | undefined {
  const greatest = cuts[cuts.length - 1];
  if (!(greatest > 0) || values.length < LEAST_VALUES || total(counts) === 0) return undefined;
  const beyond = values.filter((value) => value > 2 * greatest);
  if (beyond.length <= BEYOND_SHARE * values.length) return undefined;
  const isBack = (factor: number): boolean =>
    beyond.filter((value) => value / factor <= greatest).length >= BROUGHT_BACK_SHARE * beyond.length;
  const factor = UNIT_FACTORS.find(isBack);
  if (factor === undefined) return undefined;
  const share = percent(beyond.length / values.length);
  return `${share} of values are beyond twice the greatest of the training data, and fit when divided by ${factor}: another unit?`;
}

const quantileOf = (sorted: Float32Array, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

// --- values that are none ----------------------------------------------------------------------------------

/** Below it chance is out of the question. */
const IMPOSSIBLE = 1e-9;

/** One value only. */
function constant(reference: ColumnReference, { counts, values }: WindowColumn): string | undefined {
  const n = total(counts);
  const bin = counts.indexOf(n);
  if (n < LEAST_VALUES || bin === -1 || total(reference.counts) === 0) return undefined;
  if (reference.kind === "number" && values[0] !== values[values.length - 1]) return undefined;
  const share = Math.max(reference.counts[bin], 0.5) / total(reference.counts);
  if (n * Math.log(share) >= Math.log(IMPOSSIBLE)) return undefined;
  const value = reference.kind === "number" ? values[0] : `"${reference.levels[bin]}"`;
  return `every row has the value ${value}, which ${percent(share)} had in the training data`;
}

/** By how much a value's share must have grown, in rows and times its own, and how alike the others must have stayed. */
const DEFAULT_GROWTH = 0.1;
const DEFAULT_FACTOR = 5;
const DEFAULT_DISTANCE = 0.15;

/** One value that is now far more frequent, while the others are as they were: what is new to all has moved them, too. */
function defaultFilled(reference: NumberReference, { counts, values }: WindowColumn): string | undefined {
  const n = total(reference.counts);
  if (values.length < LEAST_VALUES || n === 0) return undefined;
  const { value, rows } = mostFrequent(values);
  const now = rows / values.length;
  const place = reference.cuts.findIndex((cut) => value <= cut);
  const bin = place === -1 ? reference.cuts.length : place;
  const before = reference.counts[bin] / n;
  if (now < before + DEFAULT_GROWTH || now <= DEFAULT_FACTOR * before) return undefined;
  const others = { reference: without(reference.counts, bin), current: without(counts, bin) };
  if (total(others.reference) === 0 || total(others.current) === 0) return undefined;
  if (kolmogorovSmirnovDistance(others) > DEFAULT_DISTANCE) return undefined;
  return `${percent(now)} of values are ${value}, ${percent(before)} in the training data: a default?`;
}

const without = (counts: Uint32Array, bin: number): Uint32Array => counts.map((count, i) => (i === bin ? 0 : count));

function mostFrequent(sorted: Float32Array): { readonly value: number; readonly rows: number } {
  let best = { value: sorted[0], rows: 0 };
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    if (end - start > best.rows) best = { value: sorted[start], rows: end - start };
    start = end;
  }
  return best;
}

/** Of rows that the specification does not allow; fewer are in the findings of every command that reads the file. */
const MANY_SHARE = 0.001;
const MANY_ROWS = 3;

const isMany = (count: number, rows: number): boolean => count >= MANY_ROWS && count > MANY_SHARE * rows;

const FLOOD_FACTOR = 3;
const FLOOD_GROWTH = 0.02;
/** Of the exact test: floods are looked for in every column of every check. */
const FLOOD_LEVEL = 1e-4;

/** Values that went missing. */
function missing(reference: ColumnReference, current: WindowColumn): string | undefined {
  const [n, m] = [total(reference.counts) + reference.missing, total(current.counts) + current.missing];
  const [before, now] = [reference.missing / n, current.missing / m];
  const isFlood = now === 1 ? before < 1 : now >= FLOOD_FACTOR * before && now >= before + FLOOD_GROWTH;
  if (!isFlood) return undefined;
  const marked = reference.missing + current.missing;
  const p = hypergeometricTwoSided(current.missing, { marked, plain: n + m - marked, drawn: m });
  if (p >= FLOOD_LEVEL) return undefined;
  return `${percent(now)} of rows have no value, ${percent(before)} in the training data`;
}

/** Numbers that the specification does not allow. */
function outOfRange(_reference: ColumnReference, { outOfRange, counts }: WindowColumn): string | undefined {
  if (!isMany(outOfRange, total(counts))) return undefined;
  return `${outOfRange} values are outside the bounds of the specification`;
}

// --- levels ------------------------------------------------------------------------------------------------

/** What a level must have lost of its share to one that reads like it. */
const LOST_SHARE = 0.5;
const LEAST_EDITED_LENGTH = 5;

/** A level by another name: an unseen one that reads like a known one, which has lost half of its share or more. */
function newSpelling(reference: CategoryReference, { unseen, counts }: WindowColumn): string | undefined {
  const [n, m] = [total(reference.counts), total(counts)];
  const found = [...unseen.keys()].flatMap((level) => {
    const twin = reference.levels.findIndex((known) => readsLike(level, known));
    const hasLost = twin !== -1 && counts[twin] / m <= (1 - LOST_SHARE) * (reference.counts[twin] / n);
    return hasLost && reference.counts[twin] > 0
      ? [`"${level}" stands where the training data had "${reference.levels[twin]}"`]
      : [];
  });
  return found.length === 0 ? undefined : found.join("; ");
}

function readsLike(a: string, b: string): boolean {
  const [x, y] = [fold(a), fold(b)];
  return x === y || (Math.min(x.length, y.length) >= LEAST_EDITED_LENGTH && isOneEditApart(x, y));
}

/** Without what people write in one way or another: case, accents, spaces, punctuation. */
const fold = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\s\p{P}\p{S}]/gu, "");

/** Whether one character more, less or another makes them equal. */
function isOneEditApart(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}

const NUMBER_RULES: readonly FaultRule<NumberReference>[] = [
  { kind: "constant", find: constant },
  { kind: "unit", find: unit },
  { kind: "partial_unit", find: partialUnit },
  { kind: "missing", find: missing },
  { kind: "default_filled", find: defaultFilled },
  { kind: "out_of_range", find: outOfRange },
];

const CATEGORY_RULES: readonly FaultRule<CategoryReference>[] = [
  { kind: "constant", find: constant },
  { kind: "new_spelling", find: newSpelling },
  { kind: "missing", find: missing },
];
