/**
 * What customers do in a month, as the company's systems record it.
 *
 * A hidden dissatisfaction, which a price rise and the overloaded network of one region increase, pulls use and its
 * trend down, tickets up, logins apart and the survey score down. Then records lose values, as real systems do.
 */
import { MISSING } from "../data/table-block.ts";
import type { Random } from "../random.ts";
import { Discrete, erlang3, exp, exponential, gamma, isBelow, normal, poissonWeights } from "./distributions.ts";
import { type People, REGION_OF_CITY } from "./people.ts";
import type { Conditions } from "./scenarios.ts";

/** One entry per place; missing values as in `MISSING`. */
export interface Records {
  readonly age: Uint8Array;
  readonly monthlyCharges: Uint16Array; // tenths
  readonly tenureMonths: Uint16Array;
  readonly supportTickets: Uint8Array;
  readonly paymentDelayDays: Uint8Array;
  readonly avgUsageHours: Uint16Array; // tenths, 2 to 160
  readonly contract: Uint8Array;
  readonly contractMonthsLeft: Uint8Array;
  readonly plan: Uint8Array;
  readonly productCount: Uint8Array;
  readonly paymentMethod: Uint8Array;
  readonly autoPay: Uint8Array;
  readonly region: Uint8Array;
  readonly priceChangePercent: Int32Array; // halves
  readonly usageTrendPercent: Int32Array;
  readonly daysSinceLogin: Uint8Array;
  readonly satisfactionScore: Uint8Array;
  readonly dissatisfaction: Float64Array; // hidden: standard deviations
}

/** The network of this region is overloaded: heavy users notice. */
export const WEAK_REGION = 2;

/** Price of a plan before extras and personal terms, per month. */
const PLAN_CHARGES = [430, 660, 940, 1260];
/** Usual hours of use a day, by plan. */
const PLAN_HOURS = [2.3, 3.1, 4.0, 5.2];
const CONTRACT_MONTHS = [0, 12, 24];

/** Half percents from −10 to 30: for most no change, for some a rise, for a few a reduction. */
const LOWEST_PRICE_CHANGE = -20;
const PRICE_CHANGES = new Discrete(
  Array.from({ length: 81 }, (_, i) => {
    const halves = i + LOWEST_PRICE_CHANGE;
    if (halves === 0) return 0.52;
    return halves < 0 ? 0.08 / -LOWEST_PRICE_CHANGE : 0.4 * priceRiseShare(halves);
  }),
);

/** P(a rise of so many half percents): 1 + 3.6 γ percent, γ a gamma of shape 2, at most 30. */
function priceRiseShare(halves: number): number {
  const reaches = (edge: number): number => {
    const x = Math.max(0, (edge / 2 - 1) / 3.6);
    return (1 + x) * Math.exp(-x); // P(γ > x)
  };
  return reaches(halves - 0.5) - (halves === 60 ? 0 : reaches(halves + 0.5));
}

/** Tickets are a Poisson count; its mean depends on dissatisfaction, in steps of an eighth. */
const MOST_TICKETS = 20;
const TICKET_STEPS = 8;
const TICKET_LIMIT = 6;
const ticketTables = new Map<number, readonly Discrete[]>();

function ticketTable(factor: number): readonly Discrete[] {
  const known = ticketTables.get(factor);
  if (known !== undefined) return known;
  const table = Array.from({ length: 2 * TICKET_LIMIT * TICKET_STEPS + 1 }, (_, i) => {
    const mean = factor * Math.exp(0.15 + 0.75 * (i / TICKET_STEPS - TICKET_LIMIT));
    return new Discrete(poissonWeights(mean, MOST_TICKETS));
  });
  ticketTables.set(factor, table);
  return table;
}

