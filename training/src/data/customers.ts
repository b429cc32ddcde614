/**
 * The world of the `customers` data set: synthetic people who behave like customers.
 *
 * Each has lasting traits (who they are, what they signed) and a month's behaviour, which a hidden
 * dissatisfaction pulls along: usage falls, tickets rise, logins get rare before people leave. Churn itself
 * depends on the recorded values only, so `churnProbability` is the best score any model can reach.
 * `docs/customers.md` describes the world and what was measured in it.
 */
import { base, en, Faker } from "@faker-js/faker";
import { Random } from "../random.ts";
import { choice, exponential, gamma, normal, poisson } from "./distributions.ts";
import { type ColumnValues, MISSING, type TableBlock, type TableColumn } from "./table-block.ts";

export interface CustomerOptions {
  readonly rows: number;
  readonly seed: number;
  /** Months since January 2026, the month of the first observation. */
  readonly month?: number;
  /** Adds `churn_truth`, the true probability of churn. */
  readonly withTruth?: boolean;
}

/** Rows drawn from one seed: large enough to amortise a generator, small enough to keep memory flat. */
const BLOCK_ROWS = 65_536;

/** What a generator is for. Separate streams: another formula for churn must not change anyone's age. */
const STREAM = { traits: 1, behaviour: 2, outcome: 3 } as const;

/** January 2026, in months since 1970: when month 0 is observed. */
const FIRST_MONTH = 56 * 12;
/** The company is twenty-five years old, and so is its oldest contract. */
const MAX_TENURE_MONTHS = 300;

/** The pools of names and places are the same in every data set; rows draw indices into them. */
const POOL_SEED = 20260101;
const POOL_NAMES = 4096;
const POOL_CITIES = 512;

const GENDERS = ["Female", "Male"] as const;
const CONTRACTS = ["Month-to-month", "One year", "Two year"] as const;
const PLANS = ["Basic", "Standard", "Premium", "Unlimited"] as const;
const PAYMENT_METHODS = ["Card", "Bank transfer", "Wallet", "Invoice"] as const;
const REGIONS = ["North", "East", "South", "West", "Centre"] as const;

const MONTHLY = 0;
const BASIC = 0;
const WALLET = 2;
const INVOICE = 3;
/** The network of this region is overloaded: heavy users notice. */
const WEAK_REGION = 2;

const REGION_WEIGHTS = [0.16, 0.22, 0.2, 0.18, 0.24];
/** Price of a plan before extras and personal terms, per month. */
const PLAN_CHARGES = [430, 660, 940, 1260];
/** Usual hours of use a day, by plan. */
const PLAN_HOURS = [2.3, 3.1, 4.0, 5.2];
const CONTRACT_MONTHS = [0, 12, 24];
/** Scale of the survival curve in months, by contract: who binds himself stays longer. */
const TENURE_SCALE = [22, 40, 62];
/** Below 1, the risk of leaving falls with time: many new customers and a long tail. */
const TENURE_SHAPE = 0.85;

/** The lasting traits of a block of customers, one entry per row. */
interface Traits {
  readonly gender: Uint8Array;
  readonly age: Int32Array; // years, in month 0
  readonly nameIndex: Uint16Array;
  readonly cityIndex: Uint16Array;
  readonly plan: Uint8Array;
  readonly contract: Uint8Array;
  readonly tenure: Int32Array; // completed months, in month 0
  readonly signupDay: Uint8Array; // 2 to 28
  readonly products: Int32Array;
  readonly paymentMethod: Uint8Array;
  readonly autoPay: Uint8Array;
  readonly partnerBilled: Uint8Array; // 1: a partner sends the bill and keeps its details
  readonly hasAccount: Uint8Array; // 1: logs in to the website
  readonly stress: Float64Array; // hidden: how hard it is to pay, about standard normal
  readonly engagement: Float64Array; // hidden: how much they like the service, standard normal
}

