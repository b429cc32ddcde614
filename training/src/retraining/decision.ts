/** Whether there is a reason for a challenger. */
import type { ModelManifest } from "@churn/contract";
import { DAY_MS } from "../drift/windows.ts";

export interface RetrainSettings {
  /** Older champions are challenged, whatever their drift. */
  readonly maxAgeDays: number;
  /** New labelled customers that are enough by themselves: so many times those that the champion was made from. */
  readonly enoughLabels: number;
  /** A challenger in any case. */
  readonly force: boolean;
}

export interface RetrainFacts {
  readonly now: Date;
  /** New customers with an outcome. */
  readonly labelledRows: number;
  /** What the drift check alarms for. */
  readonly alarms: readonly string[];
}

/** Reasons for a challenger, a sentence each; none where the champion may go on. */
export function reasonsToRetrain(
  { lineage }: ModelManifest,
  { now, labelledRows, alarms }: RetrainFacts,
  { maxAgeDays, enoughLabels, force }: RetrainSettings,
): string[] {
  const ageDays = (now.getTime() - Date.parse(lineage.created)) / DAY_MS;
  return [
    ...alarms,
    ...(ageDays >= maxAgeDays ? [`the champion is ${Math.floor(ageDays)} days old: ${maxAgeDays} are allowed`] : []),
    ...(labelledRows >= enoughLabels * lineage.data.rows
      ? [`${labelledRows} customers with an outcome, ${enoughLabels} times as many as the champion was made from`]
      : []),
    ...(force ? ["--force"] : []),
  ];
}

/** What would have been a reason. */
export function noReason(manifest: ModelManifest, facts: RetrainFacts, settings: RetrainSettings): string {
  const { lineage } = manifest;
  const ageDays = Math.max(0, Math.floor((facts.now.getTime() - Date.parse(lineage.created)) / DAY_MS));
  const wanted = Math.ceil(settings.enoughLabels * lineage.data.rows);
  return (
    `nothing has changed that matters: no alarm; the champion is ${ageDays} days old of ${settings.maxAgeDays}; ` +
    `${facts.labelledRows} customers with an outcome of ${wanted} that would be a reason by themselves`
  );
}
