/**
 * Who the customers are: lasting traits, a place each, and how people come and go.
 *
 * The file is a panel of places, one per row. Every month some places go to newcomers, as often as a customer of
 * that standing is one of the company's last months; and the place of a customer who churned goes to another of the
 * same kind and standing. So the company ages, wins and loses people, and yet looks the same in every month: what
 * changes the picture is a scenario, never time alone.
 */
import { Random } from "../random.ts";
import { Discrete, isBelow, normal, poissonWeights } from "./distributions.ts";

/** One entry per place. */
export interface People {
  /** The month in which they came into the file; with the place, it makes their key. */
  readonly entered: Uint8Array;
  readonly gender: Uint8Array;
  readonly age: Uint8Array; // years, when they came into the file
  readonly nameIndex: Uint16Array;
  readonly cityIndex: Uint16Array;
  readonly plan: Uint8Array;
  readonly contract: Uint8Array;
  readonly tenure: Uint16Array; // completed months
  readonly signupDay: Uint8Array; // 2 to 28
  readonly products: Uint8Array;
  readonly paymentMethod: Uint8Array;
  readonly autoPay: Uint8Array;
  readonly partnerBilled: Uint8Array; // 1: a partner sends the bill and keeps its details
  readonly hasAccount: Uint8Array; // 1: logs in to the website
  readonly stress: Float32Array; // hidden: how hard it is to pay, about standard normal
  readonly engagement: Float32Array; // hidden: how much they like the service, standard normal
}

/** Customers of a kind that a scenario brings in. */
export interface Newcomers {
  readonly kind: "students" | "campaign";
  /** Into which places: every so many. */
  readonly every: number;
  /** In month 0 they take their places; later they renew them like everybody. */
  readonly monthsSince: number;
}

export const GENDERS = ["Female", "Male"] as const;
export const CONTRACTS = ["Month-to-month", "One year", "Two year"] as const;
export const PLANS = ["Basic", "Standard", "Premium", "Unlimited"] as const;
export const PAYMENT_METHODS = ["Card", "Bank transfer", "Wallet", "Invoice"] as const;

export const REGIONS = ["North", "East", "South", "West", "Centre"] as const;

/** How many names and cities there are to draw from. */
export const NAME_COUNT = 4096;
export const CITY_COUNT = 512;
const REGION_CHOICE = new Discrete([0.16, 0.22, 0.2, 0.18, 0.24]);
/** Any constant: cities lie where they lie, in every data set. */
const MAP = new Random(20260101);
export const REGION_OF_CITY = Uint8Array.from({ length: CITY_COUNT }, () => REGION_CHOICE.draw(MAP));

export const MONTHLY = 0;
export const BASIC = 0;
export const PREMIUM = 2;
export const UNLIMITED = 3;
const WALLET = 2;
const INVOICE = 3;

/** The company is twenty-five years old in month 0, and so is its oldest contract. */
export const MAX_TENURE_MONTHS = 300;
/** Scale of the survival curve in months, by contract: who binds himself stays longer. */
const TENURE_SCALE = [22, 40, 62];
/** Below 1, the risk of leaving falls with time: many new customers and a long tail. */
const TENURE_SHAPE = 0.85;

/** P(at least so many months), by contract: Weibull. */
const survival = (contract: number, months: number): number =>
  Math.exp(-((months / TENURE_SCALE[contract]) ** TENURE_SHAPE));
/** P(exactly so many complete months). */
const share = (contract: number, months: number): number => survival(contract, months) - survival(contract, months + 1);

const TENURES = CONTRACTS.map(
  (_, contract) =>
    new Discrete(
      Array.from({ length: MAX_TENURE_MONTHS + 1 }, (_, months) =>
        months < MAX_TENURE_MONTHS ? share(contract, months) : survival(contract, months),
      ),
    ),
);
/**
 * Per contract and tenure, how likely a newcomer has the place next month: as much as the next tenure is rarer.
 * That keeps the distribution of tenures as it is.
 */
const RENEWAL = CONTRACTS.map((_, contract) =>
  Float64Array.from(
    { length: 2 * MAX_TENURE_MONTHS },
    (_, months) => 1 - share(contract, months + 1) / share(contract, months),
  ),
);

/** By age: the young, those in between, those from 60. */
const CONTRACT_CHOICE = [
  [0.68, 0.22, 0.1],
  [0.52, 0.28, 0.2],
  [0.38, 0.3, 0.32],
].map((shares) => new Discrete(shares));
const METHOD_CHOICE = [
  [0.4, 0.15, 0.38, 0.07],
  [0.4, 0.3, 0.18, 0.12],
  [0.2, 0.4, 0.05, 0.35],
].map((shares) => new Discrete(shares));
const ACCOUNT_SHARE = [0.95, 0.95, 0.72];
/** Products beside the plan. */
const EXTRAS = PLANS.map((_, plan) => new Discrete(poissonWeights(0.7 + 0.35 * plan, 4)));
const PARTNER_SHARE = 0.05;

