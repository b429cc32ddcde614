/**
 * A random forest for two classes: binning, then trees on all threads, then one flat `Forest`.
 *
 * The same features, labels, parameters and seed give the same forest and the same out-of-bag scores, bit
 * for bit, on any number of threads.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ChurnError, countArray, type Forest, type ForestParameters, featureArray, leafMark } from "@churn/contract";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { type BinnedFeatures, binFeatures } from "./binning.ts";
import { type CurvePoint, OutOfBag } from "./out-of-bag.ts";
import { checkForestParameters, featuresPerSplit } from "./parameters.ts";
import { type KernelName, LEAF, MAX_ROWS, type Tree } from "./tree-kernel.ts";
import { fillShared, sharedData, shareKernel } from "./wasm-kernel.ts";
import type { WorkerInput, WorkerMessage } from "./worker.ts";

export interface FitOptions {
  readonly seed: number;
  /** Threads; all processors without it. Does not change the result. */
  readonly nJobs?: number | undefined;
  /** The plain kernel in any case, or the one in WebAssembly where it can be had. Does not change the result. */
  readonly kernel?: KernelName | undefined;
  readonly onProgress?: (treesDone: number) => void;
}

export interface FittedForest {
  readonly forest: Forest;
  /** Which kernel grew it. */
  readonly kernel: KernelName;
  /**
   * Per row: the mean of the trees that have not seen it. NaN where every tree has, and, with more rows than
   * `scoredRowsOf` says, for all but so many of them, drawn at random.
   */
  readonly outOfBagScores: Float64Array;
  /** The log-loss of such scores after about 30 numbers of trees, the last of them all. */
  readonly outOfBagCurve: readonly CurvePoint[];
}

/**
 * Out-of-bag scores are kept for so many rows: enough for a threshold or a metric to three digits. Where a tenth of the
 * rows is more, for that many: it costs little there, and a calibration can use it.
 */
const SCORED_ROWS = 20_000;
const SCORED_SHARE = 0.1;
const MOST_SCORED_ROWS = 100_000;
/** A stream that no tree draws from: trees are numbered from 0. */
const SCORED_ROWS_STREAM = -1;

/**
 * Fits a forest.
 *
 * @param columns One `Float32Array` per feature (nRows each); NaN is missing.
 * @param labels One per row: 1 is churn, 0 is not.
 * @throws CHURN_ERR_OPTION_INVALID, CHURN_ERR_FOREST_LIMIT
 */
