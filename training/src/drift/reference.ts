/**
 * What a model knows of the customers that it was made from, so that a check needs no training data: how each column looked
 * (training rows), what scores the held-out customers got, what the model makes of each column's values, and some thousand
 * held-out customers, quantised. It is `reference.safetensors` in the model directory, at most 200 KB.
 */
import {
  ChurnError,
  decodeSafetensors,
  encodeSafetensors,
  featureColumnNames,
  type ModelManifest,
  type Tensor,
} from "@churn/contract";
import { covarianceOf, fitSigmoid, sigmoidInfluence } from "../calibration/sigmoid.ts";
import { sortFloats } from "../radix-sort.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { type ColumnReference, type NumberReference, referenceLevels, referenceNumbers } from "./column-reference.ts";
import { type ContributionCurve, CURVE_ROWS, type CurveInput, contributionCurves } from "./contribution-curves.ts";
import { Quantiser } from "./quantiser.ts";

/** Held-out customers, in no order. */
export interface ReferenceSample {
  readonly rows: number;
  /** Column → a byte per row, as a `Quantiser` gives it. */
  readonly columns: ReadonlyMap<string, Uint8Array>;
  /** P(churn), to 1/65535. */
  readonly scores: Float32Array;
  /** 1 is churn. */
  readonly labels: Uint8Array;
}

export interface ScoreFacts {
  readonly mean: number;
  /** Share of customers above the model's threshold. */
  readonly decisions: number;
}

/** How far the scores of held-out customers can be taken at their word: a Platt fit, and the covariance of its error. */
export interface ScoreCalibration {
  readonly slope: number;
  readonly intercept: number;
  /** (slope², slope · intercept, intercept²). */
  readonly covariance: readonly [number, number, number];
  /** Customers that it was fitted on. */
  readonly rows: number;
}

/** The scores of held-out customers: those that a forest was grown on get others. */
export interface ScoreReference extends ScoreFacts {
  readonly bins: NumberReference;
  readonly standardDeviation: number;
}

export interface DriftReference {
  /** By name, in the order of the specification. */
  readonly columns: ReadonlyMap<string, ColumnReference>;
  readonly curves: ReadonlyMap<string, ContributionCurve>;
  readonly scores: ScoreReference;
  readonly sample: ReferenceSample;
  /** undefined where the scores part churners from stayers without error, or not at all. */
  readonly calibration: ScoreCalibration | undefined;
}

/** What the file may take, of which cut points take at most half, and the sample the rest. */
const MOST_BYTES = 190_000;
const MOST_CUTS = 1024;
const LEAST_CUTS = 32;
const MOST_SAMPLE_ROWS = 8192;
/** A cut point is a float32, its count and its place on the curve are four bytes each, too. */
const BYTES_PER_CUT = 12;
/** Beside a byte per column: score and label. */
const BYTES_PER_ROW = 3;

/** Streams that no tree draws from. */
const SAMPLE_STREAM = -9;
const CURVE_STREAM = -10;

export interface ReferenceInput extends Omit<CurveInput, "columns"> {
  readonly encodings: ModelManifest["encodings"];
  /** Encoded, one column per feature. */
  readonly training: { readonly columns: readonly Float32Array[] };
  readonly holdout: { readonly rows: number; readonly columns: readonly Float32Array[]; readonly labels: Uint8Array };
  /** P(churn) of the held-out customers. */
  readonly scores: Float64Array;
  readonly threshold: number;
  readonly seed: number;
}

export async function makeReference(input: ReferenceInput): Promise<DriftReference> {
  const { dataset, features, encodings, training, holdout, scores, threshold, seed } = input;
  const names = featureColumnNames(dataset);
  const byName = (columns: readonly Float32Array[]): Map<string, Float32Array> =>
    new Map(names.map((name) => [name, columns[features.findIndex((one) => one.name === name)]]));
  const cuts = mostCuts(names.filter((name) => encodings[name] === undefined).length);
  const columns = describeColumns(byName(training.columns), encodings, cuts);
  const some = (size: number, stream: number): Uint32Array => sampleRows(holdout.rows, size, new Random(seed, stream));
  const curveRows = some(CURVE_ROWS, CURVE_STREAM);
  const explained = holdout.columns.map((values) => Float32Array.from(curveRows, (row) => values[row]));
  const curves = await contributionCurves({ ...input, columns: explained }, columns);
  const described = describeScores(scores, threshold, cuts);
  const rows = some(sampleSize([...columns.values(), described.bins]), SAMPLE_STREAM);
  return {
    columns,
    curves,
    scores: described,
    sample: takeSample(columns, byName(holdout.columns), scores, holdout.labels, rows),
    calibration: calibrateScores(scores, holdout.labels),
  };
}