/** What the company's systems know of a block of customers in a month; missing values as in `MISSING`. */
interface Records {
  readonly age: Int32Array;
  readonly gender: Uint8Array;
  readonly monthlyCharges: Float64Array;
  readonly tenureMonths: Int32Array;
  readonly supportTickets: Int32Array;
  readonly paymentDelayDays: Int32Array;
  readonly avgUsageHours: Float64Array;
  readonly contract: Uint8Array;
  readonly contractMonthsLeft: Int32Array;
  readonly plan: Uint8Array;
  readonly productCount: Int32Array;
  readonly paymentMethod: Uint8Array;
  readonly autoPay: Uint8Array;
  readonly region: Uint8Array;
  readonly priceChangePercent: Float64Array;
  readonly usageTrendPercent: Int32Array;
  readonly daysSinceLogin: Int32Array;
  readonly satisfactionScore: Int32Array;
}

/** The columns of the file, in order. */
export function customerColumns({ withTruth = false } = {}): TableColumn[] {
  const { names, emails, cities } = pools();
  const columns: TableColumn[] = [
    { name: "customer_id", type: "VARCHAR", width: KEY_WIDTH },
    { name: "observed_at", type: "DATE" },
    { name: "name", type: "VARCHAR", values: names },
    { name: "email", type: "VARCHAR", values: emails },
    { name: "city", type: "VARCHAR", values: cities },
    { name: "signup_date", type: "DATE" },
    { name: "age", type: "INTEGER" },
    { name: "gender", type: "VARCHAR", values: GENDERS },
    { name: "monthly_charges", type: "DOUBLE" },
    { name: "tenure_months", type: "INTEGER" },
    { name: "support_tickets", type: "INTEGER" },
    { name: "payment_delay_days", type: "INTEGER" },
    { name: "avg_usage_hours", type: "DOUBLE" },
    { name: "contract", type: "VARCHAR", values: CONTRACTS },
    { name: "contract_months_left", type: "INTEGER" },
    { name: "plan", type: "VARCHAR", values: PLANS },
    { name: "product_count", type: "INTEGER" },
    { name: "payment_method", type: "VARCHAR", values: PAYMENT_METHODS },
    { name: "auto_pay", type: "BOOLEAN" },
    { name: "region", type: "VARCHAR", values: REGIONS },
    { name: "price_change_percent", type: "DOUBLE" },
    { name: "usage_trend_percent", type: "INTEGER" },
    { name: "days_since_login", type: "INTEGER" },
    { name: "satisfaction_score", type: "INTEGER" },
    { name: "churn", type: "INTEGER" },
  ];
  if (withTruth) columns.push({ name: "churn_truth", type: "DOUBLE" });
  return columns;
}

/**
 * The customers, in blocks for `writeTable`. A block depends on nothing but the seed, the month and its
 * number, so blocks can be made in any order; the first n rows do not depend on `rows`.
 */
export function* customerBlocks({ rows, seed, month = 0, withTruth = false }: CustomerOptions): Generator<TableBlock> {
  for (let block = 0; block * BLOCK_ROWS < rows; block++) {
    yield customerBlock(block, Math.min(BLOCK_ROWS, rows - block * BLOCK_ROWS), { seed, month, withTruth });
  }
}

/** One block: the first `rows` (at most 65,536) customers of block number `block`. */
export function customerBlock(
  block: number,
  rows: number,
  { seed, month = 0, withTruth = false }: Omit<CustomerOptions, "rows">,
): TableBlock {
  const traits = drawTraits(new Random(seed, STREAM.traits, block), rows);
  const records = drawRecords(new Random(seed, STREAM.behaviour, month, block), traits, month);
  const truth = new Float64Array(rows);
  for (let row = 0; row < rows; row++) truth[row] = churnProbability(records, row);
  const churn = drawOutcomes(new Random(seed, STREAM.outcome, month, block), truth);

  const columns: ColumnValues[] = [
    keys(block * BLOCK_ROWS, rows),
    new Int32Array(rows).fill(firstDayOf(FIRST_MONTH + month)),
    traits.nameIndex,
    traits.nameIndex,
    traits.cityIndex,
    signupDates(traits),
    records.age,
    records.gender,
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
  ];
  if (withTruth) columns.push(truth);
  return { rows, columns };
}

