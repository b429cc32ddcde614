/**
 * The world of the `customers` data set: synthetic people who behave like customers, month after month.
 *
 * Rows are made in blocks of places. A block depends on nothing but the seed, the scenario, the month and its number,
 * so blocks can be made in any order and on any thread. `docs/customers.md` describes the world and what was measured
 * in it, `docs/scenarios.md` what can happen to it.
 */
import type { ColumnValues, TableBlock } from "../data/table-block.ts";
import { Random } from "../random.ts";
import { observe, type Records, recordMinutes } from "./behaviour.ts";
import { churnProbabilities, drawOutcomes, HORIZON_DAYS, STAYED } from "./churn.ts";
import { advance, drawPeople, MAX_TENURE_MONTHS, type People } from "./people.ts";
import { conditionsOf, type ScenarioName } from "./scenarios.ts";

/** Ten years: each month is lived through. */
export const MAX_MONTH = 120;

export interface CustomerOptions {
  readonly rows: number;
  readonly seed: number;
  /** Months since January 2026, the month of the first observation. */
  readonly month: number;
  readonly scenario: ScenarioName;
  /** The first month of the scenario. */
  readonly from: number;
  /** Adds `churn_truth`, the true probability of churn. */
  readonly withTruth: boolean;
}

/** Rows drawn from one seed: large enough to amortise a generator, small enough to keep memory flat. */
export const BLOCK_ROWS = 65_536;

/** How many rows of a table of `rows` are in a block. */
export const blockRows = (block: number, rows: number): number => Math.min(BLOCK_ROWS, rows - block * BLOCK_ROWS);

/** Keys number places with so many digits. */
const KEY_DIGITS = 8;
export const MAX_ROWS = 10 ** KEY_DIGITS;

/** What a generator is for. Separate streams: another formula for churn must not change anyone's age. */
const STREAM = { people: 1, behaviour: 2, outcome: 3, newcomers: 4, names: 5 } as const;

/** January 2026, in months since 1970: when month 0 is observed. */
const FIRST_MONTH = 56 * 12;

/** The first `rows` (at most `BLOCK_ROWS`) places of a block, in the month of the options. */
export function customerBlock(block: number, rows: number, options: Omit<CustomerOptions, "rows">): TableBlock {
  const { seed, month, scenario, from, withTruth } = options;
  const firstPlace = block * BLOCK_ROWS;
  const people = drawPeople(new Random(seed, STREAM.people, block), rows);
  const live = (now: number): Month => {
    const conditions = conditionsOf(scenario, now, from);
    const records = observe(new Random(seed, STREAM.behaviour, now, block), people, now, conditions);
    const truth = churnProbabilities(records, conditions);
    return { records, truth, leavingDay: drawOutcomes(new Random(seed, STREAM.outcome, now, block), truth) };
  };

  let current = live(0);
  for (let now = 1; now <= month; now++) {
    const { newcomers } = conditionsOf(scenario, now, from);
    const arrivals = new Random(seed, STREAM.newcomers, now, block);
    const names = new Random(seed, STREAM.names, now, block);
    advance(arrivals, names, people, current.leavingDay, now, firstPlace, newcomers);
    current = live(now);
  }
  recordMinutes(current.records, firstPlace, conditionsOf(scenario, month, from).minutesPlaces);
  const columns = tableColumns(firstPlace, month, people, current);
  return { rows, columns: withTruth ? [...columns, current.truth] : columns };
}

/** What a block of people does in a month. */
interface Month {
  readonly records: Records;
  readonly truth: Float64Array;
  readonly leavingDay: Uint8Array;
}

/** The values of the columns, in the order of `customerColumns`. */
function tableColumns(
  firstPlace: number,
  month: number,
  people: People,
  { records, leavingDay }: Month,
): ColumnValues[] {
  const rows = leavingDay.length;
  const today = firstDayOf(FIRST_MONTH + month);
  return [
    keys(firstPlace, people.entered),
    new Uint16Array(rows).fill(today),
    people.nameIndex,
    people.nameIndex,
    people.cityIndex,
    signupDates(people, month),
    records.age,
    people.gender,
    records.monthlyCharges,
    records.tenureMonths,
    records.supportTickets,
    records.paymentDelayDays,
    records.avgUsageHours,
    records.contract,
    records.contractMonthsLeft,
    records.plan,
    records.productCount,
    records.paymentMethod,
    records.autoPay,
    records.region,
    records.priceChangePercent,
    records.usageTrendPercent,
    records.daysSinceLogin,
    records.satisfactionScore,
    ...outcomes(leavingDay, today),
  ];
}

/** Whether each customer left, and the day on which that was known: a stayer's after the last day of the horizon. */
function outcomes(leavingDay: Uint8Array, today: number): [Uint8Array, Uint16Array] {
  const churn = new Uint8Array(leavingDay.length);
  const known = new Uint16Array(leavingDay.length);
  for (let place = 0; place < leavingDay.length; place++) {
    const day = leavingDay[place];
    churn[place] = day === STAYED ? 0 : 1;
    known[place] = today + (day === STAYED ? HORIZON_DAYS + 1 : day);
  }
  return [churn, known];
}

/** Two letters for the month of entry, eight digits for the place: no two customers ever share one. */
export const KEY_WIDTH = 2 + KEY_DIGITS;
const LETTERS = 26;
const LETTER_A = 0x41;
const DIGIT_0 = 0x30;

/** Two ASCII characters as one number, as they lie in memory (little-endian). */
const pair = (first: number, second: number): number => first | (second << 8);
const LETTER_PAIRS = Uint16Array.from({ length: MAX_MONTH + 1 }, (_, month) =>
  pair(LETTER_A + Math.floor(month / LETTERS), LETTER_A + (month % LETTERS)),
);
const DIGIT_PAIRS = Uint16Array.from({ length: 100 }, (_, n) => pair(DIGIT_0 + Math.floor(n / 10), DIGIT_0 + (n % 10)));

/** The keys of consecutive places, `KEY_WIDTH` ASCII bytes each. */
function keys(firstPlace: number, entered: Uint8Array): Uint8Array {
  const pairs = new Uint16Array((entered.length * KEY_WIDTH) / 2);
  for (let row = 0, end = 0; row < entered.length; row++) {
    const place = firstPlace + row;
    pairs[end++] = LETTER_PAIRS[entered[row]];
    pairs[end++] = DIGIT_PAIRS[(place / 1_000_000) | 0];
    pairs[end++] = DIGIT_PAIRS[((place / 10_000) | 0) % 100];
    pairs[end++] = DIGIT_PAIRS[((place / 100) | 0) % 100];
    pairs[end++] = DIGIT_PAIRS[place % 100];
  }
  return new Uint8Array(pairs.buffer);
}

/** Days since 1970-01-01 of the first day of a month, given in months since January 1970. */
function firstDayOf(month: number): number {
  return Date.UTC(1970, month, 1) / 86_400_000;
}

/**
 * The signup day, such that exactly `tenure` months are complete on the first day of the month: within the month
 * before those, but not on its first day.
 */
function signupDates({ tenure, signupDay }: People, month: number): Uint16Array {
  const firstDays = Uint16Array.from({ length: MAX_TENURE_MONTHS + month + 1 }, (_, t) =>
    firstDayOf(FIRST_MONTH + month - t - 1),
  );
  const days = new Uint16Array(tenure.length);
  for (let place = 0; place < days.length; place++) days[place] = firstDays[tenure[place]] + signupDay[place] - 1;
  return days;
}
