/**
 * ONNX's messages, as far as an export uses them, and their bytes.
 *
 * onnx-ml.proto is the ONNX project's own file (SOURCE.md); protobufjs reads it, so no field number stands here.
 */
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";

/** Element types of tensors: onnx.TensorProto.DataType. */
export const DataType = { FLOAT: 1, UINT8: 2, INT64: 7, STRING: 8, DOUBLE: 11 } as const;
export type DataType = (typeof DataType)[keyof typeof DataType];

export type Values = Float32Array | Float64Array | Uint8Array | BigInt64Array;

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data_type: DataType;
  readonly raw_data: Uint8Array;
}

export interface AttributeProto {
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly t?: TensorProto;
  readonly floats?: readonly number[];
  readonly ints?: ArrayLike<number>;
  readonly strings?: readonly Uint8Array[];
}

export interface NodeProto {
  readonly op_type: string;
  readonly domain: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly (AttributeProto & { readonly name: string })[];
}

export interface ValueInfoProto {
  readonly name: string;
  readonly doc_string: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: DataType;
      readonly shape: { readonly dim: readonly { readonly dim_param: string }[] };
    };
  };
}

export interface ModelProto {
  readonly ir_version: number;
  readonly opset_import: readonly { readonly domain: string; readonly version: number }[];
  readonly producer_name: string;
  readonly producer_version: string;
  readonly doc_string: string;
  readonly metadata_props: readonly { readonly key: string; readonly value: string }[];
  readonly graph: {
    readonly name: string;
    readonly node: readonly NodeProto[];
    readonly initializer: readonly TensorProto[];
    readonly input: readonly ValueInfoProto[];
    readonly output: readonly ValueInfoProto[];
  };
}

// Attributes by onnx.AttributeProto.AttributeType.
export const float = (f: number): AttributeProto => ({ type: 1, f });
export const int = (i: number): AttributeProto => ({ type: 2, i });
export const tensor = (t: TensorProto): AttributeProto => ({ type: 4, t });
export const floats = (values: readonly number[]): AttributeProto => ({ type: 6, floats: values });
export const ints = (values: ArrayLike<number>): AttributeProto => ({ type: 7, ints: values });
export const strings = (values: readonly string[]): AttributeProto => ({
  type: 8,
  strings: values.map((value) => Buffer.from(value)),
});

/** @param dims None for a scalar. */
export function tensorProto(name: string, values: Values, dims: readonly number[]): TensorProto {
  // Little-endian, as on every machine Node runs on.
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dims, data_type: dataType(values), raw_data: bytes };
}

function dataType(values: Values): DataType {
  if (values instanceof Float32Array) return DataType.FLOAT;
  if (values instanceof Float64Array) return DataType.DOUBLE;
  return values instanceof Uint8Array ? DataType.UINT8 : DataType.INT64;
}

/** The bytes of a model file; the same model gives the same bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  const schema = readFileSync(new URL("onnx-ml.proto", import.meta.url), "utf8");
  const message = protobuf.parse(schema, { keepCase: true }).root.lookupType("onnx.ModelProto");
  return message.encode(model as unknown as protobuf.Message).finish();
}
