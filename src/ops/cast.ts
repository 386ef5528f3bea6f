// SPDX-License-Identifier: Apache-2.0
/**
 * Cast and CastLike. Float to integer cuts the fraction and saturates (NaN becomes 0), but keeps the low bits for the
 * types below a byte; integer to integer keeps the low bits; to bool is `x != 0`; strings are parsed and printed. Float8 takes `saturate`, float8e8m0 `round_mode`.
 */
import * as narrow from '../base/narrow-float.ts'
import { isKnown } from '../ir/dim.ts'
import { type Dtype, dtypeOfOnnx, dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type AttributeSpec,
  type OpContext,
  type Reference,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { complaint, contentOf, needed, valueOf } from './infer.ts'
import { emitCast } from './lower-cast.ts'
import { copyElements } from './lower-move.ts'
import type { Lowering } from './lower.ts'
import { isFloat, isInteger, isWide, rangeOf } from './elements.ts'
import { type Exact, exactOf, numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

const attributes: Readonly<Record<string, AttributeSpec>> = {
  saturate: { kind: 'int', default: 1 },
  round_mode: { kind: 'string', default: 'up' },
}

function castInfo(x: ValueInfo, dtype: Dtype): ValueInfo {
  const elements = contentOf(x)
  const content = elements?.map((d) => {
    if (dtype !== 'bool') return d
    return isKnown(d) ? Number(d !== 0) : null
  })
  return valueOf(dtype, x.dims, content)
}

function targetOf(context: OpContext): Dtype {
  const dtype = dtypeOfOnnx(context.attributes.to as number)
  if (dtype === undefined)
    throw complaint(context, 'a data type number of ONNX as attribute to', String(context.attributes.to))
  return dtype
}

function lower(lowering: Lowering): boolean {
  const [x, y] = [lowering.input(0)!, lowering.output(0)]
  if (x.dtype === y.dtype) {
    lowering.alias(0, 0)
    return true
  }
  if (x.size === 0) return true
  // the low halves of little-endian 64-bit integers
  if (isWide(x.dtype) && (y.dtype === 'int32' || y.dtype === 'uint32')) {
    return copyElements(lowering, {
      width: 4,
      dims: [x.size],
      source: x.ref,
      strides: [2],
      target: y.ref,
      targetStrides: [1],
    })
  }
  return emitCast(lowering, [x.dtype, x.ref], [y.dtype, y.ref], x.size)
}

export const ops = defineOps({
  Cast: {
    inputs: [1, 1],
    attributes: { ...attributes, to: { kind: 'int', required: true } },
    infer: ([x], context) => [castInfo(needed(context, x, 'input'), targetOf(context))],
    lower,
  },
  CastLike: {
    inputs: [2, 2],
    attributes,
    infer: ([x, like], context) => [castInfo(needed(context, x, 'input'), needed(context, like, 'target_type').dtype)],
    lower,
  },
})

const narrowFormats: Readonly<Partial<Record<Dtype, narrow.NarrowFloat>>> = {
  float8e4m3fn: narrow.float8e4m3fn,
  float8e4m3fnuz: narrow.float8e4m3fnuz,
  float8e5m2: narrow.float8e5m2,
  float8e5m2fnuz: narrow.float8e5m2fnuz,
}

function convert(x: Tensor, dtype: Dtype, { saturate, round_mode: mode }: Attributes): Tensor {
  if (x.type === dtype) return x
  if (dtype === 'string')
    return new Tensor(
      'string',
      Array.from(exactOf(x), (v) => printed(v, x.type)),
      x.dims,
    )
  if (x.type === 'string') return fromTexts(x.data as readonly string[], dtype, x.dims)
  const format = narrowFormats[dtype]
  if (format !== undefined) {
    const patterns = Array.from(numbersOf(x), (v) => narrow.encodeNarrow(format, v, saturate !== 0))
    return new Tensor(dtype, patterns, x.dims)
  }
  if (dtype === 'float8e8m0') {
    const direction = mode as 'up' | 'down' | 'nearest'
    return new Tensor(
      dtype,
      Array.from(numbersOf(x), (v) => narrow.toFloat8e8m0(v, saturate !== 0, direction)),
      x.dims,
    )
  }
  if (isFloat(x.type) && isInteger(dtype) && dtypes[dtype].bits >= 8) {
    const [low, high] = rangeOf(dtype)
    const cut = (v: number): Exact => {
      if (Number.isNaN(v)) return 0
      return v <= Number(low) ? low : v >= Number(high) ? high : Math.trunc(v)
    }
    return tensorOf(dtype, Array.from(numbersOf(x), cut), x.dims)
  }
  return tensorOf(dtype, exactOf(x), x.dims)
}

/** Shortest text that reads back as the same number of its type. */
function printed(value: Exact, type: Dtype): string {
  if (typeof value === 'bigint' || type === 'float64' || !isFloat(type)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF'
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits)
    if (numbersOf(tensorOf(type, [Number(text)], [1]))[0] === value) return String(Number(text))
  }
  return String(value)
}

function fromTexts(texts: readonly string[], dtype: Dtype, dims: readonly number[]): Tensor {
  const parse = (text: string): Exact => {
    if (isWide(dtype) && /^[+-]?\d+$/.test(text.trim())) return BigInt(text.trim())
    const special = /^([+-]?)inf(inity)?$/i.exec(text.trim())
    return special ? (special[1] === '-' ? -Infinity : Infinity) : Number(text)
  }
  return tensorOf(dtype, texts.map(parse), dims)
}

export const references = {
  Cast: ([x], given) => [convert(x!, dtypeOfOnnx(given.to as number)!, given)],
  CastLike: ([x, like], given) => [convert(x!, like!.type, given)],
} satisfies Record<string, Reference>

export const samples = {
  Cast: (random) => {
    const to = (dtype: Dtype): Attributes => ({ to: dtypes[dtype].onnx })
    const values = floats(random, [2, 5], -300, 300)
    const special = new Tensor('float32', [NaN, Infinity, -Infinity, 1e30, -0.9])
    return [
      { inputs: [values], attributes: to('int32') },
      { inputs: [special], attributes: to('int64') },
      { inputs: [values], attributes: to('float32') },
      { inputs: [values], attributes: to('float16') },
      { inputs: [special], attributes: to('bool') },
      { inputs: [new Tensor('int64', [1n, -1n, 2n ** 40n + 3n])], attributes: to('int32') },
      { inputs: [new Tensor('int64', [1n, -1n, 2n ** 40n + 3n])], attributes: to('float32') },
      { inputs: [new Tensor('int8', [1, -128, 127])], attributes: to('float32') },
      { inputs: [new Tensor('uint8', [1, 128, 255])], attributes: to('float32') },
      { inputs: [new Tensor('bool', [1, 0])], attributes: to('float32') },
      { inputs: [new Tensor('float32', [], [0, 2])], attributes: to('int32') },
      ...(['int8', 'uint8', 'int64'] as const).map((dtype) => ({ inputs: [special], attributes: to(dtype) })),
      { inputs: [values], attributes: to('uint8') },
      ...(['int8', 'uint8', 'int32', 'bool'] as const).flatMap((dtype) => [
        { inputs: [new Tensor('int64', [1n, -1n, 0n, 2n ** 40n + 300n])], attributes: to(dtype) },
        { inputs: [new Tensor('int32', [1, -1, 0, 300])], attributes: to(dtype) },
        { inputs: [new Tensor('int8', [1, -128, 0])], attributes: to(dtype) },
      ]),
      { inputs: [new Tensor('bool', [1, 0])], attributes: to('int64') },
      { inputs: [new Tensor('int32', [1, -7])], attributes: to('int64') },
    ]
  },
  CastLike: (random) => [{ inputs: [floats(random, [3], -9, 9), new Tensor('int32', [0])] }],
} satisfies Record<string, Samples>
