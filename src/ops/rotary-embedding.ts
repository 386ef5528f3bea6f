// SPDX-License-Identifier: Apache-2.0
/**
 * RotaryEmbedding, ONNX's and ONNX Runtime's: pairs of channels of each head turned by the angle of their position; the rest of the head passes.
 * Pairs are (i, i + half), or neighbours where interleaved. X is [batch, heads, sequence, size] or
 * [batch, sequence, heads * size]. https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
 * That of ONNX Runtime has the places before the tables, [batch, sequence], or [1]: the first place of every sequence.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.RotaryEmbedding
 */
import * as dim from '../ir/dim.ts'
import { Tensor } from '../tensor/tensor.ts'
import { headsOf, swapped } from './attention-reference.ts'
import { mayEqual } from './conv-types.ts'
import { checkOperand, headSize, refuseAttributes } from './contrib-attention.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitIntegers } from './lower-integer.ts'
import type { Lowering, Operand } from './lower.ts'
import { tensorOf } from './numeric.ts'
import { emitRotation, rotated } from './rotation.ts'
import { floats, integers } from './sample-tensors.ts'

export const ops = defineOps({
  RotaryEmbedding: {
    inputs: [3, 4],
    attributes: {
      interleaved: { kind: 'int', default: 0 },
      num_heads: { kind: 'int', default: 0 },
      rotary_embedding_dim: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([x, cos, sin], context) {
      const { dtype, dims } = needed(context, x, 'X')
      if (dims !== null && dims.length !== 3 && dims.length !== 4) {
        throw complaint(context, 'an X of rank 3 or 4', printDims(dims))
      }
      const heads = context.attributes.num_heads as number
      const channels = dims?.at(-1)
      if (dims?.length === 3 && channels !== undefined && dim.isKnown(channels)) {
        if (heads <= 0 || channels % heads !== 0) {
          throw complaint(context, `an attribute num_heads that divides ${channels}`, String(heads))
        }
      }
      const rotated = context.attributes.rotary_embedding_dim as number
      const size = dims?.length === 3 && channels !== undefined ? dim.floorDiv(channels, heads) : channels
      if (rotated < 0 || (size !== undefined && dim.isKnown(size) && rotated > size)) {
        throw complaint(
          context,
          `rotary_embedding_dim in [0, ${size === undefined ? 'head' : dim.print(size)}]`,
          String(rotated),
        )
      }
      const half = rotated > 0 ? dim.floorDiv(rotated, 2) : size === undefined ? null : dim.floorDiv(size, 2)
      for (const [name, table] of Object.entries({ cos_cache: cos, sin_cache: sin })) {
        const width = table?.dims?.at(-1)
        if (width !== undefined && half !== null && !mayEqual(width, half))
          throw complaint(context, `a ${name} of ${dim.print(half)} columns`, dim.print(width))
      }
      return [{ dtype, dims }]
    },
    lower: (lowering, { attributes }) => {
      const [x, cos, sin, places] = [0, 1, 2, 3].map((i) => lowering.input(i))
      return lowerRotary(lowering, { x: x!, cos: cos!, sin: sin!, places }, attributes)
    },
  },
  'com.microsoft.RotaryEmbedding': {
    inputs: [4, 4],
    attributes: {
      interleaved: { kind: 'int', default: 0 },
      is_packed_batching: { kind: 'int', default: 0 },
      num_heads: { kind: 'int', default: 0 },
      rotary_embedding_dim: { kind: 'int', default: 0 },
      scale: { kind: 'float', default: 1 },
    },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer([xInfo, places, cos, sin], context) {
      const x = needed(context, xInfo, 'input')
      refuseAttributes(context, { is_packed_batching: [0], scale: [1] })
      checkOperand(context, 'position_ids', needed(context, places, 'position_ids'), 'int64')
      checkOperand(context, 'cos_cache', needed(context, cos, 'cos_cache'), x.dtype, [null, null])
      checkOperand(context, 'sin_cache', needed(context, sin, 'sin_cache'), x.dtype, cos?.dims ?? [null, null])
      const half = cos?.dims?.[1]
      const { num_heads: heads, rotary_embedding_dim: given } = context.attributes as Record<string, number>
      if (heads < 0) throw complaint(context, 'num_heads of 0 or more', String(heads))
      const { dims } = x
      if (dims === null) return [x]
      if (dims.length !== 3 && dims.length !== 4) throw complaint(context, 'an input of rank 3 or 4', printDims(dims))
      const size = dims.length === 4 ? dims[3] : heads > 0 ? headSize(context, 'input', dims[2], heads) : null
      if (half !== undefined && dim.isKnown(half)) {
        if (half < 1) throw complaint(context, 'a cos_cache of one column or more', String(half))
        if (given !== 0 && given !== 2 * half)
          throw complaint(context, `rotary_embedding_dim ${2 * half}`, String(given))
        if (size === null) headSize(context, 'input', dims[2], dim.isKnown(dims[2]) ? dims[2] / (2 * half) : 1)
        else if (dim.isKnown(size) && 2 * half > size)
          throw complaint(context, `a cos_cache of 1 to ${size >> 1} columns`, String(half))
      }
      const sequence = dims[dims.length === 4 ? 2 : 1]
      const isOne = places!.dims?.length === 1
      checkOperand(context, 'position_ids', places, 'int64', isOne ? [1] : [dims[0], sequence])
      return [{ dtype: x.dtype, dims }]
    },
    lower: (lowering, { attributes }) => {
      const [x, places, cos, sin] = [0, 1, 2, 3].map((i) => lowering.input(i)!)
      const { batch, sequence } = layoutOf(x.dims, headsFor(x, cos, attributes))
      const options = { ...headsFor(x, cos, attributes), rotary_embedding_dim: 2 * cos.dims[1] }
      if (places.dims.length === 2) return lowerRotary(lowering, { x, cos, sin, places }, options)
      if (places.dtype !== 'int64' || x.size === 0) return false
      const counted = BigInt64Array.from({ length: batch * sequence }, (_, i) => BigInt(i % sequence))
      const dims = [batch, sequence]
      const all = { ...places, ref: lowering.scratch(batch * sequence * 8), dims, size: batch * sequence }
      const table = { ref: lowering.table(new Uint8Array(counted.buffer)), dims }
      return (
        emitIntegers(lowering, 'Add', 'int64', [places, table], all) &&
        lowerRotary(lowering, { x, cos, sin, places: all }, options)
      )
    },
  },
})

/** The attributes with the number of heads, which may be left to the width of the tables. */
function headsFor(x: Sized, cos: Sized, attributes: Attributes): Attributes {
  if (x.dims.length === 4 || attributes.num_heads !== 0) return attributes
  return { ...attributes, num_heads: x.dims[2] / (2 * cos.dims[1]) }
}

type Sized = Pick<Operand, 'dims'>

function lowerRotary(
  lowering: Lowering,
  {
    x,
    cos,
    sin,
    places,
  }: { readonly x: Operand; readonly cos: Operand; readonly sin: Operand; readonly places: Operand | null },
  attributes: Attributes,
): boolean {
  if (!isFloat32(x, cos, sin) || (places && places.dtype !== 'int64')) return false
  if (x.size === 0) return true
  const { batch, heads, sequence, size, strides } = layoutOf(x.dims, attributes)
  const half = ((attributes.rotary_embedding_dim as number) || size) >> 1
  if (cos.dims.at(-1) !== half || (places && places.size !== batch * sequence)) return false
  const place = { ref: x.ref, dims: [batch, heads, sequence, size], strides: [...strides, 1] }
  const target = lowering.output(0).ref
  const isInterleaved = attributes.interleaved === 1
  return emitRotation(lowering, place, { cos, sin, places: places?.ref ?? null, target, isInterleaved })
}

/** Sizes, and strides of batch, head and place in elements; a head is dense. */
function layoutOf(dims: readonly number[], { num_heads: given }: Attributes) {
  if (dims.length === 4) {
    const [batch, heads, sequence, size] = dims
    return { batch, heads, sequence, size, strides: [heads * sequence * size, sequence * size, size] as const }
  }
  const [batch, sequence, hidden] = dims
  const heads = given as number
  const size = hidden / heads
  return { batch, heads, sequence, size, strides: [sequence * hidden, size, hidden] as const }
}

/** Turned, in the layout it came in. */
function turned(x: Tensor, how: Parameters<typeof rotated>[1], attributes: Attributes): Tensor {
  const { batch, heads, sequence, size } = layoutOf(x.dims, attributes)
  const { data } = rotated(headsOf(x, heads), how)
  return tensorOf(x.type, x.dims.length === 4 ? data : swapped(data, batch, heads, sequence, size), x.dims)
}

export const references = {
  RotaryEmbedding: ([x, cos, sin, positions], attributes) => {
    const { sequence } = layoutOf(x!.dims, attributes)
    const rows = positions ? integersOf(positions) : null
    const placeAt = (b: number, s: number): number => (rows ? rows[b * sequence + s] : b * sequence + s)
    return [turned(x!, { cos: cos!, sin: sin!, isInterleaved: attributes.interleaved === 1, placeAt }, attributes)]
  },
  'com.microsoft.RotaryEmbedding': ([x, positions, cos, sin], given) => {
    const attributes = headsFor(x!, cos!, given)
    const { sequence } = layoutOf(x!.dims, attributes)
    const rows = integersOf(positions!)
    const isOne = positions!.dims.length === 1
    const placeAt = (b: number, s: number): number => (isOne ? rows[0] + s : rows[b * sequence + s])
    return [turned(x!, { cos: cos!, sin: sin!, isInterleaved: attributes.interleaved === 1, placeAt }, attributes)]
  },
} satisfies Record<string, Reference>

export const samples = {
  RotaryEmbedding: (random): Sample[] => {
    const [cos, sin] = [floats(random, [10, 4]), floats(random, [10, 4])]
    const at = integers(random, [2, 3], 0, 9, 'int64')
    return [
      { inputs: [floats(random, [2, 4, 3, 8]), cos, sin, at] },
      { inputs: [floats(random, [2, 3, 32]), cos, sin, at], attributes: { num_heads: 4 } },
      { inputs: [floats(random, [2, 4, 3, 8]), cos, sin, at], attributes: { interleaved: 1 } },
      {
        inputs: [floats(random, [2, 4, 3, 12]), floats(random, [2, 3, 4]), floats(random, [2, 3, 4])],
        attributes: { rotary_embedding_dim: 8 },
      },
    ]
  },
  'com.microsoft.RotaryEmbedding': (random): Sample[] => {
    const tables = [floats(random, [10, 4]), floats(random, [10, 4])]
    const places = integers(random, [2, 3], 0, 9, 'int64')
    const first = new Tensor('int64', [4n], [1])
    return [
      { inputs: [floats(random, [2, 3, 32]), places, ...tables] },
      { inputs: [floats(random, [2, 3, 32]), first, ...tables], attributes: { interleaved: 1 } },
      { inputs: [floats(random, [2, 4, 3, 8]), places, ...tables], attributes: { interleaved: 1 } },
      { inputs: [floats(random, [2, 4, 3, 8]), first, ...tables] },
      {
        inputs: [floats(random, [2, 3, 48]), places, ...tables],
        attributes: { num_heads: 4, rotary_embedding_dim: 8 },
      },
      { inputs: [floats(random, [1, 1, 32]), new Tensor('int64', [7n], [1, 1]), ...tables] },
    ]
  },
} satisfies Record<string, Samples>