/** How columns looked. @param values Encoded: categories as places in their levels. */
export function describeColumns(
  values: ReadonlyMap<string, Float32Array>,
  encodings: ModelManifest["encodings"],
  cuts: number,
): Map<string, ColumnReference> {
  return new Map(
    [...values].map(([name, column]) => {
      const levels = encodings[name];
      return [name, levels ? referenceLevels(column, levels) : numbersOf(column, cuts)];
    }),
  );
}

export function describeScores(scores: Float64Array, threshold: number, cuts: number): ScoreReference {
  const facts = scoreFacts(scores, threshold);
  const variance = scores.reduce((sum, score) => sum + (score - facts.mean) ** 2, 0) / scores.length;
  return { ...facts, bins: numbersOf(Float32Array.from(scores), cuts), standardDeviation: Math.sqrt(variance) };
}

export function scoreFacts(scores: Float64Array, threshold: number): ScoreFacts {
  return {
    mean: scores.reduce((sum, score) => sum + score, 0) / scores.length,
    decisions: scores.reduce((count, score) => count + +(score >= threshold), 0) / scores.length,
  };
}

export function calibrateScores(scores: Float64Array, labels: Uint8Array): ScoreCalibration | undefined {
  const fit = fitSigmoid(scores, labels);
  if (fit === undefined) return undefined;
  const influence = sigmoidInfluence(fit, scores, labels);
  if (influence === undefined) return undefined;
  return { slope: fit.slope, intercept: fit.intercept, covariance: covarianceOf(influence), rows: scores.length };
}

/** Some customers, quantised. */
export function takeSample(
  columns: ReadonlyMap<string, ColumnReference>,
  values: ReadonlyMap<string, Float32Array>,
  scores: Float64Array,
  labels: Uint8Array,
  rows: Uint32Array,
): ReferenceSample {
  const bytes = [...columns].map(([name, reference]): [string, Uint8Array] => {
    const column = values.get(name) as Float32Array;
    return [name, new Quantiser(reference).quantise(Float32Array.from(rows, (row) => column[row]))];
  });
  return {
    rows: rows.length,
    columns: new Map(bytes),
    scores: Float32Array.from(rows, (row) => quantisedScore(scores[row]) / SCORE_STEPS),
    labels: Uint8Array.from(rows, (row) => labels[row]),
  };
}

function mostCuts(numbers: number): number {
  const share = Math.floor(MOST_BYTES / 2 / BYTES_PER_CUT / (numbers + 1)); // scores are numbers, too
  return Math.max(LEAST_CUTS, Math.min(MOST_CUTS, share));
}

function sampleSize(columns: readonly ColumnReference[]): number {
  const cuts = columns.reduce((sum, { counts }) => sum + counts.length, 0);
  return Math.min(
    MOST_SAMPLE_ROWS,
    Math.floor((MOST_BYTES - BYTES_PER_CUT * cuts) / (columns.length - 1 + BYTES_PER_ROW)),
  );
}

const SCORE_STEPS = 65_535;
const quantisedScore = (score: number): number => Math.round(score * SCORE_STEPS);

function numbersOf(values: Float32Array, mostCuts: number): NumberReference {
  const present = values.filter((value) => !Number.isNaN(value));
  return referenceNumbers(sortFloats(present), values.length - present.length, mostCuts);
}

// --- as a file -----------------------------------------------------------------------------------------------

/** Tensors whose parts stand one after the other: all columns in their order, then the scores. */
export function encodeReference({ columns, curves, scores, sample, calibration }: DriftReference): Uint8Array {
  const all: ColumnReference[] = [...columns.values(), scores.bins];
  return encodeSafetensors({
    cuts: joinFloats(all.map((one) => (one.kind === "number" ? one.cuts : new Float32Array()))),
    cut_offsets: Uint32Array.from(offsets(all.map((one) => (one.kind === "number" ? one.cuts.length : 0)))),
    counts: Uint32Array.from(all.flatMap(({ counts }) => [...counts.subarray(0, -1)])),
    missing: Uint32Array.from(all, ({ missing }) => missing),
    curves: joinFloats([...columns.keys()].map((name) => curves.get(name) as ContributionCurve)),
    scores: Float32Array.of(scores.mean, scores.standardDeviation, scores.decisions),
    calibration: Float32Array.from(
      calibration ? [calibration.slope, calibration.intercept, ...calibration.covariance, calibration.rows] : [],
    ),
    "sample.columns": Uint8Array.from([...sample.columns.values()].flatMap((bytes) => [...bytes])),
    "sample.scores": Uint16Array.from(sample.scores, quantisedScore),
    "sample.labels": sample.labels,
  });
}

