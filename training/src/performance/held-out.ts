/** A model on held-out customers of newer data whose outcomes are known, beside those of its training. */
import type { ModelManifest } from "@churn/contract";
import type { DriftReference } from "../drift/reference.ts";
import { DEFAULT_PERFORMANCE_FLOORS, judgeTests } from "./finding.ts";
import { areEnough, testOutcomes } from "./mature.ts";
import { calibratedScores } from "./score-calibration.ts";
import { findingSentence } from "./sentences.ts";

/** @param level Of all figures together. @returns what is an alarm, a sentence each; nothing where there are too few */
export function testHeldOut(
  { metrics, dataset, threshold }: ModelManifest,
  { calibration }: DriftReference,
  { scores, labels }: { readonly scores: Float64Array; readonly labels: Uint8Array },
  level: number,
): string[] {
  const labelled = {
    scores,
    labels,
    decisions: Uint8Array.from(scores, (score) => +(score >= threshold.value)),
    weights: new Float64Array(scores.length).fill(1),
  };
  if (calibration === undefined || !areEnough(labelled)) return [];
  const tests = testOutcomes(labelled, {
    reference: metrics,
    economics: dataset.economics,
    calibration: calibratedScores(calibration),
    floors: DEFAULT_PERFORMANCE_FLOORS,
  });
  return judgeTests(tests, level)
    .filter(({ tier }) => tier === "alarm")
    .map((finding) => `held-out customers of these data: ${findingSentence(finding)}`);
}
