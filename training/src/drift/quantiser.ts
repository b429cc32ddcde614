/** Values as bytes: as fine as a model can tell them apart, and small enough to keep some thousand customers in a model. */
import { BinCounter } from "./bin-counter.ts";
import { type ColumnReference, groupsOfEqualMass } from "./column-reference.ts";

/** The byte of a missing value, and of a level that the reference does not have: the model sees no difference. */
export const MISSING_BYTE = 255;

/** Groups of numbers with about as many rows each; levels beyond the last share a byte. */
const GROUPS = 250;

export class Quantiser {
  readonly #byteOf: (value: number) => number;

  constructor(reference: ColumnReference) {
    if (reference.kind === "category") {
      this.#byteOf = (code) => Math.min(code, GROUPS);
    } else {
      const counter = new BinCounter(reference.cuts);
      const groups = groupsOfEqualMass(reference.counts, GROUPS);
      this.#byteOf = (value) => groups[counter.binOf(value)];
    }
  }

  /** @param values As the forest reads them: float32, or places of levels; NaN is missing. */
  quantise(values: Float32Array): Uint8Array {
    const bytes = new Uint8Array(values.length);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = Number.isNaN(values[i]) ? MISSING_BYTE : this.#byteOf(values[i]);
    }
    return bytes;
  }
}
