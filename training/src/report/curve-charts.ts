/** Plots of what a model can do at every threshold, beside the truth where it is known. */
import type { Metrics } from "@churn/contract";
import {
  type Curve,
  gainsCurve,
  liftCurve,
  type OperatingPoints,
  operatingPoints,
  precisionRecallCurve,
  rocCurve,
  thin,
} from "../evaluation/curves.ts";
import type { Chart, ReportContent } from "./content.ts";
import {
  BOTTOM_RIGHT,
  CHANCE,
  DIAGONAL,
  digits,
  horizontal,
  KEY_LINE,
  type KeyEntry,
  key,
  type Layer,
  line,
  MODEL,
  PLOT_HEIGHT,
  plot,
  TOP_RIGHT,
  TRUTH,
} from "./plot.ts";
import { figure, percent } from "./words.ts";

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

/** A curve of the model, over that of the truth. */
function curves(points: Points, curve: (of: OperatingPoints) => Curve): Layer[] {
  const truth = points.truth ? [line(thin(curve(points.truth)), TRUTH)] : [];
  return [...truth, line(thin(curve(points.model)), MODEL)];
}

/** Which curve is which, each with its figure if there is one for the whole curve. */
function keyOf({ evaluation: { metrics, baselines } }: ReportContent, metric?: string): KeyEntry[] {
  const text = (name: string, values: Metrics): string =>
    metric === undefined ? name : `${name}: ${figure(values[metric].value)}`;
  const model = { style: MODEL, text: text("this model", metrics) };
  return baselines.truth ? [model, { style: TRUTH, text: text("best possible", baselines.truth) }] : [model];
}

const chance: KeyEntry = { style: CHANCE, text: "by chance" };

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