export async function fitForest(
  columns: readonly Float32Array[],
  labels: Uint8Array,
  parameters: ForestParameters,
  { seed, nJobs = availableParallelism(), kernel = "webassembly", onProgress }: FitOptions,
): Promise<FittedForest> {
  checkForestParameters(parameters);
  const nRows = labels.length;
  if (nRows > MAX_ROWS) {
    throw new ChurnError("CHURN_ERR_FOREST_LIMIT", `expected at most ${MAX_ROWS} rows, got ${nRows}`);
  }
  if (parameters.maxSamples * nRows < 1) {
    throw new ChurnError(
      "CHURN_ERR_OPTION_INVALID",
      `maxSamples: expected at least 1 row per tree, got ${parameters.maxSamples} of ${nRows} rows: draw a larger share`,
    );
  }
  const nFeatures = columns.length;
  const { maxDepth, minSamplesLeaf, maxSamples, maxFeatures, maxBins, nEstimators } = parameters;
  // Threads load their code while this one bins.
  const threads = Array.from({ length: Math.min(nJobs, nEstimators) }, startThread);
  try {
    const scoredRows = sampleRows(nRows, scoredRowsOf(nRows), new Random(seed, SCORED_ROWS_STREAM));
    const sizes = { nRows, nFeatures, nScored: scoredRows.length, maxDepth };
    const shared = kernel === "plain" ? undefined : shareKernel(sizes, threads.length);
    const memory = shared && sharedData(shared);
    const features = await binFeatures(columns, nRows, maxBins, memory?.bins);
    const sharedLabels = memory?.labels ?? new Uint8Array(new SharedArrayBuffer(nRows));
    sharedLabels.set(labels);
    const input: Omit<WorkerInput, "thread"> = {
      data: { features, labels: sharedLabels, scoredRows },
      parameters: { maxDepth, minSamplesLeaf, maxSamples, featuresPerSplit: featuresPerSplit(maxFeatures, nFeatures) },
      nEstimators,
      seed,
      nextTree: new Int32Array(new SharedArrayBuffer(4)),
      shared,
    };
    if (shared) fillShared(shared, input.data, input.parameters);
    const trees: Tree[] = new Array(nEstimators);
    const outOfBag = new OutOfBag(nEstimators, scoredRows, sharedLabels);
    let treesDone = 0;
    const receive = (message: WorkerMessage): void => {
      if (message.kind === "outOfBag") outOfBag.add(message);
      if (message.kind !== "tree") return;
      trees[message.index] = message.tree;
      onProgress?.(++treesDone);
    };
    for (const [thread, { worker }] of threads.entries()) {
      worker.on("message", receive);
      worker.postMessage({ ...input, thread } satisfies WorkerInput);
    }
    await Promise.all(threads.map(({ finished }) => finished));
    return {
      forest: joinTrees(trees, features),
      kernel: shared ? "webassembly" : "plain",
      outOfBagScores: outOfBag.scores(nRows),
      outOfBagCurve: outOfBag.curve,
    };
  } finally {
    for (const { worker } of threads) void worker.terminate();
  }
}

/** How many rows get out-of-bag scores. */
function scoredRowsOf(nRows: number): number {
  return Math.max(SCORED_ROWS, Math.min(Math.ceil(SCORED_SHARE * nRows), MOST_SCORED_ROWS));
}

/** A thread, and when it is through. Listened to from the start: it may fail before it is given work. */
function startThread(): { readonly worker: Worker; readonly finished: Promise<void> } {
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  const finished = new Promise<void>((resolve, reject) => {
    worker.on("message", ({ kind }: WorkerMessage) => {
      if (kind === "done") resolve();
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`a forest thread ended with exit code ${code} before its work`)));
  });
  finished.catch(() => {}); // it is awaited when there is work
  return { worker, finished };
}

/** Trees one after the other; splits and leaves each with only the numbers they need. */
function joinTrees(trees: readonly Tree[], { nFeatures, cutPoints, cutOffsets }: BinnedFeatures): Forest {
  const treeOffsets = new Uint32Array(trees.length + 1);
  for (const [index, tree] of trees.entries()) treeOffsets[index + 1] = treeOffsets[index] + tree.feature.length;
  const nNodes = treeOffsets[trees.length];
  const nSplits = (nNodes - trees.length) / 2; // a binary tree has one leaf more than splits
  const feature = featureArray(nNodes, nFeatures);
  const cut = new Uint8Array(nSplits);
  const missingRight = new Uint8Array(nSplits);
  const most = trees.reduce((greatest, tree) => Math.max(greatest, mostInLeaf(tree)), 0);
  const count = countArray(nNodes - nSplits, most);
  const churners = countArray(nNodes - nSplits, most);
  let node = 0;
  let split = 0;
  for (const tree of trees) {
    for (let i = 0; i < tree.feature.length; i++, node++) {
      if (tree.feature[i] === LEAF) {
        feature[node] = leafMark(feature);
        count[node - split] = tree.count[i];
        churners[node - split] = tree.churners[i];
      } else {
        feature[node] = tree.feature[i];
        cut[split] = tree.cut[i];
        missingRight[split] = tree.missingRight[i];
        split++;
      }
    }
  }
  return { treeOffsets, feature, cut, missingRight, count, churners, cutPoints, cutOffsets };
}

function mostInLeaf({ feature, count }: Tree): number {
  return count.reduce((most, rows, node) => (feature[node] === LEAF ? Math.max(most, rows) : most), 0);
}
