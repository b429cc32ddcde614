/**
 * The safetensors format: named flat tensors in one file. Data only, nothing in it can execute.
 *
 *     8 bytes: header length, little-endian u64 │ header: JSON, padded with spaces │ tensor bytes
 *
 * Every tensor starts on a multiple of 8 bytes, so that typed arrays view the file without a copy.
 * The npm package of this name is an unfinished 0.0.1; the Python library reads what is written here (a test
 * in e2e does so).
 * @source https://github.com/huggingface/safetensors#format
 */
import { ChurnError } from "./errors.ts";

export type Tensor = Uint8Array | Uint16Array | Uint32Array | Float32Array;

const ALIGNMENT = 8;
const LENGTH_BYTES = 8;

const DTYPES = {
  U8: Uint8Array,
  U16: Uint16Array,
  U32: Uint32Array,
  F32: Float32Array,
} as const;

type Dtype = keyof typeof DTYPES;

interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const aligned = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** Writes one-dimensional tensors in the given order. */
export function encodeSafetensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  const header: Record<string, TensorInfo> = Object.create(null); // a name may be anything, "__proto__" too
  let offset = 0;
  for (const [name, tensor] of paddedTensors(tensors)) {
    const dtype = (Object.keys(DTYPES) as Dtype[]).find((key) => tensor instanceof DTYPES[key]) as Dtype;
    header[name] = { dtype, shape: [tensor.length], data_offsets: [offset, offset + tensor.byteLength] };
    offset += tensor.byteLength;
  }
  const json = JSON.stringify(header);
  const text = json.padEnd(aligned(json.length), " ");

  const file = new Uint8Array(LENGTH_BYTES + text.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  new TextEncoder().encodeInto(text, file.subarray(LENGTH_BYTES));
  for (const [name, tensor] of paddedTensors(tensors)) {
    const bytes = new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength);
    file.set(bytes, LENGTH_BYTES + text.length + header[name].data_offsets[0]);
  }
  return file;
}

/** The format allows no gaps between tensors, so a tensor that ends off the grid is followed by a pad tensor. */
function paddedTensors(tensors: Readonly<Record<string, Tensor>>): [string, Tensor][] {
  return Object.entries(tensors).flatMap(([name, tensor]): [string, Tensor][] => {
    const gap = aligned(tensor.byteLength) - tensor.byteLength;
    return gap === 0
      ? [[name, tensor]]
      : [
          [name, tensor],
          [`${name}.pad`, new Uint8Array(gap)],
        ];
  });
}

/**
 * Reads every tensor, as views of `file` where it is aligned.
 *
 * @throws CHURN_ERR_MODEL_INVALID when the header or an offset does not fit the file
 */
export function decodeSafetensors(file: Uint8Array, source: string): ReadonlyMap<string, Tensor> {
  const invalid = (message: string): ChurnError =>
    new ChurnError("CHURN_ERR_MODEL_INVALID", `${source}: not a valid safetensors file: ${message}`);
  if (file.byteLength < LENGTH_BYTES) throw invalid(`expected at least ${LENGTH_BYTES} bytes, got ${file.byteLength}`);

  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  const start = LENGTH_BYTES + headerLength;
  if (start > file.byteLength) throw invalid("the header is longer than the file");

  let header: [string, Partial<TensorInfo> | null][];
  try {
    header = Object.entries(JSON.parse(new TextDecoder().decode(file.subarray(LENGTH_BYTES, start))));
  } catch {
    throw invalid("the header is not a JSON object");
  }
  const tensors = new Map<string, Tensor>();
  let end = 0;
  for (const [name, info] of header) {
    if (name === "__metadata__") continue;
    const type = DTYPES[info?.dtype as Dtype];
    const [length, ...moreDimensions] = numbers(info?.shape);
    const [from, to] = numbers(info?.data_offsets);
    const isSound = length >= 0 && moreDimensions.length === 0 && from === end;
    if (type === undefined || !isSound || to !== from + length * type.BYTES_PER_ELEMENT) {
      throw invalid(`the entry of tensor "${name}" contradicts itself`);
    }
    if (start + to > file.byteLength) throw invalid(`tensor "${name}" ends after the file`);
    const offset = file.byteOffset + start + from;
    const isAligned = offset % type.BYTES_PER_ELEMENT === 0;
    tensors.set(
      name,
      isAligned
        ? new type(file.buffer as ArrayBuffer, offset, length)
        : new type(file.slice(start + from, start + to).buffer, 0, length),
    );
    end = to;
  }
  if (start + end !== file.byteLength) throw invalid("bytes follow the last tensor");
  return tensors;
}

/** A list of whole numbers, or nothing. */
function numbers(value: unknown): readonly number[] {
  return Array.isArray(value) && value.every(Number.isSafeInteger) ? value : [];
}
