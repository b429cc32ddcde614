/**
 * Comparisons of two models, each on customers of its own whose outcomes are drawn from their true probabilities, and what
 * three rules make of them: the gate, a higher profit, and the seed's.
 *
 * A pair's differences are moved by a constant, so that in truth they are what a case says. The seed's rule is not moved:
 * F1 is no mean of customers.
 */
import type { Economics } from "../contract/src/index.ts";
import { contactValues } from "../training/src/evaluation/economics.ts";
import { logLossOf } from "../training/src/evaluation/metrics.ts";
import { f1 } from "../training/src/evaluation/threshold.ts";
import { AcceptanceProfit } from "../training/src/gate/acceptance-profit.ts";
import { type PairedDifference, pairedDifference } from "../training/src/gate/paired-difference.ts";
import { attemptLevel, decide } from "../training/src/gate/rule.ts";
import { type GateSlice, sliceVetoes } from "../training/src/gate/vetoes.ts";
import type { Random } from "../training/src/random.ts";
import { type Contacts, contactsOfTrainingRows, type Judged, type Pool } from "./gate-models.ts";

/** Of customers who have judged nobody before. */
export const LEVEL = attemptLevel(1);
/** The seed holds out one row in five, and computes F1 on all: to each held-out row belong so many training rows. */
const TRAINING_ROWS_PER_HELD_OUT = 4;

const MEASURES = ["acceptanceProfit", "profit", "logLossGain"] as const;
type PerMeasure = Readonly<Record<(typeof MEASURES)[number], number>>;

export interface Pair {
  readonly champion: Judged;
  readonly challenger: Judged;
}

export interface Contest extends Pair {
  /** Per customer of the pool each measure's difference if he stays, then each if he leaves: together, as memory is slow. */
  readonly gains: Float64Array;
  /** True differences per customer, challenger's over champion's. */
  readonly means: PerMeasure;
  /** Standard deviation of the acceptance profit's difference. */
  readonly standardDeviation: number;
  readonly onTrainingRows: BothContacts;
}

interface BothContacts {
  readonly champion: Contacts;
  readonly challenger: Contacts;
}

export interface Case {
  readonly name: string;
  /** The acceptance profit that the difference is moved to, as a share of the champion's profit; undefined as it is. */
  readonly to?: number;
  /** Whether the log-loss is made equal, too. */
  readonly isEqual?: boolean;
  readonly hasAlarm?: boolean;
}

/** Promotions. */
export interface Counted {
  gate: number;
  /** Before groups can veto. */
  rule: number;
  /** Among these, of challengers that are truly not better. */
  wrongly: number;
  higherProfit: number;
  seed: number;
}

export async function contestOf({ champion, challenger }: Pair, pool: Pool): Promise<Contest> {
  const economics = economicsOf(challenger);
  const [worth, uncertain] = [contactValues(economics), new AcceptanceProfit(economics)];
  const gainsOf = (row: number, label: number): PerMeasure => {
    const [before, now] = [champion.scores[row], challenger.scores[row]];
    const contact = label === 1 ? worth.churner : worth.stayer;
    return {
      acceptanceProfit: uncertain.of(now, label) - uncertain.of(before, label),
      profit: (challenger.contacts[row] - champion.contacts[row]) * contact,
      logLossGain: logLossOf(before, label) - logLossOf(now, label),
    };
  };
  const rows = pool.truth.length;
  const gains = new Float64Array(2 * MEASURES.length * rows);
  const means = { acceptanceProfit: 0, profit: 0, logLossGain: 0 };
  let squares = 0;
  for (let row = 0; row < rows; row++) {
    for (const label of [0, 1]) {
      const own = gainsOf(row, label);
      const weight = (label === 1 ? pool.truth[row] : 1 - pool.truth[row]) / rows;
      for (const [m, measure] of MEASURES.entries()) {
        gains[(2 * row + label) * MEASURES.length + m] = own[measure];
        means[measure] += weight * own[measure];
      }
      squares += weight * own.acceptanceProfit ** 2;
    }
  }
  return {
    champion,
    challenger,
    gains,
    means,
    standardDeviation: Math.sqrt(squares - means.acceptanceProfit ** 2),
    onTrainingRows: {
      champion: await contactsOfTrainingRows(champion.model, challenger.data),
      challenger: await contactsOfTrainingRows(challenger.model, challenger.data),
    },
  };
}

const economicsOf = ({ model }: Judged): Economics => model.manifest.dataset.economics as Economics;

export interface CountOptions {
  readonly comparisons: number;
  /** Customers of one. */
  readonly size: number;
  readonly random: Random;
}

/** @returns of each case, all of them on the same customers */
export function count(
  cases: readonly Case[],
  contests: readonly Contest[],
  pool: Pool,
  { comparisons, size, random }: CountOptions,
): Counted[] {
  const counted = cases.map((): Counted => ({ gate: 0, rule: 0, wrongly: 0, higherProfit: 0, seed: 0 }));
  const comparison = new Comparison(size);
  for (let i = 0; i < comparisons; i++) {
    const contest = contests[i % contests.length];
    comparison.draw(contest, pool, random);
    const bySeed = seedPromotes(contest, comparison);
    for (const [place, one] of cases.entries())
      addVerdicts(counted[place], comparison.verdicts(contest, one, pool), bySeed);
  }
  return counted;
}

interface Verdicts {
  readonly isPromoted: boolean;
  readonly isVetoed: boolean;
  readonly isTrulyBetter: boolean;
  readonly isProfitHigher: boolean;
}

