/**
 * A thread of the forest: takes the next tree from a shared counter until all are taken.
 *
 * A tree's random numbers come from (seed, tree), so who grows it does not matter. Out-of-bag scores are
 * summed as whole numbers, so the order of the sums does not matter either.
 */
import { parentPort } from "node:worker_threads";
import { Random } from "../random.ts";
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

/** Each message is one grown tree, or, last, the out-of-bag sums. */
export type WorkerMessage =
  | { readonly kind: "tree"; readonly index: number; readonly tree: Tree }
  | { readonly kind: "done"; readonly sums: Float64Array; readonly times: Uint16Array };

parentPort?.once("message", (input: WorkerInput) => {
  growTrees(input, (message) => parentPort?.postMessage(message));
});

function growTrees(
  { data, parameters, nEstimators, seed, nextTree, shared, thread }: WorkerInput,
  post: (message: WorkerMessage) => void,
): void {
  const kernel = shared ? new WasmKernel(shared, thread, data, parameters) : new PlainKernel(data, parameters);
  const grower = new TreeGrower(kernel, parameters);
  for (let index = Atomics.add(nextTree, 0, 1); index < nEstimators; index = Atomics.add(nextTree, 0, 1)) {
    const tree = grower.grow(new Random(seed, index));
    kernel.addOutOfBagScores(tree);
    post({ kind: "tree", index, tree });
  }
  post({ kind: "done", sums: kernel.sums, times: kernel.times });
}
