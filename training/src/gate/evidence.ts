/** What the gate saw, for whoever asks later why a model was promoted or not: it stands in the ledger, the report and the card. */
import type { Metrics } from "@churn/contract";
import type { Flips } from "./flips.ts";
import type { PairedDifference } from "./paired-difference.ts";
import type { Veto } from "./vetoes.ts";

export interface GateEvidence {
  /** Customers who judged: those that the training held out. */
  readonly customers: number;
  /** Their rows. */
  readonly rows: number;
  /** Whether their keys say that neither model was trained on them; without keys nobody can tell. */
  readonly isKnownUnseen: boolean;
  /** sha256 of the data that they are from. */
  readonly dataSha256: string;
  readonly hasAlarm: boolean;
  /** How often these customers have judged, this time included, and the level that is left. */
  readonly attempt: number;
  readonly level: number;
  /** By the probabilities, before an outcome was looked at. */
  readonly power: GatePower;
  /** Challenger's over champion's per customer, as in `GateMeasures`; null without economics. */
  readonly acceptanceProfit: PairedDifference | null;
  readonly profit: PairedDifference | null;
  readonly logLossGain: PairedDifference;
  /** Per customer at the thresholds; contacting nobody earns 0. Null without economics. */
  readonly profits: { readonly champion: number; readonly challenger: number; readonly contactAll: number } | null;
  readonly metrics: { readonly champion: Metrics; readonly challenger: Metrics };
  readonly vetoes: readonly Veto[];
  /** Customers beyond these that would decide; null where it is decided. */
  readonly moreCustomers: number | null;
  readonly flips: Flips;
}

/** What so many customers can show. */
export interface GatePower {
  /** Of the primary measure, per customer: a difference that is found four times in five. */
  readonly detectable: number;
  /** As a share of the champion's profit, by its own probabilities; null without economics. */
  readonly detectableShare: number | null;
  /** Customers with whom a gain of 1 % of profit is found four times in five; null without economics. */
  readonly customersForOnePercent: number | null;
}