// --- who they are -----------------------------------------------------------------------------------------

function drawTraits(random: Random, rows: number): Traits {
  const traits: Traits = {
    gender: new Uint8Array(rows),
    age: new Int32Array(rows),
    nameIndex: new Uint16Array(rows),
    cityIndex: new Uint16Array(rows),
    plan: new Uint8Array(rows),
    contract: new Uint8Array(rows),
    tenure: new Int32Array(rows),
    signupDay: new Uint8Array(rows),
    products: new Int32Array(rows),
    paymentMethod: new Uint8Array(rows),
    autoPay: new Uint8Array(rows),
    partnerBilled: new Uint8Array(rows),
    hasAccount: new Uint8Array(rows),
    stress: new Float64Array(rows),
    engagement: new Float64Array(rows),
  };
  const { names } = pools();
  for (let row = 0; row < rows; row++) drawPerson(random, traits, row, names.length);
  return traits;
}

function drawPerson(random: Random, traits: Traits, row: number, nameCount: number): void {
  // Adults around 44; what would fall below 18 is folded back.
  const age = Math.min(95, 18 + Math.floor(Math.abs(26 + 16 * normal(random))));
  const isYoung = age < 30;
  const isOld = age >= 60;
  const wealth = normal(random) - (isYoung ? 0.5 : 0);

  const plan = planFor(wealth + 0.9 * normal(random));
  const contract = choice(random, isYoung ? [0.68, 0.22, 0.1] : isOld ? [0.38, 0.3, 0.32] : [0.52, 0.28, 0.2]);
  const lifetime = TENURE_SCALE[contract] * exponential(random) ** (1 / TENURE_SHAPE);
  const method = choice(
    random,
    isOld ? [0.2, 0.4, 0.05, 0.35] : isYoung ? [0.4, 0.15, 0.38, 0.07] : [0.4, 0.3, 0.18, 0.12],
  );

  traits.age[row] = age;
  traits.gender[row] = random.uniform() < 0.49 ? 1 : 0;
  traits.nameIndex[row] = random.integer(nameCount);
  traits.cityIndex[row] = Math.floor(POOL_CITIES * random.uniform() * random.uniform()); // few large, many small
  traits.plan[row] = plan;
  traits.contract[row] = contract;
  traits.tenure[row] = Math.min(MAX_TENURE_MONTHS, Math.floor(lifetime));
  traits.signupDay[row] = 2 + random.integer(27);
  traits.products[row] = Math.min(5, 1 + poisson(random, 0.7 + 0.35 * plan));
  traits.paymentMethod[row] = method;
  traits.autoPay[row] = random.uniform() < (method === INVOICE ? 0 : method === WALLET ? 0.4 : 0.72) ? 1 : 0;
  traits.partnerBilled[row] = random.uniform() < 0.05 ? 1 : 0;
  traits.hasAccount[row] = random.uniform() < (isOld ? 0.72 : 0.95) ? 1 : 0;
  traits.stress[row] = -0.6 * wealth + 0.8 * normal(random);
  traits.engagement[row] = normal(random);
}

/** Better-off customers take larger plans; the limits give 30 %, 36 %, 23 % and 11 %. */
function planFor(demand: number): number {
  return demand < -0.75 ? 0 : demand < 0.55 ? 1 : demand < 1.55 ? 2 : 3;
}

// --- what they do in a month ------------------------------------------------------------------------------

