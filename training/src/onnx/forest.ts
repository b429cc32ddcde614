/**
 * A forest as a node of an ONNX graph.
 *
 * It computes in doubles, in which the features' and thresholds' float32 are exact: a sum of hundreds of leaf values in
 * float32 would lose what a decision may hang on.
 */
import { type Forest, leafMark, leafValues } from "@churn/contract";
import type { Graph } from "./graph.ts";
import { DataType, int } from "./protobuf.ts";
import { type Child, leafChild, splitChild, TreeEnsemble } from "./tree-ensemble.ts";

/**
 * @param features N × nFeatures float32, NaN is missing
 * @returns the mean of the trees' leaf values: N × 1 doubles
 */
export function addForest(graph: Graph, forest: Forest, features: string): string {
  const { treeOffsets, feature, cut, missingRight, cutPoints, cutOffsets } = forest;
  const value = leafValues(forest);
  const leaf = leafMark(feature);
  const trees = new TreeEnsemble();
  let split = 0; // of the forest
  for (let tree = 0; tree < treeOffsets.length - 1; tree++) {
    const [root, end] = [treeOffsets[tree], treeOffsets[tree + 1]];
    trees.beginTree();
    const children: Child[] = []; // the nodes of the tree, in the order of the forest
    let nextSplit = trees.nSplits;
    for (let node = root, firstLeaf = root - split; node < end; node++) {
      const isLeaf = feature[node] === leaf;
      children.push(isLeaf ? leafChild(trees.addLeaf(value[firstLeaf++])) : splitChild(nextSplit++));
    }
    if (end - root === 1) {
      const twin = leafChild(trees.addLeaf(value[root - split])); // both ways lead to one value
      trees.addSplit(0, 0, true, children[0], twin);
    }
    for (let node = root, child = 1; node < end; node++) {
      if (feature[node] === leaf) continue;
      const threshold = cutPoints[cutOffsets[feature[node]] + cut[split]];
      trees.addSplit(feature[node], threshold, missingRight[split] === 0, children[child], children[child + 1]);
      child += 2;
      split++;
    }
  }
  return trees.addTo(graph, graph.add("Cast", [features], { to: int(DataType.DOUBLE) }), "mean");
}