function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((size, { length }) => size + length, 0));
  let start = 0;
  for (const part of parts) {
    joined.set(part, start);
    start += part.length;
  }
  return joined;
}

function offsets(lengths: readonly number[]): number[] {
  const ends = [0];
  for (const length of lengths) ends.push(ends[ends.length - 1] + length);
  return ends;
}

/** @throws CHURN_ERR_MODEL_INVALID when the file does not fit the manifest's columns */
export function decodeReference(
  file: Uint8Array,
  { dataset, encodings }: Pick<ModelManifest, "dataset" | "encodings">,
  source: string,
): DriftReference {
  const reader = new TensorReader(file, source);
  const names = featureColumnNames(dataset);
  const ends = reader.whole("cut_offsets", Uint32Array);
  reader.check("cut_offsets", ends.length === names.length + 2 && ends[0] === 0);
  const read = (name: string | undefined, i: number): ColumnReference => {
    const levels = name === undefined ? undefined : encodings[name];
    const size = levels?.length ?? ends[i + 1] - ends[i];
    const counts = new Uint32Array(size + 1);
    counts.set(reader.next("counts", Uint32Array, size));
    const [missing] = reader.next("missing", Uint32Array, 1);
    if (levels !== undefined) return { kind: "category", levels, counts, missing };
    const cuts = reader.next("cuts", Float32Array, size);
    reader.check(
      "cuts",
      cuts.every((cut, k) => Number.isFinite(cut) && (k === 0 || cut > cuts[k - 1])),
    );
    return { kind: "number", cuts, counts, missing };
  };
  const columns = new Map(names.map((name, i) => [name, read(name, i)]));
  const bins = read(undefined, names.length) as NumberReference;
  const [mean, standardDeviation, decisions] = reader.next("scores", Float32Array, 3);
  const curves = new Map(
    [...columns].map(([name, { counts }]) => [name, reader.next("curves", Float32Array, counts.length + 1)]),
  );
  for (const curve of curves.values()) reader.check("curves", curve.every(Number.isFinite));
  const labels = reader.whole("sample.labels", Uint8Array);
  const rows = labels.length;
  const sample: ReferenceSample = {
    rows,
    columns: new Map(names.map((name) => [name, reader.next("sample.columns", Uint8Array, rows)])),
    scores: Float32Array.from(reader.next("sample.scores", Uint16Array, rows), (score) => score / SCORE_STEPS),
    labels,
  };
  const fit = reader.whole("calibration", Float32Array);
  reader.check("calibration", fit.length === 0 || (fit.length === CALIBRATION_VALUES && fit.every(Number.isFinite)));
  reader.finish();
  return {
    columns,
    curves,
    scores: { bins, mean, standardDeviation, decisions },
    sample,
    calibration: fit.length === 0 ? undefined : calibrationOf(fit),
  };
}

const CALIBRATION_VALUES = 6;

function calibrationOf([
  slope,
  intercept,
  slopeVariance,
  covariance,
  interceptVariance,
  rows,
]: Float32Array): ScoreCalibration {
  return { slope, intercept, covariance: [slopeVariance, covariance, interceptVariance], rows };
}

type TensorType<T extends Tensor> = new (length: number) => T;

/** Gives out tensors from their start. */
class TensorReader {
  readonly #source: string;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #given = new Map<string, number>();

  constructor(file: Uint8Array, source: string) {
    this.#source = source;
    this.#tensors = decodeSafetensors(file, source);
  }

  whole<T extends Tensor>(name: string, type: TensorType<T>): T {
    return this.next(name, type, this.#tensors.get(name)?.length ?? 0);
  }

  /** The next values of a tensor. */
  next<T extends Tensor>(name: string, type: TensorType<T>, length: number): T {
    const tensor = this.#tensors.get(name);
    const start = this.#given.get(name) ?? 0;
    this.check(name, tensor instanceof type && start + length <= tensor.length);
    this.#given.set(name, start + length);
    return (tensor as T).subarray(start, start + length) as T;
  }

  check(name: string, isSound: boolean): void {
    if (isSound) return;
    const message = `${this.#source}: tensor "${name}": expected one that fits the model's columns: train the model anew`;
    throw new ChurnError("CHURN_ERR_MODEL_INVALID", message);
  }

  /** All of every tensor must have been asked for. */
  finish(): void {
    for (const [name, { length }] of this.#tensors) {
      if (!name.endsWith(".pad")) this.check(name, this.#given.get(name) === length);
    }
  }
}
