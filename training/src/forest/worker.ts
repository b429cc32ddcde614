/**
 * A thread of the forest: takes the next tree from a shared counter until all are taken.
 *
 * A tree's random numbers come from (seed, tree), so who grows it does not matter. Out-of-bag scores are
 * summed as whole numbers, so the order of the sums does not matter either.
 */
import { parentPort } from "node:worker_threads";
import { Random } from "../random.ts";
import { type BlockSums, blockSize } from "./out-of-bag.ts";
import { PlainKernel } from "./plain-kernel.ts";
import { TreeGrower } from "./tree.ts";
import type { Tree, TreeData, TreeParameters } from "./tree-kernel.ts";
import { type SharedKernel, WasmKernel } from "./wasm-kernel.ts";

/** The one message a worker gets. */
export interface WorkerInput {
  readonly data: TreeData;
  readonly parameters: TreeParameters;
  readonly nEstimators: number;
  readonly seed: number;
  /** The number of the next tree, shared by all workers. */
  readonly nextTree: Int32Array;
  /** For the kernel in WebAssembly; the plain one without it. */
  readonly shared: SharedKernel | undefined;
  /** The worker's own number, from 0. */
  readonly thread: number;
}

/** A grown tree, or the out-of-bag sums of those that this thread has grown of a block; last, that it is through. */
export type WorkerMessage =
  | { readonly kind: "tree"; readonly index: number; readonly tree: Tree }
  | ({ readonly kind: "outOfBag" } & BlockSums)
  | { readonly kind: "done" };

parentPort?.once("message", (input: WorkerInput) => {
  growTrees(input, (message) => parentPort?.postMessage(message));
});

function growTrees(
  { data, parameters, nEstimators, seed, nextTree, shared, thread }: WorkerInput,
  post: (message: WorkerMessage) => void,
): void {
  const kernel = shared ? new WasmKernel(shared, thread, data, parameters) : new PlainKernel(data, parameters);
  const grower = new TreeGrower(kernel, parameters);
  const size = blockSize(nEstimators);
  let block = 0;
  let nTrees = 0;
  const postSums = (): void => {
    if (nTrees === 0) return;
    post({ kind: "outOfBag", block, nTrees, sums: kernel.sums.slice(), times: kernel.times.slice() });
    kernel.sums.fill(0);
    kernel.times.fill(0);
    nTrees = 0;
  };
  for (let index = Atomics.add(nextTree, 0, 1); index < nEstimators; index = Atomics.add(nextTree, 0, 1)) {
    const tree = grower.grow(new Random(seed, index));
    if (index >= (block + 1) * size) postSums();
    block = Math.floor(index / size);
    kernel.addOutOfBagScores(tree);
    nTrees++;
    post({ kind: "tree", index, tree });
  }
  postSums();
  post({ kind: "done" });
}
