/** A WebAssembly module of assembly/, and the memory that it works on, which is laid out here. */
import { readFileSync } from "node:fs";

const PAGE_BYTES = 65_536;
/** Arrays begin on lines of the cache of their own. */
const ALIGNMENT = 64;

/** Addresses of arrays, one after the other. */
export class MemoryLayout {
  /** Bytes so far; 0 is no address. */
  size = ALIGNMENT;

  /** @returns the address of so many bytes */
  reserve(bytes: number): number {
    const address = this.size;
    this.size += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return address;
  }
}

/**
 * Starts a module on a memory of its own.
 *
 * @param globals What its exported variables of these names are set to: addresses and sizes.
 */
export function startModule<Functions>(
  module: URL,
  { size }: MemoryLayout,
  globals: Readonly<Record<string, number>>,
): { readonly buffer: ArrayBuffer; readonly functions: Functions } {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE_BYTES) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(module)), { env: { memory } });
  const variables = exports as Readonly<Record<string, WebAssembly.Global>>;
  for (const [name, value] of Object.entries(globals)) variables[name].value = value;
  return { buffer: memory.buffer, functions: exports as Functions };
}
