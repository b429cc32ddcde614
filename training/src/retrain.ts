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
import { dirname, join, resolve } from "node:path";
import { ChurnError, type ModelManifest, modelDirectory, readDataset, readModelDirectory } from "@churn/contract";
import { findData } from "./data/source.ts";
import { DEFAULT_FOREST_PARAMETERS } from "./forest/parameters.ts";
import { type ContestResult, contest } from "./gate/contest.ts";
import { DEFAULT_LIMITS } from "./gate/vetoes.ts";
import { checkChampionPath, ledgerPath } from "./registry/ledger.ts";
import { finishSuccession, withChampion } from "./registry/succession.ts";
import { checkFree, checkReportPath } from "./report/path.ts";
import { renderRetrainReport } from "./report/retrain-page.ts";
import { retrainMarkdown } from "./report/retrain-summary.ts";
import { Attempts } from "./retraining/attempts.ts";
import { type ChampionCheck, challengerReport, checkChampion, driftReport } from "./retraining/champion-check.ts";
import { noReason, reasonsToRetrain } from "./retraining/decision.ts";
import { type NewData, openNewData } from "./retraining/new-data.ts";
import type { RetrainOptions } from "./retraining/options.ts";
import { moveAlias, promote } from "./retraining/promotion.ts";
import type { DataFacts, RetrainOutcome, RetrainResult } from "./retraining/result.ts";
import { checkPlace, type StagedOutput, stageOutput } from "./staged-output.ts";
import { retrainRun } from "./tracking/retrain-run.ts";
import { trackRuns } from "./tracking/tracker.ts";
import { type TrainResult, train } from "./train.ts";

/** Challengers in a row that were not promoted, from which on somebody should look. */
const MANY_REFUSALS = 3;

/** @throws what reading models and data, training and writing throw; the champion is then as it was */
export async function retrain(options: RetrainOptions): Promise<RetrainResult> {
  const { model, data, dataset, state } = options;
  checkChampionPath(model);
  checkPlace(model);
  readDataset(dataset);
  const files = data.source === "file" ? findData(data.path).files : [];
  const models = [model, ledgerPath(model), join(dirname(resolve(model)), "previous")];
  checkOutputs(options, [...models, dataset, ...files, join(state, "challenger")]);
  return withChampion(model, () => run(options));
}

type Found = Omit<RetrainResult, "report" | "run">;

/** @param taken Files that are read, folders that are written. */
function checkOutputs({ report, summary }: RetrainOptions, taken: readonly string[]): void {
  checkReportPath(report, taken);
  const others = [driftReport(report), challengerReport(report)];
  checkReportPath(report, others);
  if (summary !== undefined) checkFree(summary, [...taken, ...others, report]);
}

async function run(options: RetrainOptions): Promise<RetrainResult> {
  const { report, summary } = options;
  const outputs = [report, ...(summary === undefined ? [] : [summary])].map(stageOutput);
  try {
    return await retrainInto(options, outputs);
  } finally {
    for (const output of outputs) output.discard(); // what has been written stays
  }
}

async function retrainInto(options: RetrainOptions, [page, summary]: readonly StagedOutput[]): Promise<RetrainResult> {
  const { model, log, report, tracking, clock } = options;
  const started = clock();
  const finished = finishSuccession(model); // what one who was killed has left
  if (finished !== undefined) await moveAlias(options, finished);
  const found: RetrainResult = { ...(await decideAndAct(options)), report, run: null };
  const drawn = await renderRetrainReport(found);
  page.write(drawn.html);
  summary?.write(retrainMarkdown(found));
  const { outcome, reason, championVersion, needsPerson } = found;
  const durationMs = clock().getTime() - started.getTime();
  log.info(
    { event: "retrain.finished", outcome, reason, modelVersion: championVersion, needsPerson, durationMs },
    "retraining finished",
  );
  return { ...found, run: await trackRuns(tracking, log, [retrainRun(found, drawn, started, clock())]) };
}

async function decideAndAct(options: RetrainOptions): Promise<Found> {
  const { model, dataset, state, log, now, onProgress = () => {} } = options;
  onProgress("looking for new data");
  const champion = existsSync(modelDirectory(model)) ? readModelDirectory(model).manifest : undefined;
  const open = (): Promise<NewData> => openNewData(options.data, readDataset(dataset), state, { now, log });
  const { source } = options.data;
  const facts = factsOf({ source, path: null, sha256: null, notes: [], generated: null }, champion);
  if (champion === undefined) return promoteFirst(options, await open(), facts);
  return withEnough(facts, async () => decide(options, await open(), champion, facts));
}

async function decide(options: RetrainOptions, data: NewData, champion: ModelManifest, nothing: Found): Promise<Found> {
  const facts = { ...nothing, data: describeData(data) };
  const attempts = new Attempts(options.state);
  const seen = options.force ? undefined : whenSeen(data, champion, attempts);
  if (seen !== undefined) return { ...facts, reason: `nothing new: ${seen}; --force compares again` };
  const check = await checkChampion(options, data);
  const { drift, alarms, labelledRows } = check;
  if (drift.verdict === "dataQuality") {
    const reason = `the data have faults, to be mended where they come from: ${drift.reasons.join("; ")}`;
    return { ...facts, drift, reason, needsPerson: true };
  }
  const challenged = attempts.lastDecided(champion.contentSha256);
  const found = { now: options.now, labelledRows, alarms, challenged };
  const why = reasonsToRetrain(champion, found, options);
  if (why.length === 0) return { ...facts, drift, reason: noReason(champion, found, options) };
  const begun = { ...facts, drift, why, needsPerson: alarms.length > 0 };
  return withEnough(begun, () => challenge(options, data, champion, check, begun));
}

const describeData = ({ source, sha256, notes, files, generated }: NewData): DataFacts => {
  return { source, sha256, notes, path: files.path, generated: generated ?? null };
};

/** Of a retraining that has not come to anything yet. */
function factsOf(data: DataFacts, champion: ModelManifest | undefined): Found {
  return {
    outcome: "skipped",
    reason: "",
    needsPerson: false,
    data,
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
    data: describeData(data),
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
  const attempt = {
    at: now.toISOString(),
    dataSha256: data.sha256,
    contentSha256: champion.contentSha256,
    challenger: challenger.manifest.contentSha256,
  };
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
    report: challengerReport(report),
    now: clock,
    log,
    ...(onProgress && { onProgress }),
  });
}
