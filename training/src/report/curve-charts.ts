/**
 * Plots over two axes: what a model can do at every threshold, whether its probabilities hold, and how they are spread.
 */
import type { Metric } from "@churn/contract";
import { calibrationBins } from "../evaluation/calibration.ts";
import {
  type Curve,
  f1Curve,
  gainsCurve,
  liftCurve,
  type OperatingPoints,
  operatingPoints,
  precisionRecallCurve,
  profitCurve,
  rocCurve,
  thin,
} from "../evaluation/curves.ts";
import type { Chart } from "./charts.ts";
import type { ReportContent } from "./page.ts";
import {
  type Axis,
  CHANCE,
  CHURNED,
  digits,
  horizontal,
  KEY_LINE,
  type KeyEntry,
  key,
  type Layer,
  label,
  line,
  MODEL,
  PLOT_HEIGHT,
  plot,
  STAYED,
  type Style,
  stroke,
  THRESHOLD,
  TRUTH,
  vertical,
} from "./plot.ts";
import { count, figure, INTERVAL, percent } from "./words.ts";

/** Corners of a plot where a key finds room; pixels. */
const BOTTOM_RIGHT = { left: 104, top: 186 };
const TOP_RIGHT = { left: 104, top: 12 };

/** What the curves of a page are drawn from: the model's operating points, and the truth's where it is known. */
export interface Points {
  readonly model: OperatingPoints;
  readonly truth: OperatingPoints | undefined;
}

export function pointsOf({ judged: { scores, labels, truth } }: ReportContent): Points {
  return {
    model: operatingPoints({ scores, labels }),
    truth: truth && operatingPoints({ scores: truth, labels }),
  };
}

/** A curve of the model and of the truth, with a key that gives each its figure. */
function curves(points: Points, curve: (of: OperatingPoints) => Curve): Layer[] {
  const truth = points.truth ? [line(thin(curve(points.truth)), TRUTH)] : [];
  return [...truth, line(thin(curve(points.model)), MODEL)];
}

function keyOf({ evaluation }: ReportContent, metric?: string): KeyEntry[] {
  const { metrics, baselines } = evaluation;
  const entry = (style: Style, name: string, value?: Metric): KeyEntry => ({
    style,
    text: value === undefined ? name : `${name}: ${figure(value.value)}`,
  });
  const of = (values: Readonly<Record<string, Metric>>) => (metric === undefined ? undefined : values[metric]);
  const truth = baselines.truth && [entry(TRUTH, "best possible", of(baselines.truth))];
  return [entry(MODEL, "this model", of(metrics)), ...(truth ?? [])];
}

const chance: KeyEntry = { style: CHANCE, text: "by chance" };
const DIAGONAL: Curve = { x: Float64Array.of(0, 1), y: Float64Array.of(0, 1) };

export function rocChart(content: ReportContent, points: Points): Chart {
  return {
    id: "roc",
    title: "ROC curve",
    caption:
      "Lower the threshold and the line moves to the right: it shows which share of the churners is found, at the price of which share of the stayers contacted in vain. The nearer the upper left corner, the better.",
    plot: plot({ title: "stayers contacted", isShare: true }, { title: "churners found", isShare: true }, [
      line(DIAGONAL, CHANCE),
      ...curves(points, rocCurve),
      ...key([...keyOf(content, "roc_auc"), chance], BOTTOM_RIGHT),
    ]),
  };
}

export function precisionRecallChart(content: ReportContent, points: Points): Chart {
  const rate = points.model.positives / (points.model.positives + points.model.negatives);
  const atRate = PLOT_HEIGHT * (1 - rate);
  const entries = [...keyOf(content, "average_precision"), chance];
  return {
    id: "precision-recall",
    title: "Precision and recall",
    caption: `Of the customers contacted, so many do churn (upwards), when so many of all churners are found (to the right). Contacting at random gives ${percent(rate)} throughout.`,
    plot: plot({ title: "recall: churners found", isShare: true }, { title: "precision", isShare: true }, [
      horizontal(digits(rate), CHANCE),
      ...curves(points, precisionRecallCurve),
      ...key(entries, { left: 12, top: rate < 0.35 ? atRate - KEY_LINE * entries.length + 4 : atRate + KEY_LINE }),
    ]),
  };
}

export function calibrationChart({ judged }: ReportContent): Chart {
  const bins = calibrationBins(judged);
  const values = bins.map(({ predicted, observed, low, high }) => ({
    x: digits(predicted),
    y: digits(observed),
    low: digits(low),
    high: digits(high),
  }));
  const sizes = bins.map(({ rows }) => rows);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const each = most - least < most / 50 ? `about ${count(least)}` : `${count(least)} to ${count(most)}`;
  return {
    id: "calibration",
    title: "Calibration",
    caption: `Each dot is ${each} customers with about the same predicted probability; its height is the share that did churn, with a ${INTERVAL}. On the dotted line, predictions can be taken at their word.`,
    plot: plot({ title: "predicted probability", isShare: true }, { title: "share that churned", isShare: true }, [
      line(DIAGONAL, CHANCE),
      {
        data: { values },
        mark: { type: "rule", color: MODEL.color, strokeWidth: 1.5 },
        encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
      },
      { data: { values }, mark: { type: "point", filled: true, color: MODEL.color, size: 60, opacity: 1 } },
      ...key([{ style: CHANCE, text: "just as predicted" }], { ...BOTTOM_RIGHT, top: 226 }),
    ]),
  };
}

export function gainsChart(content: ReportContent, points: Points): Chart {
  return {
    id: "gains",
    title: "Cumulative gains",
    caption:
      "Contact customers in the order of their scores: after the share on the bottom, the share on the left of all churners has been reached.",
    plot: plot({ title: "customers contacted", isShare: true }, { title: "churners reached", isShare: true }, [
      line(DIAGONAL, CHANCE),
      ...curves(points, gainsCurve),
      ...key([...keyOf(content), chance], BOTTOM_RIGHT),
    ]),
  };
}

/** The lift of fewer customers says nothing: it jumps with each of them. */
const FEWEST_FOR_LIFT = 50;

export function liftChart(content: ReportContent, points: Points): Chart {
  const rows = content.judged.labels.length;
  const curve = (of: OperatingPoints): Curve => {
    const { x, y } = liftCurve(of);
    const enough = (_: number, i: number): boolean => x[i] * rows >= Math.min(FEWEST_FOR_LIFT, rows);
    return { x: x.filter(enough), y: y.filter(enough) };
  };
  return {
    id: "lift",
    title: "Lift",
    caption:
      "Among the customers with the highest scores there are so many times as many churners as among all; when everybody is contacted, just as many.",
    plot: plot({ title: "customers contacted", isShare: true }, { title: "times as many churners", format: "~g" }, [
      horizontal(1, CHANCE),
      ...curves(points, curve),
      ...key([...keyOf(content), chance], TOP_RIGHT),
    ]),
  };
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
        "F1 weighs churners missed against stayers contacted. The dashed line is the threshold that was chosen, on customers that are not among these.",
      plot: plot(x0, { title: "F1", format: ".1f" }, [line({ x, y }, MODEL), ...mark]),
    };
  }
  return {
    id: "profit",
    title: "Profit by threshold",
    caption:
      "What contacting every customer with a score from the threshold up earns, per customer. On the left everybody is contacted, on the right no one. The dashed line is the threshold that was chosen, on customers that are not among these.",
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
