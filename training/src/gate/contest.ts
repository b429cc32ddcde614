/**
 * The gate, from two models and data to a decision:
 *
 *     held-out customers ─▶ scores of both ─▶ power (before an outcome counts) ─▶ differences ─▶ rule, vetoes ─▶ evidence
 *
 * Who is held out follows from a hash of the customer's key, in every month: nobody who judges was in either's training.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ChurnError, type DatasetSpecification, type Economics, Model, RequestReader } from "@churn/contract";
import { type JudgedSet, readJudgedSet } from "../data/judged-set.ts";
import { openCustomers } from "../data/reader.ts";
import type { DataSource } from "../data/source.ts";
import { contactValues } from "../evaluation/economics.ts";
import { importanceSample } from "../evaluation/importance.ts";
import { computeMetrics, logLossOf } from "../evaluation/metrics.ts";
import { rowsWhere } from "../sample.ts";
import type { GateEvidence, GatePower } from "./evidence.ts";
import { describeFlips } from "./flips.ts";
import { type Contestant, compareModels } from "./measures.ts";
import { powerOfComparison } from "./power.ts";
import { attemptLevel, decide, type GateDecision } from "./rule.ts";
import {
  calibrationVeto,
  type GateSlice,
  type Limits,
  limitVetoes,
  schemaVetoes,
  sliceVetoes,
  type Veto,
} from "./vetoes.ts";

export interface ContestOptions {
  /** Model directories. */
  readonly champion: string;
  readonly challenger: string;
  readonly data: DataSource;
  readonly dataSha256: string;
  readonly hasAlarm: boolean;
  readonly limits: Limits;
  /** Counts this time before an outcome is looked at. @returns the number of the attempt, from 1 */
  readonly countAttempt: () => number;
  readonly onPower: (power: GatePower, customers: number) => void;
}

export interface ContestResult extends GateDecision {
  readonly evidence: GateEvidence;
}

/** @throws CHURN_ERR_DATA_INSUFFICIENT for too few held-out customers of a class; what reading models and data throws */
export async function contest(options: ContestOptions): Promise<ContestResult> {
  const { data, hasAlarm, limits } = options;
  const [before, now] = [Model.load(options.champion), Model.load(options.challenger)];
  const [old, judged] = [await judgeBy(before, data), await judgeBy(now, data)];
  const { dataset, lineage } = now.manifest;
  checkSameJudges(before.manifest.dataset, dataset, old, judged);
  const [champion, challenger] = [contestantOf(before, old), contestantOf(now, judged)];
  const economics = dataset.economics && canDecide(dataset.economics) ? dataset.economics : undefined;
  const { labels, customerNumbers } = judged;
  const isKnownUnseen = judged.isKeyed && before.manifest.lineage.data.splitBy !== "row";

  const attempt = options.countAttempt();
  const level = attemptLevel(attempt);
  const power = powerOfComparison(champion, challenger, { economics, customers: customerNumbers }, level);
  const customers = 1 + (customerNumbers ?? new Uint32Array()).reduce((a, b) => Math.max(a, b), -1);
  options.onPower(power, customers);

  const compared = compareModels(champion, challenger, { labels, customers: customerNumbers }, economics, level);
  const decision = decide(compared, { championProfit: compared.championProfit, hasAlarm });
  const metricsOf = ({ scores, threshold }: Contestant) =>
    computeMetrics({ scores, labels }, { threshold, economics }, lineage.seed);
  const metrics = { champion: metricsOf(champion), challenger: metricsOf(challenger) };
  const vetoes: readonly Veto[] = [
    ...calibrationVeto(metrics.champion.rms_calibration_error, metrics.challenger.rms_calibration_error),
    ...sliceVetoes(slicesOf(now, judged), logLossGains(champion, challenger, labels), labels),
    ...limitVetoes({ bytes: sizeOf(options.challenger), microseconds: latencyOf(now) }, limits),
    ...schemaVetoes(before.manifest.dataset, dataset),
  ];
  const refused: GateDecision | undefined =
    vetoes.length === 0
      ? undefined
      : { outcome: "keep", reason: vetoes.map(({ reason }) => reason).join("; "), moreCustomers: null };
  const { acceptanceProfit = null, profit = null, logLossGain } = compared;
  return {
    ...(refused ?? decision),
    evidence: {
      customers,
      rows: labels.length,
      isKnownUnseen,
      dataSha256: options.dataSha256,
      hasAlarm,
      attempt,
      level,
      power,
      acceptanceProfit,
      profit,
      logLossGain,
      profits: economics === undefined ? null : profitsOf(compared, customers, labels, economics),
      metrics,
      vetoes,
      moreCustomers: (refused ?? decision).moreCustomers,
      flips: describeFlips(champion, challenger, judged, {
        features: now.encoder.features,
        encodings: now.manifest.encodings,
        dataset,
      }),
    },
  };
}

