/**
 * Tuning: forests with other parameters, each a tracked run, judged by rows that their own trees have not seen.
 *
 * The holdout takes no part, so its verdict on the model stays honest. A trial's loss is that of calibrated out-of-bag
 * scores, as the model's would be, each under a calibration that has not seen it.
 */
import type { ForestParameters } from "@churn/contract";
import { chooseCalibration } from "../calibration/choice.ts";
import type { Sample } from "../data/training-set.ts";
import { type FitOptions, type FittedForest, fitForest } from "../forest/random-forest.ts";
import { type Judged, type SearchResult, searchParameters, type Trial } from "./search.ts";

interface JudgedForest extends Judged {
  readonly fitted: FittedForest;
}

export interface TuneOptions {
  readonly seed: number;
  readonly nJobs?: number | undefined;
  readonly kernel?: FitOptions["kernel"];
  /** No trial starts after so many seconds. */
  readonly seconds: number;
  readonly now: () => Date;
  readonly onProgress: (phase: string) => void;
  readonly onTrial: (trial: Trial, number: number) => void;
}

/** The best forest found, and how; one trial at least: that of the parameters that the search starts from. */
export async function tuneForest(
  { columns, labels }: Sample,
  start: ForestParameters,
  { seed, nJobs, kernel, seconds, now, onProgress, onTrial }: TuneOptions,
): Promise<SearchResult<JudgedForest>> {
  const clock = (): number => now().getTime();
  const deadline = clock() + 1000 * seconds;
  let number = 0;
  const judge = async (parameters: ForestParameters): Promise<JudgedForest> => {
    number++;
    const fitted = await fitForest(columns, labels, parameters, {
      seed,
      nJobs,
      kernel,
      onProgress: (done) => onProgress(`tuning: trial ${number}, tree ${done} of ${parameters.nEstimators}`),
    });
    const { losses } = chooseCalibration({ scores: fitted.outOfBagScores, labels }, seed);
    return { parameters, fitted, losses };
  };
  return searchParameters(start, judge, { clock, hasTime: () => clock() < deadline, onTrial });
}
