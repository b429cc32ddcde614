/**
 * Trees as one TreeEnsemble node of ai.onnx.ml, opset 5, in doubles.
 *
 * Splits and leaves are numbered apart, each through all trees. A leaf has one parent and a tree a split at least:
 * onnxruntime 1.21 and 1.22 misread others.
 */
import type { Graph } from "./graph.ts";
import { int, ints, tensor, tensorProto } from "./protobuf.ts";

/** TreeEnsemble's enumerations. */
const AVERAGE = int(0);
const SUM = int(1);
const NO_TRANSFORM = int(0);
const LESS_OR_EQUAL = 0;

/** A split or a leaf, by its number among its kind: twice that, and one more for a leaf. */
export type Child = number;
export const splitChild = (id: number): Child => 2 * id;
export const leafChild = (id: number): Child => 2 * id + 1;

/** Takes splits and leaves one by one, and becomes a node. */
export class TreeEnsemble {
  readonly #roots: number[] = [];
  readonly #feature: number[] = [];
  readonly #threshold: number[] = [];
  readonly #missingTrue: number[] = [];
  readonly #whenTrue: Child[] = [];
  readonly #whenFalse: Child[] = [];
  readonly #leaves: number[] = [];

  get nSplits(): number {
    return this.#feature.length;
  }

  /** The next split is a tree's first. */
  beginTree(): void {
    this.#roots.push(this.nSplits);
  }

  /** @returns its number */
  addLeaf(value: number): number {
    return this.#leaves.push(value) - 1;
  }

  /** A split: true, and so `whenTrue`, for x ≤ threshold, and for a missing x when `missingTrue`. */
  addSplit(feature: number, threshold: number, missingTrue: boolean, whenTrue: Child, whenFalse: Child): void {
    this.#feature.push(feature);
    this.#threshold.push(threshold);
    this.#missingTrue.push(+missingTrue);
    this.#whenTrue.push(whenTrue);
    this.#whenFalse.push(whenFalse);
  }

  /**
   * @param x N × nFeatures doubles
   * @returns N × 1 doubles
   */
  addTo(graph: Graph, x: string, aggregate: "mean" | "sum"): string {
    const ids = (children: readonly Child[]) => ints(children.map((child) => child >> 1));
    const areLeaves = (children: readonly Child[]) => ints(children.map((child) => child & 1));
    const doubles = (values: readonly number[]) => tensor(tensorProto("", Float64Array.from(values), [values.length]));
    return graph.add("TreeEnsemble", [x], {
      aggregate_function: aggregate === "mean" ? AVERAGE : SUM,
      post_transform: NO_TRANSFORM,
      n_targets: int(1),
      tree_roots: ints(this.#roots),
      nodes_featureids: ints(this.#feature),
      nodes_modes: tensor(tensorProto("", new Uint8Array(this.nSplits).fill(LESS_OR_EQUAL), [this.nSplits])),
      nodes_splits: doubles(this.#threshold),
      nodes_missing_value_tracks_true: ints(this.#missingTrue),
      nodes_truenodeids: ids(this.#whenTrue),
      nodes_trueleafs: areLeaves(this.#whenTrue),
      nodes_falsenodeids: ids(this.#whenFalse),
      nodes_falseleafs: areLeaves(this.#whenFalse),
      leaf_targetids: ints(new Uint8Array(this.#leaves.length)),
      leaf_weights: doubles(this.#leaves),
    });
  }
}
