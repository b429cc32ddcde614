/** Either kernel, for a test: from binned features, in memory of its own. */
import type { BinnedFeatures } from "../src/forest/binning.ts";
import { makeOwnKernel } from "../src/forest/own-kernel.ts";
import { PlainKernel } from "../src/forest/plain-kernel.ts";
import type { KernelName, TreeKernel, TreeParameters } from "../src/forest/tree-kernel.ts";

export const KERNELS: readonly KernelName[] = ["plain", "webassembly"];

export function makeKernel(
  name: KernelName,
  features: BinnedFeatures,
  labels: Uint8Array,
  parameters: TreeParameters,
): TreeKernel {
  const data = { features, labels, scoredRows: Uint32Array.from(labels.keys()) };
  if (name === "plain") return new PlainKernel(data, parameters);
  const kernel = makeOwnKernel(data, parameters);
  if (kernel instanceof PlainKernel) throw new Error("expected WebAssembly with shared memory");
  return kernel;
}
