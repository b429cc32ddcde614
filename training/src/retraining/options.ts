/** What a retraining is asked to do. */
import type { ForestParameters } from "@churn/contract";
import type { GatePower } from "../gate/evidence.ts";
import type { Logger } from "../logger.ts";
import type { TrackingTarget } from "../tracking/target.ts";
import type { RetrainSettings } from "./decision.ts";
import type { NewDataOptions } from "./new-data.ts";

export interface RetrainOptions extends RetrainSettings {
  readonly data: NewDataOptions;
  readonly dataset: string;
  /** The champion's directory. */
  readonly model: string;
  /** Run-time state: data that are made, the challenger, attempts. */
  readonly state: string;
  /** Other than the champion's. */
  readonly parameters: Partial<ForestParameters>;
  readonly seed: number;
  readonly falseAlarmsPerYear: number;
  readonly everyDays: number;
  /** Previous champions to keep. */
  readonly keep: number;
  readonly report: string;
  /** A file for the result as Markdown; none without it. */
  readonly summary?: string | undefined;
  readonly tracking: TrackingTarget;
  /** When it is: for the calendar, and how old the champion is. */
  readonly now: Date;
  readonly clock: () => Date;
  readonly log: Logger;
  readonly onProgress?: (phase: string) => void;
  /** Told what the comparison can show, before it is made. */
  readonly onPower?: (power: GatePower, customers: number) => void;
}
