/** A challenger becomes the champion: with a card that says why, a line in the ledger, and the registry's alias. */
import { userInfo } from "node:os";
import { CARD_FILE, MANIFEST_FILE, type ModelManifest, sha256 } from "@churn/contract";
import type { ContestResult } from "../gate/contest.ts";
import { describePromoted } from "../model-card.ts";
import type { LedgerEntry } from "../registry/ledger.ts";
import { type ModelDirectoryFiles, readModelFiles, succeed } from "../registry/succession.ts";
import { modelSource } from "../tracking/model-source.ts";
import { MODEL_NAME, type TrainResult } from "../train.ts";
import type { NewData } from "./new-data.ts";
import type { RetrainOptions } from "./options.ts";

/** @param compared Undefined for the first champion. */
export async function promote(
  options: RetrainOptions,
  data: NewData,
  { directory, manifest, run }: TrainResult,
  reason: string,
  compared?: ContestResult,
): Promise<LedgerEntry> {
  const { model, keep, clock, log } = options;
  const { version, contentSha256 } = manifest;
  const registered = run?.version === undefined ? undefined : { name: MODEL_NAME, version: run.version };
  const files = compared === undefined ? readModelFiles(directory) : withEvidence(directory, manifest, compared);
  const line = {
    event: "promoted",
    at: clock().toISOString(),
    version,
    contentSha256,
    reason,
    by: whoRuns(process.env),
    ...(compared && { evidence: compared.evidence }),
    ...(data.generated && { generated: data.generated }),
    ...(registered && { registered }),
  } as const;
  const entry = succeed(model, files, line, keep);
  log.info(
    { event: "model.promoted", modelVersion: version, previousVersion: entry.previousVersion },
    "model promoted",
  );
  await moveAlias(options, entry);
  return entry;
}

function withEvidence(directory: string, manifest: ModelManifest, compared: ContestResult): ModelDirectoryFiles {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const card = encode(describePromoted(manifest, compared));
  const files = { ...manifest.files, [CARD_FILE]: sha256(card) };
  return {
    ...readModelFiles(directory),
    [CARD_FILE]: card,
    [MANIFEST_FILE]: encode(`${JSON.stringify({ ...manifest, files }, null, 2)}\n`),
  };
}

/** A registry that cannot be reached costs a warning: the ledger says who the champion is. */
export async function moveAlias(
  { tracking, log }: Pick<RetrainOptions, "tracking" | "log">,
  { registered, version }: LedgerEntry,
): Promise<void> {
  if (registered === undefined) return;
  try {
    await modelSource(tracking).setAlias(registered.name, registered.version, "champion");
  } catch (error) {
    const message = `the registry's alias "champion" was not moved to ${version}: ${(error as Error).message}`;
    log.warn({ event: "alias.failed", modelVersion: version }, message);
  }
}

/** For the ledger: the job that ran it, or the person. */
export function whoRuns({ GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID }: NodeJS.ProcessEnv): string {
  if (GITHUB_RUN_ID !== undefined) return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