function addVerdicts(counted: Counted, verdicts: Verdicts, bySeed: boolean): void {
  const { isPromoted, isVetoed, isTrulyBetter, isProfitHigher } = verdicts;
  counted.gate += +(isPromoted && !isVetoed);
  counted.rule += +isPromoted;
  counted.wrongly += +(isPromoted && !isTrulyBetter);
  counted.higherProfit += +isProfitHigher;
  counted.seed += +bySeed;
}

/** Customers, what happened to them, and how the models differ on them; drawn anew into the same arrays. */
class Comparison {
  readonly #rows: Uint32Array;
  readonly #labels: Uint8Array;
  readonly #gains: readonly Float64Array[];
  #differences: readonly PairedDifference[] = [];
  #contacts: BothContacts | undefined;

  constructor(size: number) {
    this.#rows = new Uint32Array(size);
    this.#labels = new Uint8Array(size);
    this.#gains = MEASURES.map(() => new Float64Array(size));
  }

  get contacts(): BothContacts {
    return this.#contacts as BothContacts;
  }

  draw({ champion, challenger, gains }: Contest, { truth }: Pool, random: Random): void {
    for (let i = 0; i < this.#rows.length; i++) {
      const row = random.integer(truth.length);
      const label = +(random.uniform() < truth[row]);
      this.#rows[i] = row;
      this.#labels[i] = label;
      const start = (2 * row + label) * MEASURES.length;
      for (let m = 0; m < MEASURES.length; m++) this.#gains[m][i] = gains[start + m];
    }
    this.#differences = this.#gains.map((own) => pairedDifference(own, LEVEL));
    this.#contacts = { champion: this.#contactsOf(champion), challenger: this.#contactsOf(challenger) };
  }

  #contactsOf({ contacts }: Judged): Contacts {
    const counts = { rows: this.#rows.length, churners: 0, contactedChurners: 0, contactedStayers: 0 };
    for (let i = 0; i < this.#rows.length; i++) {
      const [isContacted, label] = [contacts[this.#rows[i]], this.#labels[i]];
      counts.churners += label;
      counts.contactedChurners += isContacted & label;
      counts.contactedStayers += isContacted & ~label;
    }
    return counts;
  }

  verdicts(contest: Contest, { to, isEqual = false, hasAlarm = false }: Case, pool: Pool): Verdicts {
    const by = movesOf(contest, to, isEqual);
    const [acceptanceProfit, profit, logLossGain] = this.#differences.map((one, m) => moved(one, by[MEASURES[m]]));
    const championProfit = profitOf(contest.champion, this.contacts.champion);
    const decision = decide({ acceptanceProfit, profit, logLossGain }, { championProfit, hasAlarm });
    const isPromoted = decision.outcome === "promote";
    return {
      isPromoted,
      isVetoed: isPromoted && this.#isVetoed(by.logLossGain, pool),
      isTrulyBetter: contest.means.acceptanceProfit + by.acceptanceProfit > 0,
      isProfitHigher: profit.mean > 0,
    };
  }

  #isVetoed(by: number, { groups }: Pool): boolean {
    const slices = groups.flatMap(({ column, levels, codes }): GateSlice[] => {
      const places: number[][] = levels.map(() => []);
      for (let i = 0; i < this.#rows.length; i++) places[codes[this.#rows[i]]]?.push(i);
      return levels.map((level, code) => ({ column, level, rows: Uint32Array.from(places[code]) }));
    });
    const logLossGains = this.#gains[MEASURES.indexOf("logLossGain")].map((gain) => gain + by);
    return sliceVetoes(slices, logLossGains, this.#labels).length > 0;
  }
}

/** What is added to each measure's difference. */
function movesOf({ champion, means }: Contest, to: number | undefined, isEqual: boolean): PerMeasure {
  if (to === undefined) return { acceptanceProfit: 0, profit: 0, logLossGain: 0 };
  const acceptanceProfit = to * champion.profit - means.acceptanceProfit;
  if (!isEqual) return { acceptanceProfit, profit: acceptanceProfit, logLossGain: 0 };
  return { acceptanceProfit, profit: to * champion.profit - means.profit, logLossGain: -means.logLossGain };
}

function moved(found: PairedDifference, by: number): PairedDifference {
  return { ...found, mean: found.mean + by, lower: found.lower + by, upper: found.upper + by };
}

function profitOf(one: Judged, { rows, contactedChurners, contactedStayers }: Contacts): number {
  const worth = contactValues(economicsOf(one));
  return (contactedChurners * worth.churner + contactedStayers * worth.stayer) / rows;
}

/** F1 on these customers and on the challenger's training rows, each model at its threshold: not lower is enough. */
function seedPromotes({ onTrainingRows }: Contest, { contacts }: Comparison): boolean {
  const of = (drawn: Contacts, fitted: Contacts): number => {
    const weight = (TRAINING_ROWS_PER_HELD_OUT * drawn.rows) / fitted.rows;
    return f1Of({
      contactedChurners: drawn.contactedChurners + weight * fitted.contactedChurners,
      contactedStayers: drawn.contactedStayers + weight * fitted.contactedStayers,
      churners: drawn.churners + weight * fitted.churners,
    });
  };
  return of(contacts.challenger, onTrainingRows.challenger) >= of(contacts.champion, onTrainingRows.champion);
}

export function f1Of({ contactedChurners, contactedStayers, churners }: Omit<Contacts, "rows">): number {
  return f1(contactedChurners, contactedStayers, churners);
}
