// SPDX-License-Identifier: Apache-2.0
/**
 * The element types: one row each. Names are those of onnxruntime-common, and for the narrow types those of the
 * ONNX project's test data. Sub-byte types are packed little end first (element 0 in the low bits) with logical dims;
 * 16-bit floats are kept as bit patterns in a Uint16Array; float8/float4 as bytes; strings as a JavaScript array.
 */

interface DtypeRow {
  /** TensorProto.DataType of onnx.proto. */
  readonly onnx: number
  /** Bits per element; 0 for string. */
  readonly bits: number
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'string'
  readonly array:
    | typeof Float32Array
    | typeof Float64Array
    | typeof Int8Array
    | typeof Uint8Array
    | typeof Int16Array
    | typeof Uint16Array
    | typeof Int32Array
    | typeof Uint32Array
    | typeof BigInt64Array
    | typeof BigUint64Array
    | typeof Array
}

export const dtypes = {
  float32: { onnx: 1, bits: 32, kind: 'float', array: Float32Array },
  uint8: { onnx: 2, bits: 8, kind: 'uint', array: Uint8Array },
  int8: { onnx: 3, bits: 8, kind: 'int', array: Int8Array },
  uint16: { onnx: 4, bits: 16, kind: 'uint', array: Uint16Array },
  int16: { onnx: 5, bits: 16, kind: 'int', array: Int16Array },
  int32: { onnx: 6, bits: 32, kind: 'int', array: Int32Array },
  int64: { onnx: 7, bits: 64, kind: 'int', array: BigInt64Array },
  string: { onnx: 8, bits: 0, kind: 'string', array: Array },
  bool: { onnx: 9, bits: 8, kind: 'bool', array: Uint8Array },
  float16: { onnx: 10, bits: 16, kind: 'float', array: Uint16Array },
  float64: { onnx: 11, bits: 64, kind: 'float', array: Float64Array },
  uint32: { onnx: 12, bits: 32, kind: 'uint', array: Uint32Array },
  uint64: { onnx: 13, bits: 64, kind: 'uint', array: BigUint64Array },
  bfloat16: { onnx: 16, bits: 16, kind: 'float', array: Uint16Array },
  float8e4m3fn: { onnx: 17, bits: 8, kind: 'float', array: Uint8Array },
  float8e4m3fnuz: { onnx: 18, bits: 8, kind: 'float', array: Uint8Array },
  float8e5m2: { onnx: 19, bits: 8, kind: 'float', array: Uint8Array },
  float8e5m2fnuz: { onnx: 20, bits: 8, kind: 'float', array: Uint8Array },
  uint4: { onnx: 21, bits: 4, kind: 'uint', array: Uint8Array },
  int4: { onnx: 22, bits: 4, kind: 'int', array: Uint8Array },
  float4e2m1: { onnx: 23, bits: 4, kind: 'float', array: Uint8Array },
  float8e8m0: { onnx: 24, bits: 8, kind: 'float', array: Uint8Array },
  uint2: { onnx: 25, bits: 2, kind: 'uint', array: Uint8Array },
  int2: { onnx: 26, bits: 2, kind: 'int', array: Uint8Array },
} as const satisfies Record<string, DtypeRow>

export type Dtype = keyof typeof dtypes

/** The JavaScript array that holds the data of any tensor. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[]

/** Bytes that `elements` elements of `dtype` take in their packed layout (strings: 0). */
export function byteLengthOf(dtype: Dtype, elements: number): number {
  return Math.ceil((elements * dtypes[dtype].bits) / 8)
}

/** The dtype with this TensorProto.DataType number, or undefined. */
export function dtypeOfOnnx(code: number): Dtype | undefined {
  return (Object.keys(dtypes) as Dtype[]).find((name) => dtypes[name].onnx === code)
}

/** True when `name` is a dtype. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypes, name)
}