/** The held-out customers of the data whose outcome is known, with a model's scores. */
export const judgeHeldOut = (model: string, data: DataSource): Promise<JudgedSet> => judgeBy(Model.load(model), data);

/** Scores are compared row by row. @throws CHURN_ERR_OPTION_INVALID for specifications that name other judges or another target */
function checkSameJudges(
  champion: DatasetSpecification,
  challenger: DatasetSpecification,
  { labels: before }: JudgedSet,
  { labels: now }: JudgedSet,
): void {
  const [old, changed] = [champion, challenger].map(({ key, target }) => JSON.stringify([key, target]));
  if (old === changed && before.length === now.length && before.every((label, row) => label === now[row])) return;
  const message =
    "the dataset specification: expected key and target as the champion has them, got others: what one model predicts is not what the " +
    "other does, so no gate can compare them; churn train replaces the champion without one";
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
}

/**
 * Whether there is something to decide: a contact that costs nothing, or an offer that costs more than a customer, decides itself; and
 * whether acceptance is uncertain, which profit is averaged over.
 */
const canDecide = ({ customerValue, offerCost, contactCost, offerAcceptance }: Economics): boolean =>
  customerValue > offerCost && offerCost + contactCost > 0 && offerAcceptance > 0 && offerAcceptance < 1;

async function judgeBy(model: Model, data: DataSource): Promise<JudgedSet> {
  const reader = await openCustomers(data, model.manifest.dataset, { labelled: "partly" });
  const sample = importanceSample(model.manifest.lineage.seed);
  const options = { customers: "holdout", numbered: true, sample } as const;
  return readJudgedSet(reader, data.path, model, options).finally(reader.close);
}

const contestantOf = ({ manifest }: Model, { scores }: JudgedSet): Contestant => ({
  scores,
  threshold: manifest.threshold.value,
});

function logLossGains(champion: Contestant, challenger: Contestant, labels: Uint8Array): Float64Array {
  return Float64Array.from(
    labels,
    (label, row) => logLossOf(champion.scores[row], label) - logLossOf(challenger.scores[row], label),
  );
}

function profitsOf(
  { championProfit, profit }: ReturnType<typeof compareModels>,
  customers: number,
  labels: Uint8Array,
  economics: Parameters<typeof contactValues>[0],
): NonNullable<GateEvidence["profits"]> {
  const worth = contactValues(economics);
  const churners = labels.reduce((sum, label) => sum + label, 0);
  const contactAll = (churners * worth.churner + (labels.length - churners) * worth.stayer) / customers;
  return { champion: championProfit, challenger: championProfit + (profit?.mean ?? 0), contactAll };
}

/** The groups that the specification names. */
function slicesOf({ encoder, manifest }: Model, { rows, columns }: JudgedSet): GateSlice[] {
  return (manifest.dataset.slices ?? []).flatMap((column) => {
    const values = columns[encoder.features.findIndex(({ name }) => name === column)];
    const levels = manifest.encodings[column] ?? ["false", "true"];
    return levels.map((level, code) => ({ column, level, rows: rowsWhere(rows, (row) => values[row] === code) }));
  });
}

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Predictions that are timed, the first half of them to warm up. */
const TIMED = 2000;

/** The median of single predictions. */
function latencyOf(model: Model): number {
  const { dataset, inputExample } = model.manifest;
  const { row } = new RequestReader(dataset, model.encoder).read(inputExample);
  const times = Float64Array.from({ length: TIMED }, () => {
    const start = performance.now();
    model.predictRow(row);
    return 1000 * (performance.now() - start);
  });
  return times.slice(TIMED / 2).sort()[TIMED / 4];
}
