/** A calibration as nodes of an ONNX graph, on doubles; the formulas stand in the contract. */
import { type Calibration, SCORE_MARGIN } from "@churn/contract";
import type { Graph } from "./graph.ts";
import { DataType, int } from "./protobuf.ts";
import { type Child, leafChild, splitChild, TreeEnsemble } from "./tree-ensemble.ts";

/**
 * @param scores N × 1 doubles in [0, 1]
 * @returns P(churn): N × 1 doubles
 */
export function addCalibration(graph: Graph, calibration: Calibration, scores: string): string {
  switch (calibration.method) {
    case "none":
      return scores;
    case "sigmoid":
      return addSigmoid(graph, calibration.slope, calibration.intercept, scores);
    case "isotonic":
      return addInterpolation(graph, calibration.x, calibration.y, scores);
  }
}

function addSigmoid(graph: Graph, slope: number, intercept: number, scores: string): string {
  const one = graph.scalar(1);
  const inside = graph.add("Clip", [scores, graph.scalar(SCORE_MARGIN), graph.scalar(1 - SCORE_MARGIN)]);
  const logit = graph.add("Log", [graph.add("Div", [inside, graph.add("Sub", [one, inside])])]);
  const line = graph.add("Add", [graph.add("Mul", [graph.scalar(slope), logit]), graph.scalar(intercept)]);
  return graph.add("Div", [one, graph.add("Add", [one, graph.add("Exp", [graph.add("Neg", [line])])])]);
}

/** Linear between the knots around a score; the nearest knot's value outside, where both are that knot. */
function addInterpolation(graph: Graph, x: readonly number[], y: readonly number[], scores: string): string {
  const [xs, ys] = [graph.constant(Float64Array.from(x)), graph.constant(Float64Array.from(y))];
  const whole = (value: number): string => graph.constant(BigInt64Array.of(BigInt(value)), []);
  const knot = addKnotSearch(graph, x, scores);
  const above = graph.add("Min", [knot, whole(x.length - 1)]);
  const below = graph.add("Max", [graph.add("Sub", [knot, whole(1)]), whole(0)]);
  const [x0, x1] = [graph.add("Gather", [xs, below]), graph.add("Gather", [xs, above])];
  const [y0, y1] = [graph.add("Gather", [ys, below]), graph.add("Gather", [ys, above])];
  const share = graph.add("Div", [graph.add("Sub", [scores, x0]), graph.add("Sub", [x1, x0])]);
  const between = graph.add("Add", [y0, graph.add("Mul", [share, graph.add("Sub", [y1, y0])])]);
  return graph.add("Where", [graph.add("Equal", [below, above]), y1, graph.add("Min", [y1, between])]);
}

/** The first knot that is not below each score, or the number of knots: N × 1 int64. A tree is a binary search. */
function addKnotSearch(graph: Graph, x: readonly number[], scores: string): string {
  const tree = new TreeEnsemble();
  tree.beginTree();
  const queue = [{ start: 0, end: x.length }]; // ranges of knots still to search, breadth first
  for (let at = 0; at < queue.length; at++) {
    const { start, end } = queue[at];
    const middle = (start + end) >> 1;
    const child = (from: number, to: number): Child =>
      from === to ? leafChild(tree.addLeaf(from)) : splitChild(queue.push({ start: from, end: to }) - 1);
    tree.addSplit(0, x[middle], true, child(start, middle), child(middle + 1, end));
  }
  return graph.add("Cast", [tree.addTo(graph, scores, "sum")], { to: int(DataType.INT64) });
}
