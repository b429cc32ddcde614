/** Whose decision changes with the challenger: how many, and which kinds of customers more often than others. */
import type { CategoryEncodings, DatasetSpecification, Feature } from "@churn/contract";
import type { Sample } from "../data/training-set.ts";
import type { Contestant } from "./measures.ts";

export interface Flips {
  /** Customers whom the champion leaves alone and the challenger contacts. */
  readonly toContact: number;
  /** The other way. */
  readonly toLeave: number;
  /** Kinds of customers, those whose decision changes most first. */
  readonly kinds: readonly FlipKind[];
}

export interface FlipKind {
  /** Such as "visits from 2 to below 6". */
  readonly kind: string;
  readonly customers: number;
  readonly toContact: number;
  readonly toLeave: number;
}

/** A kind with fewer customers is not named. */
const LEAST_CUSTOMERS = 100;
const MOST_KINDS = 8;
/** A number's customers are parted in as many, of about the same size. */
const PARTS = 4;

/** What the columns mean. */
export interface FlipContext {
  readonly features: readonly Feature[];
  readonly encodings: CategoryEncodings;
  readonly dataset: DatasetSpecification;
}

export function describeFlips(
  champion: Contestant,
  challenger: Contestant,
  { columns }: Pick<Sample, "columns">,
  { features, encodings, dataset }: FlipContext,
): Flips {
  const changes = Int8Array.from(champion.scores, (score, row) => {
    return +(challenger.scores[row] >= challenger.threshold) - +(score >= champion.threshold);
  });
  const kinds = features
    .filter(({ expression }) => expression === undefined)
    .flatMap(({ name }, f) => {
      const isBoolean = dataset.columns[name].type === "boolean";
      return kindsOf(name, columns[f], changes, isBoolean ? ["false", "true"] : encodings[name]);
    });
  const share = ({ customers, toContact, toLeave }: FlipKind): number => (toContact + toLeave) / customers;
  return {
    ...countChanges(changes),
    kinds: kinds
      .filter(({ customers, toContact, toLeave }) => customers >= LEAST_CUSTOMERS && toContact + toLeave > 0)
      .sort((a, b) => share(b) - share(a))
      .slice(0, MOST_KINDS),
  };
}

function countChanges(changes: Int8Array): { readonly toContact: number; readonly toLeave: number } {
  let [toContact, toLeave] = [0, 0];
  for (const change of changes) {
    toContact += +(change === 1);
    toLeave += +(change === -1);
  }
  return { toContact, toLeave };
}

/** Each level of a category, or the parts of a number. */
function kindsOf(
  name: string,
  values: Float32Array,
  changes: Int8Array,
  levels: readonly string[] | undefined,
): FlipKind[] {
  const of = (text: string, belongs: (value: number) => boolean): FlipKind => {
    const own = changes.filter((_, row) => belongs(values[row]));
    return { kind: text, customers: own.length, ...countChanges(own) };
  };
  const missing = of(`${name} missing`, Number.isNaN);
  if (levels !== undefined) {
    return [...levels.map((level, code) => of(`${name} ${level}`, (value) => value === code)), missing];
  }
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const cuts = [
    ...new Set(Array.from({ length: PARTS - 1 }, (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / PARTS)])),
  ];
  const bounds = [Number.NEGATIVE_INFINITY, ...cuts.filter((cut) => cut !== undefined), Number.POSITIVE_INFINITY];
  return [
    ...bounds.slice(1).map((to, i) => of(rangeText(name, bounds[i], to), (value) => value >= bounds[i] && value < to)),
    missing,
  ];
}

function rangeText(name: string, from: number, to: number): string {
  const text = (value: number): string => String(Number(value.toPrecision(4)));
  if (!Number.isFinite(from)) return Number.isFinite(to) ? `${name} below ${text(to)}` : name;
  return Number.isFinite(to) ? `${name} from ${text(from)} to below ${text(to)}` : `${name} from ${text(from)}`;
}
