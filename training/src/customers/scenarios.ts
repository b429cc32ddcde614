/**
 * What can happen to the world: each scenario is a few numbers that hold from its first month on.
 *
 * The two sides are kept apart on purpose. *What is recorded* (bills, use, tickets, who comes) is what a test on
 * inputs can see; *how people react* to what is recorded is what only outcomes show. `docs/scenarios.md` measures both.
 */
import type { Newcomers } from "./people.ts";

/** The state of the world in a month. */
export interface Conditions {
  // What is recorded:
  readonly chargesFactor: number;
  readonly priceRise: number; // percent, on top of everybody's own price change
  readonly dissatisfaction: number; // standard deviations, added to everybody's
  readonly ticketFactor: number; // of the expected number of tickets
  readonly usageFactor: number;
  readonly paymentPressure: number; // log-odds of paying late
  readonly minutesPlaces: number; // of ten places, so many record minutes of use where hours belong
  readonly newcomers: Newcomers | undefined;
  // How people react, in log-odds of churn:
  readonly priceRiseWeight: number; // of a recorded price rise
  readonly ticketWeight: number; // of many tickets
  readonly outageWeight: number; // of heavy use
  readonly billWeight: number; // of a large bill
  readonly offerWeight: number; // of a settled customer with a large bill who is free to go
  readonly studentWeight: number; // of a student
}

/** What a scenario changes, and when; months are counted from its first. */
interface Scenario {
  readonly description: string;
  readonly changes: (monthsSince: number) => Partial<Conditions>;
}

/** A price change is on record for so many months. */
const PRICE_CHANGE_MONTHS = 6;

export const SCENARIOS = {
  stable: { description: "seasons only", changes: () => ({}) },
  "price-increase": {
    description: "bills rise by 15 %: a rise for all is resented less than one's own, but a large bill more",
    changes: (monthsSince) => ({
      chargesFactor: 1.15,
      priceRise: monthsSince < PRICE_CHANGE_MONTHS ? 15 : 0,
      dissatisfaction: 0.2,
      priceRiseWeight: 0.5,
      billWeight: 1.4,
    }),
  },
  "service-outage": {
    description: "the network fails: everybody complains, heavy users leave",
    changes: () => ({ dissatisfaction: 0.5, ticketFactor: 1.6, ticketWeight: 0.5, outageWeight: 1.4 }),
  },
  "new-segment": {
    description: "one customer in ten is a student, a kind the company did not know; they stay",
    changes: (monthsSince) => ({ newcomers: { kind: "students", every: 10, monthsSince }, studentWeight: -2.5 }),
  },
  "marketing-mix": {
    description: "a campaign brings more young customers who pay by wallet; nobody behaves otherwise",
    changes: (monthsSince) => ({ newcomers: { kind: "campaign", every: 5, monthsSince } }),
  },
  "competitor-offer": {
    description: "a competitor courts settled customers with large bills; nothing recorded changes",
    changes: () => ({ offerWeight: 1.6 }),
  },
  "unit-bug": {
    description: "three systems in ten record hours of use as minutes",
    changes: () => ({ minutesPlaces: 3 }),
  },
} satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof SCENARIOS;

/** Of the usual use and of the log-odds of paying late, at their height in January. */
const SEASON = { usage: 0.02, paymentPressure: 0.06 };

/** @param from The scenario's first month. */
export function conditionsOf(name: ScenarioName, month: number, from: number): Conditions {
  const season = Math.cos((2 * Math.PI * month) / 12);
  const { changes }: Scenario = SCENARIOS[name];
  return {
    chargesFactor: 1,
    priceRise: 0,
    dissatisfaction: 0,
    ticketFactor: 1,
    usageFactor: 1 + SEASON.usage * season,
    paymentPressure: SEASON.paymentPressure * season,
    minutesPlaces: 0,
    priceRiseWeight: 1.2,
    ticketWeight: 2,
    outageWeight: 0,
    billWeight: 0,
    offerWeight: 0,
    studentWeight: 0,
    newcomers: undefined,
    ...(month >= from && changes(month - from)),
  };
}
