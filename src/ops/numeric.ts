// SPDX-License-Identifier: Apache-2.0
/**
 * Typed element access for the references. Three views of a tensor's elements: `numbersOf` (doubles, for arithmetic
 * in double precision), `exactOf` (numbers, or bigints for the 64-bit integers: nothing is lost) and `cellsOf`
 * (stored patterns, one per element, for moving data around). The way back rounds floats once and wraps integers, as
 * ONNX's arithmetic does; saturating is the caller's to ask for. Sub-byte types are unpacked here and packed again.
 */
import * as half from '../base/half.ts'
import * as narrow from '../base/narrow-float.ts'
import { type Dtype, type TensorData, dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Cells, cellsOf, isWide, rangeOf } from './elements.ts'

/** An element in JavaScript: a bigint for int64 and uint64, a number for the other numeric types. */
export type Exact = number | bigint

interface Codec {
  decode(pattern: number): number
  encode(value: number): number
}

function codec(format: narrow.NarrowFloat): Codec {
  return { decode: (p) => narrow.decodeNarrow(format, p), encode: (v) => narrow.encodeNarrow(format, v, true) }
}

/** How stored patterns become doubles, for the types whose JavaScript array does not do it. */
const codecs: Readonly<Partial<Record<Dtype, Codec>>> = {
  float16: { decode: half.fromFloat16, encode: half.toFloat16 },
  bfloat16: { decode: half.fromBfloat16, encode: half.toBfloat16 },
  float8e4m3fn: codec(narrow.float8e4m3fn),
  float8e4m3fnuz: codec(narrow.float8e4m3fnuz),
  float8e5m2: codec(narrow.float8e5m2),
  float8e5m2fnuz: codec(narrow.float8e5m2fnuz),
  float8e8m0: { decode: narrow.fromFloat8e8m0, encode: narrow.toFloat8e8m0 },
  float4e2m1: codec(narrow.float4e2m1),
  int4: { decode: (p) => (p << 28) >> 28, encode: (v) => wrapBits(v, 4) },
  uint4: { decode: (p) => p, encode: (v) => wrapBits(v, 4) },
  int2: { decode: (p) => (p << 30) >> 30, encode: (v) => wrapBits(v, 2) },
  uint2: { decode: (p) => p, encode: (v) => wrapBits(v, 2) },
  bool: { decode: (p) => (p === 0 ? 0 : 1), encode: (v) => (v === 0 ? 0 : 1) },
}

function wrapBits(value: number, bits: number): number {
  return Math.trunc(value) & ((1 << bits) - 1)
}

/** Room for the stored patterns of `size` elements: zeros, or empty strings. */
export function newCells(dtype: Dtype, size: number): Cells {
  if (dtype === 'string') return new Array<string>(size).fill('')
  return new (dtypes[dtype].array as typeof Uint8Array)(size) as Cells
}

/** A tensor of stored patterns, one per element (sub-byte types are packed). */
export function tensorOfCells(dtype: Dtype, cells: Cells, dims: readonly number[]): Tensor {
  const { bits } = dtypes[dtype]
  if (bits === 0 || bits >= 8) return new Tensor(dtype, cells as TensorData, dims)
  const perByte = 8 / bits
  const packed = new Uint8Array(Math.ceil(sizeOf(dims) / perByte))
  for (let i = 0; i < cells.length; i++)
    packed[Math.floor(i / perByte)] |= (cells[i] as number) << ((i % perByte) * bits)
  return new Tensor(dtype, packed, dims)
}

/** Elements as doubles. int64 and uint64 beyond 2^53 are rounded. The tensor's own array where that is what it holds. */
export function numbersOf(tensor: Tensor): ArrayLike<number> & Iterable<number> {
  const codec = codecs[tensor.type]
  if (codec === undefined && !isWide(tensor.type)) return tensor.data as Float32Array
  const cells = cellsOf(tensor) as ArrayLike<Exact>
  const values = new Float64Array(cells.length)
  for (let i = 0; i < values.length; i++) values[i] = codec ? codec.decode(cells[i] as number) : Number(cells[i])
  return values
}

/** Elements with nothing lost: bigints for the 64-bit integers, doubles for the rest. */
export function exactOf(tensor: Tensor): ArrayLike<Exact> {
  return isWide(tensor.type) ? (tensor.data as BigInt64Array) : numbersOf(tensor)
}

/**
 * A tensor of these values. Floats are rounded to the type once, ties to even (the types without infinity saturate);
 * integers lose their fraction and wrap around; bool is `value != 0`.
 */
export function tensorOf(dtype: Dtype, values: ArrayLike<Exact>, dims: readonly number[]): Tensor {
  const cells = newCells(dtype, values.length)
  const put = encoderOf(dtype)
  for (let i = 0; i < values.length; i++) cells[i] = put(values[i]) as number
  return tensorOfCells(dtype, cells, dims)
}

/** The stored pattern of a value, by the rules of `tensorOf`. */
export function encoderOf(dtype: Dtype): (value: Exact) => Exact {
  const codec = codecs[dtype]
  if (codec) return (value) => codec.encode(Number(value))
  const { kind, bits } = dtypes[dtype]
  if (kind === 'float') return Number
  if (isWide(dtype)) {
    return (value) => (typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n)
  }
  // typed arrays wrap numbers modulo 2^32 and smaller by themselves
  return (value) => (typeof value === 'bigint' ? Number(BigInt.asUintN(bits, value)) : value)
}

/** Rounds ties to even and clamps into an integer type's range; NaN becomes 0. */
export function saturate(dtype: Dtype, value: number): number {
  const [low, high] = rangeOf(dtype)
  if (Number.isNaN(value)) return 0
  return Math.min(Math.max(narrow.roundHalfEven(value), Number(low)), Number(high))
}

/** A tensor whose element i is element `source(i)` of `tensor`; -1 takes `fill` (a stored pattern, zero by default). */
export function pick(
  tensor: Tensor,
  dims: readonly number[],
  source: (i: number) => number,
  fill?: Cells[number],
): Tensor {
  const from = cellsOf(tensor)
  const to = newCells(tensor.type, sizeOf(dims))
  for (let i = 0; i < to.length; i++) {
    const at = source(i)
    if (at >= 0) to[i] = from[at] as number
    else if (fill !== undefined) to[i] = fill as number
  }
  return tensorOfCells(tensor.type, to, dims)
}
