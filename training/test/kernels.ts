/** Either kernel, for a test: from binned features, in memory of its own. */
import type { BinnedFeatures } from "../src/forest/binning.ts";
import { PlainKernel } from "../src/forest/plain-kernel.ts";
import type { KernelName, TreeKernel, TreeParameters } from "../src/forest/tree-kernel.ts";
import { fillShared, sharedData, shareKernel, WasmKernel } from "../src/forest/wasm-kernel.ts";

export const KERNELS: readonly KernelName[] = ["plain", "webassembly"];

export function makeKernel(
  name: KernelName,
  features: BinnedFeatures,
  labels: Uint8Array,
  parameters: TreeParameters,
): TreeKernel {
  const data = { features, labels, scoredRows: Uint32Array.from(labels.keys()) };
  if (name === "plain") return new PlainKernel(data, parameters);
  const { nRows, nFeatures } = features;
  const shared = shareKernel({ nRows, nFeatures, nScored: nRows, maxDepth: parameters.maxDepth }, 1);
  if (shared === undefined) throw new Error("expected WebAssembly with shared memory");
  const memory = sharedData(shared);
  memory.bins.set(features.bins);
  memory.labels.set(labels);
  fillShared(shared, data, parameters);
  return new WasmKernel(shared, 0, data, parameters);
}