/** Room for so many people. */
export function makePeople(rows: number): People {
  return {
    entered: new Uint8Array(rows),
    gender: new Uint8Array(rows),
    age: new Uint8Array(rows),
    nameIndex: new Uint16Array(rows),
    cityIndex: new Uint16Array(rows),
    plan: new Uint8Array(rows),
    contract: new Uint8Array(rows),
    tenure: new Uint16Array(rows),
    signupDay: new Uint8Array(rows),
    products: new Uint8Array(rows),
    paymentMethod: new Uint8Array(rows),
    autoPay: new Uint8Array(rows),
    partnerBilled: new Uint8Array(rows),
    hasAccount: new Uint8Array(rows),
    stress: new Float32Array(rows),
    engagement: new Float32Array(rows),
  };
}

/** Draws the people of month 0. */
export function drawPeople(random: Random, people: People): void {
  people.entered.fill(0);
  for (let place = 0; place < people.entered.length; place++) {
    drawPerson(random, people, place);
    people.tenure[place] = TENURES[people.contract[place]].draw(random);
  }
}

/**
 * One month later: everybody is a month longer with the company, and some places change hands.
 *
 * @param random Of newcomers, who come whoever left.
 * @param names Of those who take the places of churners: a generator of their own, so that more churn changes nothing
 *   else.
 * @param hasLeft Not 0 for those who left in the month before.
 * @param firstPlace Number of the first place of these people.
 * @param newcomers Whom a scenario brings in, from its first month on.
 */
export function advance(
  random: Random,
  names: Random,
  people: People,
  hasLeft: Uint8Array,
  month: number,
  firstPlace: number,
  newcomers: Newcomers | undefined,
): void {
  const { tenure, contract } = people;
  for (let place = 0; place < tenure.length; place++) {
    const isTheirs = newcomers !== undefined && (firstPlace + place) % newcomers.every === 0;
    const isRenewed = random.uniform() < RENEWAL[contract[place]][tenure[place]];
    tenure[place]++;
    if (isTheirs && (isRenewed || newcomers.monthsSince === 0)) welcome(random, people, place, month, newcomers.kind);
    else if (isRenewed) welcome(random, people, place, month, "any");
    else if (hasLeft[place] !== 0) replace(names, people, place, month);
  }
}

/** A newcomer takes the place. One of any kind has the contract of who was there: contracts keep their shares. */
function welcome(random: Random, people: People, place: number, month: number, kind: Newcomers["kind"] | "any"): void {
  const contract = people.contract[place];
  do drawPerson(random, people, place);
  while (
    (kind === "any" && people.contract[place] !== contract) ||
    (kind === "campaign" && (people.age[place] >= YOUNG || people.paymentMethod[place] !== WALLET))
  );
  if (kind === "students") makeStudent(random, people, place);
  people.tenure[place] = 0;
  people.entered[place] = month;
}

/** Another customer of the same kind and standing: a name and a birthday of his own. */
function replace(random: Random, people: People, place: number, month: number): void {
  drawName(random, people, place);
  people.entered[place] = month;
}

/** Young, on the large plan, by wallet, without a term: the new segment. */
function makeStudent(random: Random, people: People, place: number): void {
  people.age[place] = 18 + random.integer(8);
  people.contract[place] = MONTHLY;
  people.plan[place] = UNLIMITED;
  people.products[place] = 1;
  people.paymentMethod[place] = WALLET;
  people.autoPay[place] = 1;
  people.partnerBilled[place] = 0;
  people.hasAccount[place] = 1;
}

const YOUNG = 30;
const OLD = 60;

function drawPerson(random: Random, people: People, place: number): void {
  // Adults around 44; what would fall below 18 is folded back.
  const age = Math.min(95, 18 + Math.floor(Math.abs(26 + 16 * normal(random))));
  const group = age < YOUNG ? 0 : age < OLD ? 1 : 2;
  const wealth = normal(random) - (group === 0 ? 0.5 : 0);
  const plan = planFor(wealth + 0.9 * normal(random));
  const method = METHOD_CHOICE[group].draw(random);
  const chances = random.int32();
  const others = random.int32();
  const home = random.int32();

  people.age[place] = age;
  people.plan[place] = plan;
  people.contract[place] = CONTRACT_CHOICE[group].draw(random);
  people.products[place] = 1 + EXTRAS[plan].draw(random);
  people.paymentMethod[place] = method;
  people.autoPay[place] = +isBelow(chances >>> 16, method === INVOICE ? 0 : method === WALLET ? 0.4 : 0.72);
  people.partnerBilled[place] = +isBelow(chances & 0xffff, PARTNER_SHARE);
  people.gender[place] = +isBelow(others >>> 16, 0.49);
  people.hasAccount[place] = +isBelow(others & 0xffff, ACCOUNT_SHARE[group]);
  // Few large cities, many small ones: the product of two even draws.
  people.cityIndex[place] = Math.floor((CITY_COUNT * (home >>> 16) * (home & 0xffff)) / 2 ** 32);
  people.stress[place] = -0.6 * wealth + 0.8 * normal(random);
  people.engagement[place] = normal(random);
  drawName(random, people, place);
}

function drawName(random: Random, people: People, place: number): void {
  const bits = random.int32();
  people.nameIndex[place] = (bits >>> 16) % NAME_COUNT;
  people.signupDay[place] = 2 + (((bits & 0xffff) * 27) >>> 16);
}

/** Better-off customers take larger plans; the limits give 30 %, 36 %, 23 % and 11 %. */
function planFor(demand: number): number {
  return demand < -0.75 ? 0 : demand < 0.55 ? 1 : demand < 1.55 ? 2 : 3;
}
