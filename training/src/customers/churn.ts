/**
 * Whether customers leave: P(churn) as a function of what is recorded, and nothing else, so that the best possible
 * score is known. (A record that a fault of a system spoils afterwards does not change it: then nobody can reach that
 * score.)
 */
import { MISSING } from "../data/table-block.ts";
import type { Random } from "../random.ts";
import { type Records, WEAK_REGION } from "./behaviour.ts";
import { BASIC, MONTHLY, PREMIUM, UNLIMITED } from "./people.ts";
import type { Conditions } from "./scenarios.ts";

/**
 * Computes P(churn | what is recorded) of each place. A missing value makes its terms zero, unless the formula says otherwise;
 * plan, product count and price change are nullable for others who use the model, but always known here.
 */
export function churnProbabilities(records: Records, conditions: Conditions, probabilities: Float64Array): void {
  for (let place = 0; place < probabilities.length; place++) {
    probabilities[place] = 1 / (1 + Math.exp(-logit(records, place, conditions)));
  }
}

/** A term of a whole number, 0 to `most`, looked up: most of the formula. */
const curve = (most: number, term: (value: number) => number): Float64Array =>
  Float64Array.from({ length: most + 1 }, (_, value) => term(value));

const MOST_MONTHS = 600;
const MOST_OTHERS = 255;
const NEW = curve(MOST_MONTHS, (tenure) => 0.9 + 1.8 * (1 - ramp(tenure, 2, 15)));
const SETTLED = curve(MOST_MONTHS, (tenure) => -0.8 * ramp(tenure, 12, 60));
const COMPLAINTS = curve(MOST_OTHERS, (tickets) => ramp(tickets, 1, 7));
const SILENCE = curve(MOST_OTHERS, (login) => (login === MISSING.uint8 ? 0 : 1.2 * ramp(login, 7, 21)));
const FALLING = curve(MOST_OTHERS, (tickets) => 0.6 + 0.9 * ramp(tickets, 1, 3));
const STOPPED_ORDER = curve(MOST_OTHERS, (delay) => 2.0 * ramp(delay, 1, 6) - 0.4);
const LATE_BY_HAND = curve(MOST_OTHERS, (delay) => 0.8 * ramp(delay, 6, 15));
const POOR_OPINION = curve(MOST_OTHERS, (score) => 1 - ramp(score, 3, 6)); // 0 when missing
const GOOD_OPINION = curve(MOST_OTHERS, (score) => (score === MISSING.uint8 ? 0 : -0.7 * ramp(score, 7, 9)));
const PRICE_RISE = curve(MOST_OTHERS, (halves) => ramp(halves / 2, 3, 12));
const OUTGROWN = curve(MOST_OTHERS, (tenths) => 0.8 * ramp(tenths / 10, 2, 4));
const IN_VAIN = curve(MOST_OTHERS, (tenths) => 1.2 * (1 - ramp(tenths / 10, 1.5, 4.5)) - 0.3);
const CONGESTED = curve(MOST_OTHERS, (tenths) => 0.5 * ramp(tenths / 10, 3, 5));
const AGE = curve(MOST_OTHERS, (age) => 0.3 * (1 - ramp(age, 22, 30)) - 0.2 * ramp(age, 55, 70));

function logit(records: Records, place: number, conditions: Conditions): number {
  const tenure = records.tenureMonths[place];
  const contract = records.contract[place];
  const hours = records.avgUsageHours[place];
  const tickets = records.supportTickets[place];
  const delay = records.paymentDelayDays[place];
  const autoPay = records.autoPay[place];
  const products = records.productCount[place];
  const trend = records.usageTrendPercent[place];
  const score = records.satisfactionScore[place];

  // How free a customer is to leave, 0 to 1: bound by a contract until its last months. An unknown number of months
  // counts as many.
  const isFree = contract === MONTHLY || records.contractMonthsLeft[place] <= 2;
  const freedom = isFree ? 1 : contract === MISSING.uint8 ? 0.6 : 0.25;

  let z = -3.25 + SETTLED[tenure] + AGE[records.age[place]];
  const rise = PRICE_RISE[Math.max(0, records.priceChangePercent[place])];
  z += freedom * (NEW[tenure] + conditions.priceRiseWeight * rise);

  // Value for money: heavy users outgrow a small plan, but a large plan is paid in vain without use.
  if (records.plan[place] === BASIC) z += OUTGROWN[hours];
  else if (records.plan[place] >= PREMIUM) z += IN_VAIN[hours];
  if (records.region[place] === WEAK_REGION) z += CONGESTED[hours];

  // Who complains still hopes; who falls silent has left already.
  z += conditions.ticketWeight * COMPLAINTS[tickets];
  if (tickets === 0) z += SILENCE[records.daysSinceLogin[place]];
  if (tickets > 5 && delay > 5) z += 0.5;
  if (trend !== MISSING.int32) z += FALLING[tickets] * ramp(-trend, 5, 25) - 0.4 * ramp(trend, 5, 25);

  // A late payment is a habit of those who pay by hand, but a decision where it was automatic.
  z += autoPay === 1 ? STOPPED_ORDER[delay] : autoPay === 0 ? LATE_BY_HAND[delay] : 0.2;

  z += products === 1 ? 0.2 : products <= 3 ? -0.1 : tenure < 18 ? 0.3 : -0.3;
  z += (0.5 + 0.8 * freedom) * POOR_OPINION[score] + GOOD_OPINION[score];
  return z + reactions(records, place, freedom, conditions);
}

/** What scenarios add; without one all weights are 0. */
function reactions(records: Records, place: number, freedom: number, conditions: Conditions): number {
  const { outageWeight, billWeight, offerWeight, studentWeight } = conditions;
  const charges = records.monthlyCharges[place] / 10;
  let z = 0;
  if (outageWeight !== 0) z += outageWeight * ramp(records.avgUsageHours[place] / 10, 2, 6);
  if (billWeight !== 0) z += billWeight * ramp(charges, 700, 1400);
  if (offerWeight !== 0) {
    z += offerWeight * freedom * ramp(records.tenureMonths[place], 6, 24) * ramp(charges, 500, 1000);
  }
  if (studentWeight !== 0 && isStudent(records, place)) z += studentWeight;
  return z;
}

function isStudent({ age, plan, contract }: Records, place: number): boolean {
  return age[place] <= 25 && plan[place] === UNLIMITED && contract[place] === MONTHLY;
}

/** 0 up to `low`, 1 from `high`, straight between. */
function ramp(value: number, low: number, high: number): number {
  return value <= low ? 0 : value >= high ? 1 : (value - low) / (high - low);
}

/** A stayer's day: none. */
export const STAYED = 0;

/** Days within which a churner leaves: the horizon. */
export const HORIZON_DAYS = 30;

/**
 * Draws the day on which each customer leaves, 1 to `HORIZON_DAYS`, or `STAYED`. The risk is the same on every day, so
 * those at high risk leave earlier.
 */
export function drawOutcomes(random: Random, probabilities: Float64Array, days: Uint8Array): void {
  for (let place = 0; place < days.length; place++) {
    const u = random.uniform();
    const p = probabilities[place];
    const day = u >= p ? STAYED : 1 + Math.floor((HORIZON_DAYS * Math.log1p(-u)) / Math.log1p(-p));
    days[place] = Math.min(HORIZON_DAYS, day);
  }
}