/** Room for the records of so many people. */
export function makeRecords(rows: number): Records {
  return {
    age: new Uint8Array(rows),
    monthlyCharges: new Uint16Array(rows),
    tenureMonths: new Uint16Array(rows),
    supportTickets: new Uint8Array(rows),
    paymentDelayDays: new Uint8Array(rows),
    avgUsageHours: new Uint16Array(rows),
    contract: new Uint8Array(rows),
    contractMonthsLeft: new Uint8Array(rows),
    plan: new Uint8Array(rows),
    productCount: new Uint8Array(rows),
    paymentMethod: new Uint8Array(rows),
    autoPay: new Uint8Array(rows),
    region: new Uint8Array(rows),
    priceChangePercent: new Int32Array(rows),
    usageTrendPercent: new Int32Array(rows),
    daysSinceLogin: new Uint8Array(rows),
    satisfactionScore: new Uint8Array(rows),
    dissatisfaction: new Float64Array(rows),
  };
}

/** Records a month of what people do. */
export function observe(random: Random, people: People, month: number, conditions: Conditions, records: Records): void {
  recordContracts(people, records, month);
  drawBills(random, people, records, conditions);
  drawDissatisfaction(random, people, records, conditions);
  drawUse(random, people, records, conditions);
  drawContacts(random, people, records, conditions);
  loseValues(random, people, records);
}

// The chain of causes: price and place → dissatisfaction → use, trend, tickets, logins, opinion. Each stage is a loop
// of its own, small enough for the engine to put the draws in line.

function recordContracts(people: People, records: Records, month: number): void {
  const { age, entered, nameIndex, contract, tenure, cityIndex } = people;
  records.tenureMonths.set(tenure);
  records.contract.set(contract);
  records.plan.set(people.plan);
  records.productCount.set(people.products);
  records.paymentMethod.set(people.paymentMethod);
  records.autoPay.set(people.autoPay);
  for (let place = 0; place < age.length; place++) {
    const term = CONTRACT_MONTHS[contract[place]];
    // Birthdays are spread over the year: the name stands for chance.
    records.age[place] = age[place] + Math.floor((month - entered[place] + (nameIndex[place] % 12)) / 12);
    records.region[place] = REGION_OF_CITY[cityIndex[place]];
    records.contractMonthsLeft[place] = term === 0 ? MISSING.uint8 : term - (tenure[place] % term);
  }
}

function drawBills(random: Random, people: People, records: Records, conditions: Conditions): void {
  const { plan, products, autoPay, stress } = people;
  const { chargesFactor, priceRise, paymentPressure } = conditions;
  for (let place = 0; place < plan.length; place++) {
    const halves = PRICE_CHANGES.draw(random) + LOWEST_PRICE_CHANGE;
    const list = PLAN_CHARGES[plan[place]] + 55 * (products[place] - 1);
    const charges = chargesFactor * fold(list * exp(0.17 * normal(random)) * (1 + halves / 200), 250, 1800);
    const pressure = -0.9 + 0.7 * stress[place] + 0.002 * (charges - 800) - 0.9 * autoPay[place] + paymentPressure;
    records.priceChangePercent[place] = halves + 2 * priceRise;
    records.monthlyCharges[place] = Math.round(10 * charges);
    records.paymentDelayDays[place] = drawDelay(random, pressure, stress[place]);
  }
}

/** A rise for everybody is part of the conditions: people resent their own more. */
function drawDissatisfaction(random: Random, people: People, records: Records, conditions: Conditions): void {
  const { engagement } = people;
  const { dissatisfaction } = records;
  const { dissatisfaction: general, priceRise } = conditions;
  for (let place = 0; place < dissatisfaction.length; place++) {
    const ownHalves = records.priceChangePercent[place] - 2 * priceRise;
    const network = records.region[place] === WEAK_REGION ? 0.25 : 0;
    dissatisfaction[place] = general + normal(random) + 0.025 * ownHalves + network - 0.2 * engagement[place] - 0.1;
  }
}

