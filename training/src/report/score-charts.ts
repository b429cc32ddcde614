/** Plots of the scores themselves: whether they hold as probabilities, how they are spread, what a threshold brings. */
import { type CalibrationBin, calibrationBins } from "../evaluation/calibration.ts";
import { type Curve, f1Curve, profitCurve, thin } from "../evaluation/curves.ts";
import type { Chart, ReportContent } from "./content.ts";
import type { Points } from "./curve-charts.ts";
import {
  type Axis,
  BEFORE,
  BOTTOM_RIGHT,
  CHANCE,
  CHURNED,
  DIAGONAL,
  digits,
  dot,
  horizontal,
  KEY_LINE,
  type KeyEntry,
  key,
  type Layer,
  label,
  line,
  MODEL,
  plot,
  STAYED,
  type Style,
  stroke,
  THRESHOLD,
  TOP_RIGHT,
  vertical,
} from "./plot.ts";
import { count, figure, INTERVAL } from "./words.ts";

export function calibrationChart({ judged, manifest }: ReportContent): Chart {
  const { forestScores: scores, labels } = judged;
  const bins = calibrationBins(judged);
  const isCalibrated = manifest.calibration.method !== "none";
  const before = isCalibrated ? calibrationBins({ scores, labels }) : [];
  const sizes = bins.map(({ rows }) => rows);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const each = most - least < most / 50 ? `about ${count(least)}` : `${count(least)} to ${count(most)}`;
  const entries: KeyEntry[] = [
    { style: CHANCE, text: "just as predicted" },
    ...(isCalibrated
      ? ([
          { style: BEFORE, text: "forest's score", mark: "circle" },
          { style: MODEL, text: "calibrated", mark: "dot" },
        ] as const)
      : []),
  ];
  return {
    id: "calibration",
    title: isCalibrated ? "Calibration, before and after" : "Calibration",
    caption: `Each dot is ${each} customers with about the same predicted probability; its height is the share that did churn, with a ${INTERVAL}. On the dotted line, predictions can be taken at their word.${isCalibrated ? " The circles are the same customers by the forest's score, before calibration." : ""}`,
    plot: plot({ title: "predicted probability", isShare: true }, { title: "share that churned", isShare: true }, [
      line(DIAGONAL, CHANCE),
      { data: { values: pointsOf(before) }, mark: dot(BEFORE, "circle") },
      {
        data: { values: pointsOf(bins) },
        mark: { type: "rule", color: MODEL.color, strokeWidth: 1.5 },
        encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
      },
      { data: { values: pointsOf(bins) }, mark: dot(MODEL, "dot") },
      ...key(entries, { ...BOTTOM_RIGHT, top: 226 - KEY_LINE * (entries.length - 1) }),
    ]),
  };
}

function pointsOf(bins: readonly CalibrationBin[]) {
  return bins.map(({ predicted, observed, low, high }) => ({
    x: digits(predicted),
    y: digits(observed),
    low: digits(low),
    high: digits(high),
  }));
}

/** Profit where it is known what a contact is worth, otherwise F1: what the threshold was chosen by. */
export function thresholdChart(content: ReportContent, points: Points): Chart {
  const { economics } = content.manifest.dataset;
  const chosen = content.manifest.threshold.value;
  const at = Math.min(1, chosen);
  const { x, y } = thin(economics ? profitCurve(points.model, economics) : f1Curve(points.model));
  const x0: Axis = { title: "threshold", isShare: true, format: ".2~f" };
  const mark = [
    vertical(digits(at), THRESHOLD),
    label(digits(at), digits(Math.min(...y)), chosen > 1 ? "chosen: nobody" : `chosen: ${figure(chosen)}`, {
      left: at > 0.6,
      dy: -8,
    }),
  ];
  if (economics === undefined) {
    return {
      id: "f1",
      title: "F1 by threshold",
      caption:
        "F1 weighs churners missed against stayers contacted. The dashed line is the threshold that the model uses.",
      plot: plot(x0, { title: "F1", format: ".1f" }, [line({ x, y }, MODEL), ...mark]),
    };
  }
  return {
    id: "profit",
    title: "Profit by threshold",
    caption:
      "What contacting every customer with a score from the threshold up earns, per customer. On the left everybody is contacted, on the right no one. The dashed line is the threshold that the model uses.",
    plot: plot(x0, { title: "profit per customer", format: "~s" }, [
      horizontal(0, CHANCE),
      line({ x, y }, MODEL),
      ...mark,
    ]),
  };
}

const HISTOGRAM_BINS = 40;

export function scoresChart({ judged: { scores, labels }, manifest }: ReportContent): Chart {
  const shares = (label: 0 | 1): Curve => {
    const counts = new Float64Array(HISTOGRAM_BINS);
    for (let row = 0; row < scores.length; row++) {
      if (labels[row] === label) counts[Math.min(HISTOGRAM_BINS - 1, Math.floor(scores[row] * HISTOGRAM_BINS))]++;
    }
    const total = counts.reduce((sum, n) => sum + n, 0);
    return {
      x: Float64Array.from({ length: HISTOGRAM_BINS + 1 }, (_, i) => i / HISTOGRAM_BINS),
      y: Float64Array.of(...counts.map((n) => n / total), 0),
    };
  };
  const area = (curve: Curve, style: Style): Layer => ({
    data: { values: Array.from(curve.x, (x, i) => ({ x, y: digits(curve.y[i]) })) },
    mark: {
      type: "area",
      interpolate: "step-after",
      color: style.color,
      fillOpacity: 0.14,
      line: { ...stroke(style), strokeWidth: 1.75 },
    },
  });
  const at = Math.min(1, manifest.threshold.value);
  return {
    id: "scores",
    title: "Scores of churners and stayers",
    caption:
      "How the predicted probabilities of each group are spread. The less the two overlap, the better the model tells them apart; customers to the right of the dashed line are contacted.",
    plot: plot({ title: "predicted probability", isShare: true }, { title: "share of the group" }, [
      area(shares(0), STAYED),
      area(shares(1), CHURNED),
      vertical(digits(at), THRESHOLD),
      ...key(
        [
          { style: STAYED, text: "stayed" },
          { style: CHURNED, text: "churned" },
          { style: THRESHOLD, text: "threshold" },
        ],
        { ...TOP_RIGHT, left: 180 },
      ),
    ]),
  };
}
