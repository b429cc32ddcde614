/**
 * Growing one tree, depth first: which node next, which features it tries, where its children stand.
 *
 * The loops over rows are a kernel's (tree-kernel.ts). Children that can only be leaves get their counts from the scan
 * of their parent, without a partition.
 *
 * @source Breiman 2001; the cut of work follows scikit-learn's builder.
 */
import type { Random } from "../random.ts";
import {
  BLOCK_ROWS,
  LEAF,
  type NodeRows,
  type Tree,
  type TreeKernel,
  type TreeParameters,
  UNSEEN,
  type Weight,
} from "./tree-kernel.ts";

/** Features tried at a time where the first `featuresPerSplit` cannot split. */
const FURTHER_FEATURES = 3;

/** A node on the stack. */
interface PendingNode extends NodeRows {
  readonly node: number;
  readonly depth: number;
}

/** Grows trees with one kernel. */
export class TreeGrower {
  readonly #kernel: TreeKernel;
  readonly #parameters: TreeParameters;
  // The nodes grown so far, in depth-first order.
  readonly #feature: number[] = [];
  readonly #cut: number[] = [];
  readonly #missingRight: number[] = [];
  readonly #left: number[] = [];
  readonly #count: number[] = [];
  readonly #churners: number[] = [];
  #depth = 0;

  constructor(kernel: TreeKernel, parameters: TreeParameters) {
    this.#kernel = kernel;
    this.#parameters = parameters;
  }

  /** The tree that this generator's numbers give. */
  grow(random: Random): Tree {
    const { features } = this.#kernel;
    for (let f = 0; f < features.length; f++) features[f] = f;
    let root = this.#kernel.drawSample(random);
    while (root.count === 0) root = this.#kernel.drawSample(random); // a small share of few rows can be none
    for (const list of [this.#feature, this.#cut, this.#missingRight, this.#left, this.#count, this.#churners]) {
      list.length = 0;
    }
    this.#depth = 0;
    this.#pushNode(root);
    this.#growNodes(root, random);
    return this.#breadthFirst();
  }

  #pushNode({ count, churners }: Weight): number {
    this.#feature.push(LEAF);
    this.#cut.push(0);
    this.#missingRight.push(0);
    this.#left.push(0);
    this.#count.push(count);
    this.#churners.push(churners);
    return this.#feature.length - 1;
  }

  /** Splits nodes off a stack until none is left that can be split. */
  #growNodes(root: NodeRows, random: Random): void {
    const kernel = this.#kernel;
    const { maxDepth } = this.#parameters;
    const stack: PendingNode[] = [{ ...root, node: 0, depth: 0 }];
    for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
      const { node, start, end, depth } = item;
      if (depth >= maxDepth || this.#isFinal(item)) continue;
      const isGathered = item.isGathered || end - start <= BLOCK_ROWS;
      if (isGathered && !item.isGathered) kernel.gather(item);
      const { count, churners } = item;
      const rows: NodeRows = { start, end, count, churners, isGathered };
      if (!this.#findSplit(rows, random)) continue;
      const { best } = kernel;
      const left = { count: best.count, churners: best.churners };
      const right = { count: count - left.count, churners: churners - left.churners };
      const child = this.#pushNode(left);
      this.#pushNode(right);
      this.#feature[node] = best.feature;
      this.#cut[node] = best.cut;
      this.#missingRight[node] = missingDirection(best.missingRight, left, right);
      this.#left[node] = child;
      this.#depth = Math.max(this.#depth, depth + 1);
      const isLastLevel = depth + 1 === maxDepth;
      if (isLastLevel || (this.#isFinal(left) && this.#isFinal(right))) continue;
      const middle = kernel.partition(rows);
      stack.push({ ...right, node: child + 1, start: middle, end, depth: depth + 1, isGathered });
      stack.push({ ...left, node: child, start, end: middle, depth: depth + 1, isGathered });
    }
  }

  /** Whether a node is pure, or too small for two leaves. */
  #isFinal({ count, churners }: Weight): boolean {
    return churners === 0 || churners === count || count < 2 * this.#parameters.minSamplesLeaf;
  }

  /** Tries features in random order: at least `featuresPerSplit`, and more until one of them can split. */
  #findSplit(node: NodeRows, random: Random): boolean {
    const kernel = this.#kernel;
    const nFeatures = kernel.features.length;
    kernel.startSearch();
    let next = this.#parameters.featuresPerSplit;
    this.#drawFeatures(0, next, random);
    kernel.trySplits(0, next, node);
    for (let tried = next; tried < nFeatures && kernel.best.feature === LEAF; tried = next) {
      next = Math.min(tried + FURTHER_FEATURES, nFeatures);
      this.#drawFeatures(tried, next, random);
      kernel.trySplits(tried, next, node);
    }
    return kernel.best.feature !== LEAF;
  }

  /** Places [from, to) of a random order of the features (that part of a Fisher–Yates shuffle). */
  #drawFeatures(from: number, to: number, random: Random): void {
    const { features } = this.#kernel;
    for (let i = from; i < to; i++) {
      const pick = i + random.integer(features.length - i);
      const feature = features[pick];
      features[pick] = features[i];
      features[i] = feature;
    }
  }

  #breadthFirst(): Tree {
    const nNodes = this.#feature.length;
    const order = new Uint32Array(nNodes);
    const left = new Uint32Array(nNodes);
    for (let position = 0, next = 1; position < nNodes; position++) {
      const node = order[position];
      if (this.#feature[node] === LEAF) continue;
      left[position] = next;
      order[next] = this.#left[node];
      order[next + 1] = this.#left[node] + 1;
      next += 2;
    }
    const feature = new Uint16Array(nNodes);
    const cut = new Uint8Array(nNodes);
    const missingRight = new Uint8Array(nNodes);
    const count = new Uint32Array(nNodes);
    const churners = new Uint32Array(nNodes);
    for (let position = 0; position < nNodes; position++) {
      const node = order[position];
      feature[position] = this.#feature[node];
      cut[position] = this.#cut[node];
      missingRight[position] = this.#missingRight[node];
      count[position] = this.#count[node];
      churners[position] = this.#churners[node];
    }
    return { feature, cut, missingRight, left, count, churners, depth: this.#depth };
  }
}

/** As learned; where the node had no missing values, they will go with the larger child. */
function missingDirection(learned: number, left: Weight, right: Weight): number {
  if (learned !== UNSEEN) return learned;
  return left.count >= right.count ? 0 : 1;
}
