/**
 * The world of the `customers` data set: synthetic people who behave like customers, month after month.
 *
 * Rows are made in blocks of places. A block depends on nothing but the seed, the scenario, the month and its number,
 * so blocks can be made in any order and on any thread. `docs/customers.md` describes the world and what was measured
 * in it, `docs/scenarios.md` what can happen to it.
 */
import type { ColumnValues, TableBlock } from "../data/table-block.ts";
import { Random } from "../random.ts";
import { makeRecords, observe, type Records, recordMinutes } from "./behaviour.ts";
import { churnProbabilities, drawOutcomes, HORIZON_DAYS, STAYED } from "./churn.ts";
import { KEY_DIGITS, MAX_MONTH } from "./limits.ts";
import { advance, drawPeople, MAX_TENURE_MONTHS, makePeople, type People } from "./people.ts";
import { conditionsOf, type ScenarioName } from "./scenarios.ts";

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

/** What a generator is for. Separate streams: another formula for churn must not change anyone's age. */
const STREAM = { people: 1, behaviour: 2, outcome: 3, newcomers: 4, names: 5 } as const;

/** January 2026, in months since 1970: when month 0 is observed. */
const FIRST_MONTH = 56 * 12;

/** Where a block is made. Used again for the next one, it spares the memory manager a fifth of all the work. */
export class BlockMemory {
  readonly rows: number;
  readonly people: People;
  readonly records: Records;
  readonly truth: Float64Array;
  readonly leavingDay: Uint8Array;
  readonly keys: Uint8Array;
  readonly observedAt: Uint16Array;
  readonly signupDate: Uint16Array;
  readonly churn: Uint8Array;
  readonly outcomeAt: Uint16Array;

  constructor(rows: number) {
    this.rows = rows;
    this.people = makePeople(rows);
    this.records = makeRecords(rows);
    this.truth = new Float64Array(rows);
    this.leavingDay = new Uint8Array(rows);
    this.keys = new Uint8Array(rows * KEY_WIDTH);
    this.observedAt = new Uint16Array(rows);
    this.signupDate = new Uint16Array(rows);
    this.churn = new Uint8Array(rows);
    this.outcomeAt = new Uint16Array(rows);
  }
}

/**
 * The first places of a block, as many as the memory has rows (at most `BLOCK_ROWS`), in the month of the options.
 *
 * @returns views of the memory
 */
export function customerBlock(block: number, memory: BlockMemory, options: Omit<CustomerOptions, "rows">): TableBlock {
  const { seed, month, scenario, from, withTruth } = options;
  const { people, records, truth, leavingDay } = memory;
  const firstPlace = block * BLOCK_ROWS;
  drawPeople(new Random(seed, STREAM.people, block), people);
  for (let now = 0; now <= month; now++) {
    const conditions = conditionsOf(scenario, now, from);
    if (now > 0) {
      const arrivals = new Random(seed, STREAM.newcomers, now, block);
      const names = new Random(seed, STREAM.names, now, block);
      advance(arrivals, names, people, leavingDay, now, firstPlace, conditions.newcomers);
    }
    observe(new Random(seed, STREAM.behaviour, now, block), people, now, conditions, records);
    churnProbabilities(records, conditions, truth);
    drawOutcomes(new Random(seed, STREAM.outcome, now, block), truth, leavingDay);
  }
  recordMinutes(records, firstPlace, conditionsOf(scenario, month, from).minutesPlaces);
  writeKeys(memory, firstPlace);
  writeDates(memory, month);
  return { rows: memory.rows, columns: withTruth ? [...tableColumns(memory), truth] : tableColumns(memory) };
}

/**
 * Makes one block after the other in the same memory: a block is valid until the next is made. The last is made whole
 * and cut, so that who is in a file does not depend on how many are.
 */
export class BlockMaker {
  readonly #options: CustomerOptions;
  readonly #memory = new BlockMemory(BLOCK_ROWS);

  constructor(options: CustomerOptions) {
    this.#options = options;
  }

  make(block: number): TableBlock {
    const rows = Math.min(BLOCK_ROWS, this.#options.rows - block * BLOCK_ROWS);
    const { columns } = customerBlock(block, this.#memory, this.#options);
    if (rows === BLOCK_ROWS) return { rows, columns };
    return { rows, columns: columns.map((values) => values.slice(0, (values.length / BLOCK_ROWS) * rows)) };
  }
}

/** The values of the columns, in the order of `customerColumns`. */
function tableColumns({
  keys,
  observedAt,
  people,
  signupDate,
  records,
  churn,
  outcomeAt,
}: BlockMemory): ColumnValues[] {
  return [
    keys,
    observedAt,
    people.nameIndex,
    people.nameIndex,
    people.cityIndex,
    signupDate,
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
    churn,
    outcomeAt,
  ];
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
function writeKeys({ keys, people: { entered } }: BlockMemory, firstPlace: number): void {
  const pairs = new Uint16Array(keys.buffer);
  for (let row = 0, end = 0; row < entered.length; row++) {
    const place = firstPlace + row;
    pairs[end++] = LETTER_PAIRS[entered[row]];
    pairs[end++] = DIGIT_PAIRS[(place / 1_000_000) | 0];
    pairs[end++] = DIGIT_PAIRS[((place / 10_000) | 0) % 100];
    pairs[end++] = DIGIT_PAIRS[((place / 100) | 0) % 100];
    pairs[end++] = DIGIT_PAIRS[place % 100];
  }
}

/**
 * When they signed up: such that exactly `tenure` months are complete on the first day of the month, within the month
 * before those but not on its first day. And when it was known whether they left: a stayer's day is the one after the
 * horizon.
 */
function writeDates(
  { people, leavingDay, observedAt, signupDate, churn, outcomeAt }: BlockMemory,
  month: number,
): void {
  const { tenure, signupDay } = people;
  const today = firstDayOf(FIRST_MONTH + month);
  const firstDays = Uint16Array.from({ length: MAX_TENURE_MONTHS + month + 1 }, (_, t) =>
    firstDayOf(FIRST_MONTH + month - t - 1),
  );
  observedAt.fill(today);
  for (let place = 0; place < tenure.length; place++) {
    const day = leavingDay[place];
    signupDate[place] = firstDays[tenure[place]] + signupDay[place] - 1;
    churn[place] = day === STAYED ? 0 : 1;
    outcomeAt[place] = today + (day === STAYED ? HORIZON_DAYS + 1 : day);
  }
}

/** Days since 1970-01-01 of the first day of a month, given in months since January 1970. */
function firstDayOf(month: number): number {
  return Date.UTC(1970, month, 1) / 86_400_000;
}
