/** What the gate saw, in rows of words: for the terminal, a report and the model card. */
import type { GateEvidence } from "../gate/evidence.ts";
import type { PairedDifference } from "../gate/paired-difference.ts";
import { METRIC_LABELS } from "./text.ts";
import { count, figure, percent } from "./words.ts";

export const DIFFERENCES_HEADER = [
  "challenger's over champion's, per customer",
  "difference",
  "lower bound",
  "upper bound",
];

/** A row per measure that promotes. */
export function differenceRows({ acceptanceProfit, profit, logLossGain }: GateEvidence): string[][] {
  const row = (name: string, difference: PairedDifference | null): string[][] =>
    difference === null ? [] : [[name, ...[difference.mean, difference.lower, difference.upper].map(signed)]];
  return [
    ...row("profit, averaged over what the acceptance rate may be", acceptanceProfit),
    ...row("profit at each model's threshold", profit),
    ...row("log-loss, less", logLossGain),
  ];
}

const signed = (value: number): string => (value > 0 ? `+${figure(value)}` : figure(value));

export const METRICS_HEADER = ["on these customers", "champion", "challenger"];

export function metricRows({ profits, metrics: { champion, challenger } }: GateEvidence): string[][] {
  const above = (other: number): string[] =>
    profits === null ? [] : [profits.champion, profits.challenger].map((profit) => signed(profit - other));
  const names = Object.entries(METRIC_LABELS).filter(([name]) => champion[name] && challenger[name]);
  return [
    ...names.map(([name, label]) => [label, figure(champion[name].value), figure(challenger[name].value)]),
    ...(profits === null
      ? []
      : [
          ["Profit above contacting everybody", ...above(profits.contactAll)],
          ["Profit above contacting nobody", ...above(0)],
        ]),
  ];
}

export const FLIPS_HEADER = ["customers", "how many", "now contacted", "now left alone", "share"];

export function flipRows({ flips }: GateEvidence): string[][] {
  return flips.kinds.map(({ kind, customers, toContact, toLeave }) => [
    kind,
    count(customers),
    count(toContact),
    count(toLeave),
    percent((toContact + toLeave) / customers),
  ]);
}

/** One sentence each. */
export function gateSentences(evidence: GateEvidence): string[] {
  const { customers, attempt, level, power, flips, rows, hasAlarm, isKnownUnseen } = evidence;
  const { detectable, detectableShare, customersForOnePercent } = power;
  const share = detectableShare === null ? "" : ` (${percent(detectableShare)} of the champion's profit)`;
  return [
    isKnownUnseen
      ? `${count(customers)} customers judge, whom neither model was trained on.`
      : `${count(customers)} customers judge. Without a key for everyone nobody can tell whether the champion has seen them: if so, it is flattered.`,
    `With so many a difference of ${figure(detectable)}${share} is found four times in five.` +
      (customersForOnePercent === null ? "" : ` One percent of profit takes ${count(customersForOnePercent)}.`),
    `Bounds are one-sided, at ${percent(level)}` +
      (attempt === 1
        ? "."
        : `: it is the ${attempt}. time that these customers judge a challenger, and all times share 5 %.`),
    ...(hasAlarm
      ? ["The champion alarms: better probabilities are enough, if profit is not worse by more than one percent."]
      : []),
    `The decision changes for ${count(flips.toContact + flips.toLeave)} of ${count(rows)}: ${count(flips.toContact)} are contacted now, ${count(flips.toLeave)} left alone.`,
  ];
}