function drawRecords(random: Random, traits: Traits, month: number): Records {
  const rows = traits.age.length;
  const records: Records = {
    age: traits.age.map((age) => age + Math.floor(month / 12)),
    gender: traits.gender,
    monthlyCharges: new Float64Array(rows),
    tenureMonths: traits.tenure.map((tenure) => tenure + month),
    supportTickets: new Int32Array(rows),
    paymentDelayDays: new Int32Array(rows),
    avgUsageHours: new Float64Array(rows),
    contract: traits.contract.slice(),
    contractMonthsLeft: new Int32Array(rows),
    plan: traits.plan.slice(),
    productCount: traits.products,
    paymentMethod: traits.paymentMethod.slice(),
    autoPay: traits.autoPay.slice(),
    region: regionsOf(traits.cityIndex),
    priceChangePercent: new Float64Array(rows),
    usageTrendPercent: new Int32Array(rows),
    daysSinceLogin: new Int32Array(rows),
    satisfactionScore: new Int32Array(rows),
  };
  for (let row = 0; row < rows; row++) {
    drawMonth(random, traits, records, row);
    loseValues(random, traits, records, row);
  }
  return records;
}

/** The chain of causes: price and place → dissatisfaction → use, tickets, logins, trend, opinion. */
function drawMonth(random: Random, traits: Traits, records: Records, row: number): void {
  const plan = traits.plan[row];
  const contract = traits.contract[row];
  const tenure = records.tenureMonths[row];
  const stress = traits.stress[row];

  const priceChange = drawPriceChange(random);
  const extras = 55 * (traits.products[row] - 1);
  const charges = (PLAN_CHARGES[plan] + extras) * Math.exp(0.17 * normal(random)) * (1 + priceChange / 100);
  const isWeak = records.region[row] === WEAK_REGION;
  const dissatisfaction =
    normal(random) + 0.05 * priceChange + (isWeak ? 0.25 : 0) - 0.2 * traits.engagement[row] - 0.1;
  const hours =
    (PLAN_HOURS[plan] / 3) * gamma(random, 3) * Math.exp(0.3 * traits.engagement[row] - 0.25 * dissatisfaction);
  const opinion = 6.9 - 1.5 * dissatisfaction + 0.5 * traits.engagement[row] + 1.1 * normal(random);
  const term = CONTRACT_MONTHS[contract];

  records.priceChangePercent[row] = priceChange;
  records.monthlyCharges[row] = Math.round(100 * fold(charges, 250, 1800)) / 100;
  records.avgUsageHours[row] = Math.round(10 * clamp(hours, 0.2, 16)) / 10;
  records.supportTickets[row] = Math.min(20, poisson(random, Math.exp(0.15 + 0.75 * dissatisfaction)));
  records.paymentDelayDays[row] = drawDelay(random, traits, row, charges, stress);
  records.contractMonthsLeft[row] = contract === MONTHLY ? MISSING.int32 : term - (tenure % term);
  records.usageTrendPercent[row] = Math.round(clamp(-14 * dissatisfaction + 10 * normal(random), -90, 90));
  records.daysSinceLogin[row] = Math.min(90, Math.floor(7 * Math.exp(0.5 * dissatisfaction) * exponential(random)));
  records.satisfactionScore[row] = Math.round(clamp(opinion, 1, 10));
}

/** Percent within the last half-year: for most none, for some a rise, for a few a reduction. Half percents. */
function drawPriceChange(random: Random): number {
  const u = random.uniform();
  if (u < 0.52) return 0;
  if (u < 0.6) return -Math.round(20 * random.uniform()) / 2;
  return Math.round(2 * Math.min(30, 1 + 3.6 * gamma(random, 2))) / 2;
}

/** Days: most pay on time; stress and high charges delay, a standing order prevents all but failures. */
function drawDelay(random: Random, traits: Traits, row: number, charges: number, stress: number): number {
  const pressure = -0.9 + 0.7 * stress + 0.002 * (charges - 800) - (traits.autoPay[row] === 1 ? 0.9 : 0);
  if (random.uniform() >= 1 / (1 + Math.exp(-pressure))) return 0;
  return Math.min(60, 1 + Math.floor((4.5 + 1.5 * Math.max(0, stress)) * gamma(random, 1.3)));
}

