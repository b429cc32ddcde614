/**
 * The loop, from new data to a champion:
 *
 *     lock ─▶ new data ─▶ anything new? ─▶ faults, drift, outcomes ─▶ a reason? ─▶ challenger ─▶ gate ─▶ promote, or keep
 *                              │                  │                      │                        │
 *                              └── skipped ◀──────┴──────────────────────┘                        └─▶ report and tracked run
 *
 * Whatever goes wrong, the champion stays: nothing of it is touched before the gate has said "promote", and then in one swap.
 */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import {
  ChurnError,
  type ForestParameters,
  type ModelManifest,
  modelDirectory,
  readDataset,
  readModelDirectory,
} from "@churn/contract";
import { DEFAULT_FOREST_PARAMETERS } from "./forest/parameters.ts";
import { type ContestResult, contest } from "./gate/contest.ts";
import type { GatePower } from "./gate/evidence.ts";
import { DEFAULT_LIMITS } from "./gate/vetoes.ts";
import type { Logger } from "./logger.ts";
import { finishSuccession, withChampion } from "./registry/succession.ts";
import { checkFree, checkReportPath } from "./report/path.ts";
import { renderRetrainReport } from "./report/retrain-page.ts";
import { retrainMarkdown } from "./report/retrain-summary.ts";
import { Attempts } from "./retraining/attempts.ts";
import { type ChampionCheck, checkChampion } from "./retraining/champion-check.ts";
import { noReason, type RetrainSettings, reasonsToRetrain } from "./retraining/decision.ts";
import { type NewData, type NewDataOptions, openNewData } from "./retraining/new-data.ts";
import { promote } from "./retraining/promotion.ts";
import type { RetrainOutcome, RetrainResult } from "./retraining/result.ts";
import { checkPlace, stageOutput } from "./staged-output.ts";
import { retrainRun } from "./tracking/retrain-run.ts";
import type { TrackingTarget } from "./tracking/target.ts";
import { trackRuns } from "./tracking/tracker.ts";
import { type TrainResult, train } from "./train.ts";

/** Challengers in a row that were not promoted, from which on somebody should look. */
const MANY_REFUSALS = 3;
const CHAMPION = "best_model";

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