function drawUse(random: Random, { plan, engagement }: People, records: Records, { usageFactor }: Conditions): void {
  const { dissatisfaction } = records;
  for (let place = 0; place < plan.length; place++) {
    const liking = exp(0.3 * engagement[place] - 0.25 * dissatisfaction[place]);
    const hours = usageFactor * (PLAN_HOURS[plan[place]] / 3) * erlang3(random) * liking;
    records.avgUsageHours[place] = Math.round(10 * clamp(hours, 0.2, 16));
    const trend = clamp(-14 * dissatisfaction[place] + 10 * normal(random), -90, 90);
    records.usageTrendPercent[place] = Math.round(trend);
  }
}

function drawContacts(random: Random, { engagement }: People, records: Records, { ticketFactor }: Conditions): void {
  const { dissatisfaction } = records;
  const tickets = ticketTable(ticketFactor);
  for (let place = 0; place < engagement.length; place++) {
    const bounded = clamp(dissatisfaction[place], -TICKET_LIMIT, TICKET_LIMIT);
    const opinion = 6.9 - 1.5 * bounded + 0.5 * engagement[place] + 1.1 * normal(random);
    records.supportTickets[place] = tickets[Math.round(TICKET_STEPS * (bounded + TICKET_LIMIT))].draw(random);
    records.daysSinceLogin[place] = Math.min(90, Math.floor(7 * exp(0.5 * bounded) * exponential(random)));
    records.satisfactionScore[place] = Math.round(clamp(opinion, 1, 10));
  }
}

/** Days: most pay on time; stress and high charges delay, a standing order prevents all but failures. */
function drawDelay(random: Random, pressure: number, stress: number): number {
  const odds = exp(pressure);
  if (random.uniform() * (1 + odds) >= odds) return 0;
  return Math.min(60, 1 + Math.floor((4.5 + 1.5 * Math.max(0, stress)) * gamma(random, 1.3)));
}

/** The share of customers who answer the survey, by the score they would give: mostly those with something to say. */
const ANSWERS = Float64Array.from({ length: 11 }, (_, score) => (score <= 3 ? 0.6 : score >= 9 ? 0.45 : 0.24));
const LOST_REGIONS = 0.01;
/** The oldest customers came with a migration that lost some of their papers. */
const MIGRATION_TENURE = 120;
const LOST_PAPERS = 0.15;

/** What real systems do not know. */
function loseValues(random: Random, { hasAccount, partnerBilled }: People, records: Records): void {
  for (let place = 0; place < hasAccount.length; place++) {
    const chances = random.int32();
    if (!isBelow(chances >>> 16, ANSWERS[records.satisfactionScore[place]])) {
      records.satisfactionScore[place] = MISSING.uint8;
    }
    if (isBelow(chances & 0xffff, LOST_REGIONS)) records.region[place] = MISSING.uint8;
    if (hasAccount[place] === 0) records.daysSinceLogin[place] = MISSING.uint8;
    // A trend compares three months with the three before.
    if (records.tenureMonths[place] < 3) records.usageTrendPercent[place] = MISSING.int32;
    if (partnerBilled[place] === 1) {
      records.paymentMethod[place] = MISSING.uint8;
      records.autoPay[place] = MISSING.uint8;
    }
    if (records.tenureMonths[place] > MIGRATION_TENURE && random.uniform() < LOST_PAPERS) {
      records.contract[place] = MISSING.uint8;
      records.contractMonthsLeft[place] = MISSING.uint8;
    }
  }
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** Folds what lies beyond a limit back inside, where a clamp would pile it up. */
function fold(value: number, low: number, high: number): number {
  const folded = value < low ? 2 * low - value : value > high ? 2 * high - value : value;
  return clamp(folded, low, high);
}

/** The fault of some systems: sixty times what it should be, in the same places every month. */
export function recordMinutes({ avgUsageHours }: Records, firstPlace: number, minutesPlaces: number): void {
  if (minutesPlaces === 0) return;
  for (let place = 0; place < avgUsageHours.length; place++) {
    if ((firstPlace + place) % 10 < minutesPlaces) avgUsageHours[place] *= 60;
  }
}
