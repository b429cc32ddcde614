/** A kernel for the thread that asks, in memory of its own: a few small trees, grown without starting threads. */
import { PlainKernel } from "./plain-kernel.ts";
import type { TreeData, TreeKernel, TreeParameters } from "./tree-kernel.ts";
import { fillShared, sharedData, shareKernel, WasmKernel } from "./wasm-kernel.ts";

export function makeOwnKernel(data: TreeData, parameters: TreeParameters): TreeKernel {
  const { nRows, nFeatures, bins } = data.features;
  const sizes = { nRows, nFeatures, nScored: data.scoredRows.length, maxDepth: parameters.maxDepth };
  const shared = shareKernel(sizes, 1);
  if (shared === undefined) return new PlainKernel(data, parameters);
  const memory = sharedData(shared);
  memory.bins.set(bins);
  memory.labels.set(data.labels);
  fillShared(shared, data, parameters);
  return new WasmKernel(shared, 0, data, parameters);
}