/** @throws what reading models and data, training and writing throw; the champion is then as it was */
export async function retrain(options: RetrainOptions): Promise<RetrainResult> {
  const { model, state, report, summary } = options;
  if (basename(resolve(model)) !== CHAMPION) {
    const message = `--model: expected the champion's directory, called ${CHAMPION}, got ${model}`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  checkReportPath(report, [model, state]);
  if (summary !== undefined) checkFree(summary, [model, state, report]);
  checkPlace(model);
  return withChampion(model, () => run(options));
}

type Found = Omit<RetrainResult, "report" | "run">;

async function run(options: RetrainOptions): Promise<RetrainResult> {
  const { model, log, report, summary, tracking, clock } = options;
  const started = clock();
  finishSuccession(model); // what one who was killed has left
  const found: RetrainResult = { ...(await decideAndAct(options)), report, run: null };
  const page = await renderRetrainReport(found);
  stageOutput(report).write(page.html);
  if (summary !== undefined) stageOutput(summary).write(retrainMarkdown(found));
  const { outcome, reason, championVersion, needsPerson } = found;
  const durationMs = clock().getTime() - started.getTime();
  log.info(
    { event: "retrain.finished", outcome, reason, modelVersion: championVersion, needsPerson, durationMs },
    "retraining finished",
  );
  return { ...found, run: await trackRuns(tracking, log, [retrainRun(found, page, started, clock())]) };
}

async function decideAndAct(options: RetrainOptions): Promise<Found> {
  const { model, state, log, now, onProgress = () => {} } = options;
  onProgress("looking for new data");
  const data = await openNewData(options.data, readDataset(options.dataset), state, { now, log });
  const champion = existsSync(modelDirectory(model)) ? readModelDirectory(model).manifest : undefined;
  const facts = factsOf(data, champion);
  if (champion === undefined) return promoteFirst(options, data, facts);
  const attempts = new Attempts(state);
  const seen = options.force ? undefined : whenSeen(data, champion, attempts);
  if (seen !== undefined) return { ...facts, reason: `nothing new: ${seen}; --force compares again` };
  return withEnough(facts, async () => {
    const check = await checkChampion(options, data);
    const { drift, alarms, labelledRows } = check;
    if (drift.verdict === "dataQuality") {
      const reason = `the data have faults, to be mended where they come from: ${drift.reasons.join("; ")}`;
      return { ...facts, drift, reason, needsPerson: true };
    }
    const found = { now, labelledRows, alarms, challenged: attempts.lastStood(champion.contentSha256) };
    const why = reasonsToRetrain(champion, found, options);
    if (why.length === 0) return { ...facts, drift, reason: noReason(champion, found, options) };
    return challenge(options, data, champion, check, { ...facts, drift, why });
  });
}

/** Of a retraining that has not come to anything yet. */
function factsOf(data: NewData, champion: ModelManifest | undefined): Found {
  const { source, sha256, notes, files, generated = null } = data;
  return {
    outcome: "skipped",
    reason: "",
    needsPerson: false,
    data: { source, sha256, notes, path: files.path, generated },
    why: [],
    drift: null,
    evidence: null,
    championVersion: champion?.version ?? null,
    previousVersion: champion?.version ?? null,
    challengerVersion: null,
    ledger: null,
  };
}

async function promoteFirst(options: RetrainOptions, data: NewData, facts: Found): Promise<Found> {
  const challenger = await trainChallenger(options, data, undefined);
  const reason = "there was no champion";
  const ledger = await promote(options, data, challenger, reason);
  const { version } = ledger;
  return {
    ...facts,
    outcome: "promoted",
    reason,
    why: [reason],
    championVersion: version,
    challengerVersion: version,
    ledger,
  };
}

async function challenge(
  options: RetrainOptions,
  data: NewData,
  champion: ModelManifest,
  { alarms }: ChampionCheck,
  facts: Found,
): Promise<Found> {
  const { model, state, now, onProgress = () => {}, onPower = () => {} } = options;
  const hasAlarm = alarms.length > 0;
  const challenger = await trainChallenger(options, data, champion);
  const attempts = new Attempts(state);
  const attempt = { at: now.toISOString(), dataSha256: data.sha256, contentSha256: champion.contentSha256 };
  onProgress("comparing with the champion");
  const compared = await contest({
    champion: model,
    challenger: challenger.directory,
    data: data.files,
    dataSha256: data.sha256,
    hasAlarm,
    limits: DEFAULT_LIMITS,
    countAttempt: () => attempts.count(attempt),
    onPower,
  });
  const outcome = OUTCOMES[compared.outcome];
  const isPromoted = outcome === "promoted";
  const ledger = isPromoted ? await promote(options, data, challenger, facts.why.join("; "), compared) : null;
  attempts.decide(attempt, outcome);
  const needsPerson = !isPromoted && (hasAlarm || new Attempts(state).refusals() >= MANY_REFUSALS);
  return {
    ...facts,
    outcome,
    reason: compared.reason,
    needsPerson,
    evidence: compared.evidence,
    challengerVersion: challenger.manifest.version,
    championVersion: ledger?.version ?? champion.version,
    ledger,
  };
}

const OUTCOMES: Readonly<Record<ContestResult["outcome"], RetrainOutcome>> = {
  promote: "promoted",
  keep: "kept",
  notEnoughEvidence: "notEnoughEvidence",
};

/** Too few customers are an outcome, not an error. */
async function withEnough(facts: Found, work: () => Promise<Found>): Promise<Found> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ChurnError && error.code === "CHURN_ERR_DATA_INSUFFICIENT")) throw error;
    return { ...facts, outcome: "notEnoughEvidence", reason: error.message };
  }
}

/** When these data have been used before; undefined when never. */
function whenSeen(
  { sha256 }: NewData,
  { lineage, version, contentSha256 }: ModelManifest,
  attempts: Attempts,
): string | undefined {
  if (sha256 === lineage.data.sha256) return `the champion ${version} was made from these data`;
  const at = attempts.last(sha256, contentSha256);
  return at && `these data have judged a challenger of this champion on ${at.slice(0, 10)}`;
}

/** As the champion was trained, on the new data; in a directory of its own that the next one replaces. */
function trainChallenger(
  { dataset, state, seed, tracking, log, clock, onProgress, report, ...options }: RetrainOptions,
  { files }: NewData,
  champion: ModelManifest | undefined,
): Promise<TrainResult> {
  const { nNodes: _, ...before } = { nNodes: 0, ...(champion?.forest ?? DEFAULT_FOREST_PARAMETERS) };
  return train({
    dataset,
    data: files.path,
    out: join(state, "challenger"),
    parameters: { ...before, ...options.parameters },
    seed,
    tracking,
    register: true,
    report: join(dirname(report), "challenger.html"),
    now: clock,
    log,
    ...(onProgress && { onProgress }),
  });
}