/** What real systems do not know. */
function loseValues(random: Random, traits: Traits, records: Records, row: number): void {
  const score = records.satisfactionScore[row];
  // Few answer the survey, and mostly those with something to say.
  const answers = score <= 3 ? 0.6 : score >= 9 ? 0.45 : 0.24;
  if (random.uniform() >= answers) records.satisfactionScore[row] = MISSING.int32;
  if (traits.hasAccount[row] === 0) records.daysSinceLogin[row] = MISSING.int32;
  // A trend compares three months with the three before.
  if (records.tenureMonths[row] < 3) records.usageTrendPercent[row] = MISSING.int32;
  if (traits.partnerBilled[row] === 1) {
    records.paymentMethod[row] = MISSING.uint8;
    records.autoPay[row] = MISSING.uint8;
  }
  // The oldest customers came with a migration that lost some of their papers.
  if (records.tenureMonths[row] > 120 && random.uniform() < 0.15) {
    records.contract[row] = MISSING.uint8;
    records.contractMonthsLeft[row] = MISSING.int32;
  }
  if (random.uniform() < 0.01) records.region[row] = MISSING.uint8;
}

// --- whether they leave -----------------------------------------------------------------------------------

/**
 * P(churn | what is recorded). A missing value makes its terms zero, unless the formula says otherwise; plan,
 * product count and price change are nullable for others who use the model, but always known here.
 */
function churnProbability(records: Records, row: number): number {
  const tenure = records.tenureMonths[row];
  const contract = records.contract[row];
  const monthsLeft = records.contractMonthsLeft[row];
  const plan = records.plan[row];
  const hours = records.avgUsageHours[row];
  const tickets = records.supportTickets[row];
  const delay = records.paymentDelayDays[row];
  const autoPay = records.autoPay[row];
  const products = records.productCount[row];
  const login = records.daysSinceLogin[row];
  const trend = records.usageTrendPercent[row];
  const score = records.satisfactionScore[row];
  const age = records.age[row];

  // How free a customer is to leave, 0 to 1: bound by a contract until its last months.
  const isEnding = contract !== MONTHLY && monthsLeft !== MISSING.int32 && monthsLeft <= 2;
  const freedom = contract === MONTHLY || isEnding ? 1 : contract === MISSING.uint8 ? 0.6 : 0.25;

  let logit = -3.25;
  logit += freedom * (0.9 + 1.8 * (1 - ramp(tenure, 2, 15)) + 1.2 * ramp(records.priceChangePercent[row], 3, 12));
  logit -= 0.8 * ramp(tenure, 12, 60);

  // Value for money: heavy users outgrow a small plan, but a large plan is paid in vain without use.
  const isLarge = plan >= 2;
  logit += plan === BASIC ? 0.8 * ramp(hours, 2, 4) : 0;
  logit += isLarge ? 1.2 * (1 - ramp(hours, 1.5, 4.5)) - 0.3 : 0;
  logit += records.region[row] === WEAK_REGION ? 0.5 * ramp(hours, 3, 5) : 0;

  // Who complains still hopes; who falls silent has left already.
  logit += 2.0 * ramp(tickets, 1, 7);
  logit += tickets === 0 && login !== MISSING.int32 ? 1.2 * ramp(login, 7, 21) : 0;
  logit += tickets > 5 && delay > 5 ? 0.5 : 0;
  logit +=
    trend === MISSING.int32 ? 0 : (0.6 + 0.9 * ramp(tickets, 1, 3)) * ramp(-trend, 5, 25) - 0.4 * ramp(trend, 5, 25);

  // A late payment is a habit of those who pay by hand, but a decision where it was automatic.
  logit += autoPay === 1 ? 2.0 * ramp(delay, 1, 6) - 0.4 : autoPay === 0 ? 0.8 * ramp(delay, 6, 15) : 0.2;

  logit += products === 1 ? 0.2 : products <= 3 ? -0.1 : tenure < 18 ? 0.3 : -0.3;
  logit += score === MISSING.int32 ? 0 : (0.5 + 0.8 * freedom) * (1 - ramp(score, 3, 6)) - 0.7 * ramp(score, 7, 9);
  logit += 0.3 * (1 - ramp(age, 22, 30)) - 0.2 * ramp(age, 55, 70);
  return 1 / (1 + Math.exp(-logit));
}

