/** Whether there is a reason for a challenger. */
import type { ModelManifest } from "@churn/contract";
import { DAY_MS } from "../drift/windows.ts";

export interface RetrainSettings {
  /** A champion that has not been challenged for so long is, whatever its drift. */
  readonly staleAfterDays: number;
  /** New labelled customers that are enough by themselves: so many times those that the champion was made from. */
  readonly enoughLabels: number;
  /** A challenger in any case. */
  readonly force: boolean;
}

export interface RetrainFacts {
  readonly now: Date;
  /** New customers with an outcome. */
  readonly labelledRows: number;
  /** When the champion last stood a challenge, ISO 8601; undefined when it never has. */
  readonly challenged: string | undefined;
  /** What the drift check alarms for. */
  readonly alarms: readonly string[];
}

/** Reasons for a challenger, a sentence each; none where the champion may go on. */
export function reasonsToRetrain(
  manifest: ModelManifest,
  facts: RetrainFacts,
  { staleAfterDays, enoughLabels, force }: RetrainSettings,
): string[] {
  const { lineage } = manifest;
  const { labelledRows, alarms } = facts;
  const ageDays = ageOf(manifest, facts);
  return [
    ...alarms,
    ...(ageDays >= staleAfterDays
      ? [`the champion has not been challenged for ${ageDays} days: ${staleAfterDays} are allowed`]
      : []),
    ...(labelledRows >= enoughLabels * lineage.data.rows
      ? [`${labelledRows} customers with an outcome, ${enoughLabels} times as many as the champion was made from`]
      : []),
    ...(force ? ["--force"] : []),
  ];
}

/** What would have been a reason. */
export function noReason(manifest: ModelManifest, facts: RetrainFacts, settings: RetrainSettings): string {
  const wanted = Math.ceil(settings.enoughLabels * manifest.lineage.data.rows);
  return (
    `nothing has changed that matters: no alarm; the champion was challenged, or made, ${ageOf(manifest, facts)} days ago of ${settings.staleAfterDays}; ` +
    `${facts.labelledRows} customers with an outcome of ${wanted} that would be a reason by themselves`
  );
}

/** Whole days since it was made or has last stood a challenge. */
function ageOf({ lineage }: ModelManifest, { now, challenged }: RetrainFacts): number {
  const since = Math.max(Date.parse(lineage.created), Date.parse(challenged ?? lineage.created));
  return Math.max(0, Math.floor((now.getTime() - since) / DAY_MS));
}
