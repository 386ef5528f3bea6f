// SPDX-License-Identifier: Apache-2.0
/**
 * RotaryEmbedding: pairs of channels of each head turned by the angle of their position; the rest of the head passes.
 * Pairs are (i, i + half), or neighbours where interleaved. X is [batch, heads, sequence, size] or
 * [batch, sequence, heads * size]. https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
 */
import * as dim from '../ir/dim.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { grainOf } from './grid.ts'
import { isFloat32 } from './lower-elementwise.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
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
    infer([x], context) {
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
      return [{ dtype, dims }]
    },
    lower: (lowering, { attributes }) => lowerRotary(lowering, attributes),
  },
})

function lowerRotary(lowering: Lowering, attributes: Attributes): boolean {
  const [x, cos, sin, places] = [0, 1, 2, 3].map((i) => lowering.input(i))
  const y = lowering.output(0)
  if (!isFloat32(x, cos, sin) || (places && places.dtype !== 'int64')) return false
  if (x!.size === 0) return true
  const { batch, heads, sequence, size, strides } = layoutOf(x!.dims, attributes)
  const half = ((attributes.rotary_embedding_dim as number) || size) >> 1
  // the tables are [rows, half], or [batch, sequence, half] where no places are given
  const rows = half === 0 ? 0 : cos!.size / half
  if (
    rows === 0 ||
    [cos, sin].some((table) => table!.dims.at(-1) !== half) ||
    sin!.size !== cos!.size ||
    (places && places.size !== batch * sequence) ||
    (!places && rows !== batch * sequence)
  )
    return false
  const [batchStride, headStride, placeStride] = strides
  const operands = { x: x!.ref, y: y.ref, cos: cos!.ref, sin: sin!.ref, places: places?.ref ?? null }
  const numbers = { rows, sequence, heads, size, half, batchStride, placeStride, headStride }
  const interleaved = Number(attributes.interleaved === 1)
  const grain = grainOf(heads * size)
  lowering.step({
    kernel: 'rotary_f32',
    units: batch * sequence,
    grain,
    args: { ...operands, ...numbers, interleaved },
  })
  return true
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

export const references = {
  RotaryEmbedding: ([x, cos, sin, positions], attributes) => {
    const { batch, heads, sequence, size, strides } = layoutOf(x!.dims, attributes)
    const rotated = (attributes.rotary_embedding_dim as number) || size
    const half = rotated / 2
    const [cosines, sines] = [numbersOf(cos!), numbersOf(sin!)]
    const rows = positions ? integersOf(positions) : null
    const values = Float64Array.from(numbersOf(x!))
    const result = values.slice()
    for (let b = 0; b < batch; b++) {
      for (let s = 0; s < sequence; s++) {
        const row = (rows ? rows[b * sequence + s] : b * sequence + s) * half
        for (let h = 0; h < heads; h++) {
          const start = b * strides[0] + h * strides[1] + s * strides[2]
          for (let i = 0; i < half; i++) {
            const [left, right] = attributes.interleaved === 1 ? [2 * i, 2 * i + 1] : [i, i + half]
            const [a, c] = [values[start + left], values[start + right]]
            result[start + left] = a * cosines[row + i] - c * sines[row + i]
            result[start + right] = a * sines[row + i] + c * cosines[row + i]
          }
        }
      }
    }
    return [tensorOf(x!.type, result, x!.dims)]
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
} satisfies Record<string, Samples>