function drawOutcomes(random: Random, probabilities: Float64Array): Uint8Array {
  const outcomes = new Uint8Array(probabilities.length);
  for (let row = 0; row < outcomes.length; row++) outcomes[row] = random.uniform() < probabilities[row] ? 1 : 0;
  return outcomes;
}

/** 0 up to `low`, 1 from `high`, straight between. */
function ramp(value: number, low: number, high: number): number {
  return value <= low ? 0 : value >= high ? 1 : (value - low) / (high - low);
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** Folds what lies beyond a limit back inside, where a clamp would pile it up. */
function fold(value: number, low: number, high: number): number {
  const folded = value < low ? 2 * low - value : value > high ? 2 * high - value : value;
  return clamp(folded, low, high);
}

// --- keys, dates, pools -----------------------------------------------------------------------------------

/** "C" and nine digits. */
const KEY_WIDTH = 10;

/** The keys of consecutive customers, `KEY_WIDTH` ASCII bytes each. */
function keys(first: number, rows: number): Uint8Array {
  const bytes = new Uint8Array(rows * KEY_WIDTH);
  const key = new TextEncoder().encode(`C${String(first).padStart(KEY_WIDTH - 1, "0")}`);
  for (let row = 0, end = 0; row < rows; row++) {
    for (let i = 0; i < KEY_WIDTH; i++) bytes[end++] = key[i];
    // Add one, as on paper.
    let digit = KEY_WIDTH - 1;
    while (key[digit] === 0x39) key[digit--] = 0x30;
    key[digit]++;
  }
  return bytes;
}

/** Days since 1970-01-01 of the first day of a month, given in months since January 1970. */
function firstDayOf(month: number): number {
  return Date.UTC(1970, month, 1) / 86_400_000;
}

/**
 * The signup day, such that exactly `tenure` months are complete on the first day of the first month:
 * within the month before those, but not on its first day.
 */
function signupDates({ tenure, signupDay }: Traits): Int32Array {
  const firstDays = Int32Array.from({ length: MAX_TENURE_MONTHS + 1 }, (_, t) => firstDayOf(FIRST_MONTH - t - 1));
  return tenure.map((months, row) => firstDays[months] + signupDay[row] - 1);
}

function regionsOf(cityIndex: Uint16Array): Uint8Array {
  const { regionOfCity } = pools();
  const regions = new Uint8Array(cityIndex.length);
  for (let row = 0; row < regions.length; row++) regions[row] = regionOfCity[cityIndex[row]];
  return regions;
}

interface Pools {
  readonly names: readonly string[];
  readonly emails: readonly string[];
  readonly cities: readonly string[];
  readonly regionOfCity: Uint8Array;
}

let madePools: Pools | undefined;

/** Made once per process, in a few dozen milliseconds. */
function pools(): Pools {
  madePools ??= makePools();
  return madePools;
}

function makePools(): Pools {
  const faker = new Faker({ locale: [en, base], seed: POOL_SEED });
  const people = new Map<string, string>();
  while (people.size < POOL_NAMES) {
    const firstName = faker.person.firstName();
    const lastName = faker.person.lastName();
    const name = `${firstName} ${lastName}`;
    const email = `${firstName}.${lastName}@example.com`.toLowerCase().replaceAll(/[^a-z.@]/g, "");
    people.set(name, email);
  }
  const cities = new Set<string>();
  while (cities.size < POOL_CITIES) cities.add(faker.location.city());

  const random = new Random(POOL_SEED);
  const regionOfCity = Uint8Array.from(cities, () => choice(random, REGION_WEIGHTS));
  return { names: [...people.keys()], emails: [...people.values()], cities: [...cities], regionOfCity };
}
