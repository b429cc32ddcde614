/**
 * A search for better forest parameters: one at a time, a step up or down, as long as it helps.
 *
 * It starts from given parameters and leaves them only for evidence: on the same out-of-bag rows, a step must lower the
 * mean log-loss by more than its luck explains, and by enough to be worth having. Many trials each have a chance to be
 * lucky; who takes the lowest figure of them all takes the luck with it.
 */
import type { ForestParameters, Metric } from "@churn/contract";
import { FOREST_PARAMETERS } from "../forest/parameters.ts";

/** What a search needs to know of a forest that was tried. */
export interface Judged {
  readonly parameters: ForestParameters;
  /** Log-loss of each row that has an out-of-bag score; NaN for the others. */
  readonly losses: Float64Array;
}

/** What became of one trial. */
export interface Trial {
  readonly parameters: ForestParameters;
  /** Mean log-loss of out-of-bag rows. */
  readonly logLoss: Metric;
  /** By how much it is lower than that of the parameters that the search started from, on the same rows. */
  readonly gain: Metric;
  readonly seconds: number;
}

export interface SearchResult<T> {
  readonly best: T;
  /** In order; the first is the start. */
  readonly trials: readonly Trial[];
  /** Whether no step was left that helps; else the time was up. */
  readonly isComplete: boolean;
}

export interface SearchOptions {
  readonly hasTime: () => boolean;
  /** Milliseconds, from any start. */
  readonly clock: () => number;
  /** Called after each trial. */
  readonly onTrial?: (trial: Trial, number: number) => void;
}

/** Of log-loss: what less than this is not worth another model, or one twice the size. */
const MINIMUM_GAIN = 0.0005;
/** Standard errors that a gain must exceed. */
const MARGIN = 2;

type Step = (value: number) => number;

/** The parameters that are searched, and the steps that each may take. More trees never do worse: only upwards. */
const STEPS: readonly (readonly [keyof ForestParameters, readonly Step[]])[] = [
  ["minSamplesLeaf", [(leaf) => Math.round(leaf / 2), (leaf) => 2 * leaf]],
  ["maxFeatures", [(features) => scaled(features, 2 / 3), (features) => scaled(features, 3 / 2)]],
  ["maxDepth", [(depth) => Math.round((3 / 4) * depth), (depth) => Math.round((4 / 3) * depth)]],
  ["nEstimators", [(trees) => 2 * trees]],
];

/** As a share, nearly all features: 1 would be a count. */
const GREATEST_SHARE = 0.99;

/** Below 1 it is a share, which stays one; from 1 on a count. */
function scaled(features: number, factor: number): number {
  if (features >= 1) return Math.max(1, Math.round(features * factor));
  return Math.min(GREATEST_SHARE, Number((features * factor).toPrecision(3)));
}

/** @param judge Fits a forest. */
export async function searchParameters<T extends Judged>(
  start: ForestParameters,
  judge: (parameters: ForestParameters) => Promise<T>,
  { hasTime, clock, onTrial = () => {} }: SearchOptions,
): Promise<SearchResult<T>> {
  const trials: Trial[] = [];
  const tried = new Set<string>();
  let first: T | undefined;
  const run = async (parameters: ForestParameters): Promise<T> => {
    const begin = clock();
    tried.add(JSON.stringify(parameters));
    const judged = await judge(parameters);
    first ??= judged;
    const seconds = (clock() - begin) / 1000;
    const logLoss = withInterval(meanOf(judged.losses));
    const trial = { parameters, logLoss, gain: withInterval(gainOver(first, judged)), seconds };
    trials.push(trial);
    onTrial(trial, trials.length);
    return judged;
  };

  let best = await run(start);
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const [name, steps] of STEPS) {
      for (const step of steps) {
        const before = best;
        for (;;) {
          const parameters = { ...best.parameters, [name]: step(best.parameters[name]) };
          if (!isInRange(name, parameters[name]) || tried.has(JSON.stringify(parameters))) break;
          if (!hasTime()) return { best, trials, isComplete: false };
          const candidate = await run(parameters);
          const { mean: gain, standardError } = gainOver(best, candidate);
          const helps = gain >= MINIMUM_GAIN && gain >= MARGIN * standardError; // not where there is nothing to compare
          if (!helps) break;
          best = candidate;
          isMoving = true;
        }
        if (best !== before) break; // one way helped, so the other does not
      }
    }
  }
  return { best, trials, isComplete: true };
}

function isInRange(name: keyof ForestParameters, value: number): boolean {
  const { minimum, maximum } = FOREST_PARAMETERS[name];
  return value > 0 && value >= minimum && value <= maximum;
}

interface Mean {
  readonly mean: number;
  readonly standardError: number;
}

/** 95 %. */
function withInterval({ mean, standardError }: Mean): Metric {
  return { value: mean, low: mean - 1.96 * standardError, high: mean + 1.96 * standardError };
}

/** The mean difference of the losses of the same rows. */
function gainOver(incumbent: Judged, candidate: Judged): Mean {
  return meanOf(incumbent.losses.map((loss, row) => loss - candidate.losses[row]));
}

/** Of the values that are numbers. */
function meanOf(values: Float64Array): Mean {
  const present = values.filter((value) => !Number.isNaN(value));
  const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
  const squares = present.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / Math.max(1, present.length - 1) / present.length) };
}
