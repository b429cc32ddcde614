/**
 * Whether a challenger takes the champion's place: on the same customers, whom neither has seen, with the evidence in money.
 *
 *     no alarm: profit under uncertain acceptance is higher, log-loss not worse, profit at the threshold not clearly worse
 *     alarm:    probabilities are better, and profit not worse by more than a margin: the champion is known to be wrong
 *
 * All conditions of a row must hold, so the rule promotes an equal challenger at most as often as its level says, without a
 * correction (intersection–union). What is neither better nor shown to be no better is not enough evidence.
 *
 * @source Berger 1982, for intersection–union tests
 */
import { normalQuantile, type PairedDifference } from "./paired-difference.ts";

export type GateOutcome = "promote" | "keep" | "notEnoughEvidence";

/** Challenger minus champion per customer; higher is better. */
export interface GateMeasures {
  /** Averaged over the acceptance rate; undefined without economics. */
  readonly acceptanceProfit: PairedDifference | undefined;
  /** At each model's own threshold; undefined without economics. */
  readonly profit: PairedDifference | undefined;
  readonly logLossGain: PairedDifference;
}

export interface GateSettings {
  /** Of the champion, per customer, at its threshold; what margins are parts of. */
  readonly championProfit: number;
  readonly hasAlarm: boolean;
}

export interface GateDecision {
  readonly outcome: GateOutcome;
  readonly reason: string;
  /** Customers beyond these that would show the difference four times in five; null where it is decided. */
  readonly moreCustomers: number | null;
}

/** Of the champion's profit: a loss that an alarm accepts, and the least gain worth a change. */
export const MARGIN = 0.01;
const LEAST_GAIN = 0.0025;
/** Without economics: of log-loss. */
const LEAST_LOG_LOSS_GAIN = 0.001;
/** With fewer customers for whom there is a difference, its law is not normal enough. */
export const LEAST_DIFFERING = 50;

/** All attempts on the same customers together have 5 %: the first most of it, and the rest falls as the squares of their number. */
const FIRST_LEVEL = 0.045;
const LEVEL_OF_MORE = 0.005;

/** The level of the k-th attempt on the same customers. @param attempt From 1 */
export function attemptLevel(attempt: number): number {
  return attempt === 1 ? FIRST_LEVEL : (LEVEL_OF_MORE * 6) / (Math.PI * (attempt - 1)) ** 2;
}

/** Customers for each (standard deviation / difference)² with which a test of this level finds the difference four times in five. */
export const customersFactor = (level: number): number => (normalQuantile(level) + normalQuantile(0.2)) ** 2;

export function decide(measures: GateMeasures, { championProfit, hasAlarm }: GateSettings): GateDecision {
  const { acceptanceProfit, profit, logLossGain } = measures;
  const primary = acceptanceProfit ?? logLossGain;
  const leastGain = acceptanceProfit === undefined ? LEAST_LOG_LOSS_GAIN : LEAST_GAIN * Math.abs(championProfit);
  const margin = MARGIN * Math.abs(championProfit);
  const noWorse = profit === undefined || profit.mean >= -margin;
  if (primary.differing < LEAST_DIFFERING) {
    const reason = `the models differ on ${primary.differing} customers: ${LEAST_DIFFERING} are needed`;
    return { outcome: "notEnoughEvidence", reason, moreCustomers: moreFor(primary, leastGain) };
  }
  if (hasAlarm) {
    const isSafe = acceptanceProfit === undefined || acceptanceProfit.lower >= -margin;
    if (logLossGain.lower > 0 && isSafe && noWorse) {
      return decided("promote", "the champion alarms: the challenger's probabilities are better, its profit not worse");
    }
  } else if (primary.lower > 0 && logLossGain.mean >= 0 && noWorse) {
    return decided("promote", acceptanceProfit === undefined ? "its log-loss is lower" : "its profit is higher");
  }
  if (primary.upper < leastGain) return decided("keep", "the challenger is not better by what a change is worth");
  if (logLossGain.upper < 0) return decided("keep", "the challenger's probabilities are worse");
  const reason = "neither better nor shown to be no better";
  return { outcome: "notEnoughEvidence", reason, moreCustomers: moreFor(primary, leastGain) };
}

const decided = (outcome: GateOutcome, reason: string): GateDecision => ({ outcome, reason, moreCustomers: null });

/** Other customers judge for the first time. */
function moreFor({ n, mean, standardDeviation }: PairedDifference, leastGain: number): number {
  const difference = Math.max(mean, leastGain);
  return Math.max(1, Math.ceil(customersFactor(FIRST_LEVEL) * (standardDeviation / difference) ** 2) - n);
}
