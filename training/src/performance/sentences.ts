/** What outcomes show, in sentences. */
import type { DepartureCurves } from "./departure-curves.ts";
import type { PerformanceFinding } from "./finding.ts";
import type { EarlyWindow, MatureWindow } from "./result.ts";

const METRIC_WORDS: Readonly<Record<string, string>> = {
  roc_auc: "ROC AUC",
  log_loss: "log-loss",
  profit_per_customer: "profit per customer",
  observed_expected: "departures for each that was expected",
};

export function matureReasons({ from, to, findings }: MatureWindow): string[] {
  return findings
    .filter(({ tier }) => tier === "alarm")
    .map((finding) => `predictions of ${from} to ${to}: ${findingSentence(finding)}`);
}

export const findingSentence = ({ metric, value, reference }: PerformanceFinding): string =>
  `${METRIC_WORDS[metric]} is ${value.toPrecision(4)}, expected ${reference.toPrecision(4)}`;

export function earlyReasons({ from, to, observed, expected, finding }: EarlyWindow): string[] {
  if (finding?.tier !== "alarm") return [];
  const [seen, promised] = [observed, expected].map((count) => (count as number).toFixed(0));
  return [`predictions of ${from} to ${to}: ${seen} customers have left so far, ${promised} should have`];
}

export function notesOf(
  mature: readonly MatureWindow[],
  early: readonly EarlyWindow[],
  curves: DepartureCurves | undefined,
  isCalibrated: boolean,
): string[] {
  const last = mature[mature.length - 1];
  const isAny = (basis: MatureWindow["basis"]): boolean =>
    [...mature, ...early].some((window) => window.basis === basis);
  return [
    ...(last.findings.length === 0 && last.basis !== "tooFew"
      ? [
          `too few mature outcomes of this model for a verdict: ${last.labelled} of ${last.rows} predictions of ${last.from} to ${last.to}`,
        ]
      : []),
    ...(early.length > 0 && curves === undefined
      ? ["too few customers have left so far to know how soon they do: young predictions are not tested"]
      : []),
    ...(isAny("control")
      ? ["customers who were contacted are left out; those above the threshold who were not stand for them"]
      : []),
    ...(isAny("tooFew")
      ? [
          "too few customers above the threshold were left alone (50 in a window are needed): who was contacted leaves less, so mature predictions are not tested there, and young ones below the threshold only",
        ]
      : []),
    ...(isAny("untouched") && last.labelled > 0
      ? ["no outcome says that its customer was contacted: where some were, figures are wrong"]
      : []),
    ...(isCalibrated
      ? []
      : ["the training's scores could not be calibrated: what is expected is taken from the scores as they are"]),
  ];
}
