// SPDX-License-Identifier: Apache-2.0
/**
 * whittle.Attention: y = softmax(scale * q k^T + mask) v for each head, in one node, so that heads are read where they
 * lie and no Transpose moves them. Each operand of rank 4 says by a word of the letters b (batch), h (head), s (place in
 * the sequence) and d (element of the head) in which order its axes are; q and y keep d last. The mask is added; it
 * broadcasts to [batch, heads, queries, keys]. A row that is -inf throughout gives NaN, as Softmax does.
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { broadcastStrides, sizeOf, stridesOf } from '../tensor/shape.ts'
import {
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { type Place, addToScores, emitAttention } from './lower-attention.ts'
import { isFloat32 } from './lower-elementwise.ts'
import type { Lowering, Operand } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Axes in the order that arithmetic below uses. */
const letters = ['b', 'h', 's', 'd'] as const

const operands = ['q', 'k', 'v', 'y'] as const

/** Dims (or strides) in the order b, h, s, d. */
function ordered<T>(dims: readonly T[], layout: string): T[] {
  return letters.map((letter) => dims[layout.indexOf(letter)])
}

function layoutOf(context: OpContext, name: (typeof operands)[number]): string {
  const layout = context.attributes[`${name}_layout`] as string
  const isLayout = [...layout].sort().join('') === 'bdhs'
  if (!isLayout || ((name === 'q' || name === 'y') && !layout.endsWith('d')))
    throw complaint(context, `a ${name}_layout of the letters bhsd${name === 'q' ? ', d last' : ''}`, layout)
  return layout
}

function inferAttention(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const [layoutQ, layoutK, layoutV, layoutY] = operands.map((name) => layoutOf(context, name))
  const infos = ['q', 'k', 'v'].map((name, i) => needed(context, inputs[i], name))
  const { dtype } = infos[0]
  for (const { dims } of infos)
    if (dims !== null && dims.length !== 4) throw complaint(context, 'operands of rank 4', printDims(dims))
  const [qd, kd, vd] = infos.map(({ dims }) => dims)
  if (qd === null || kd === null || vd === null) return [{ dtype, dims: unknownDims(context, 4, 0) }]
  const [q, k, v] = [ordered(qd, layoutQ), ordered(kd, layoutK), ordered(vd, layoutV)]
  const pairs: [Dim, Dim][] = [
    [q[0], k[0]],
    [q[0], v[0]],
    [q[1], k[1]],
    [q[1], v[1]],
    [k[2], v[2]],
    [q[3], k[3]],
  ]
  if (pairs.some(([a, b]) => dim.isKnown(a) && dim.isKnown(b) && a !== b)) {
    throw complaint(
      context,
      'q, k and v of the same batch, heads, keys and size',
      [qd, kd, vd].map(printDims).join(' '),
    )
  }
  const y = [q[0], q[1], q[2], v[3]]
  const mask = inputs[3]?.dims ?? []
  const scores = [q[0], q[1], q[2], k[2]].slice(4 - mask.length)
  const stretches = (own: Dim, i: number): boolean =>
    dim.isKnown(own) && dim.isKnown(scores[i]) && own !== 1 && own !== scores[i]
  if (mask.length > 4 || mask.some(stretches)) {
    throw complaint(context, `a mask that broadcasts to ${printDims(scores)}`, printDims(mask))
  }
  return [{ dtype, dims: [...layoutY].map((letter) => y[letters.indexOf(letter as 'b')]) }]
}

function placeOf({ dims, ref }: Operand, layout: unknown): Place {
  return { ref, dims: ordered(dims, layout as string), strides: ordered(stridesOf(dims), layout as string) }
}

function lowerAttention(lowering: Lowering, attributes: Attributes): boolean {
  const given = [0, 1, 2, 3].map((i) => lowering.input(i))
  const out = lowering.output(0)
  if (!isFloat32(...given) || given.slice(0, 3).some((operand) => operand!.size === 0)) return false
  const [q, k, v, y] = [...given.slice(0, 3), out].map((o, i) => placeOf(o!, attributes[`${operands[i]}_layout`]))
  const mask = given[3]
  const before = (scores: Place): boolean => mask === null || addToScores(lowering, scores, mask)
  return emitAttention(lowering, { q, k, v, y, scale: attributes.scale as number, before })
}

export const ops = defineOps({
  'whittle.Attention': {
    inputs: [3, 4],
    attributes: {
      scale: { kind: 'float', default: 1 },
      q_layout: { kind: 'string', default: 'bhsd' },
      k_layout: { kind: 'string', default: 'bhsd' },
      v_layout: { kind: 'string', default: 'bhsd' },
      y_layout: { kind: 'string', default: 'bhsd' },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferAttention,
    lower: (lowering, { attributes }) => lowerAttention(lowering, attributes),
  },
})

function softmax(scores: Float64Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const powers = scores.map((v) => Math.exp(v - most))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((v) => v / total)
}

export const references = {
  'whittle.Attention'([qt, kt, vt, mask], attributes) {
    const view = (tensor: NonNullable<typeof qt>, name: string) => {
      const layout = attributes[`${name}_layout`] as string
      const [data, strides] = [numbersOf(tensor), ordered(stridesOf(tensor.dims), layout)]
      const at = (b: number, h: number, s: number, d: number): number =>
        data[b * strides[0] + h * strides[1] + s * strides[2] + d * strides[3]]
      return { at, dims: ordered(tensor.dims, layout) }
    }
    const [q, k, v] = [view(qt!, 'q'), view(kt!, 'k'), view(vt!, 'v')]
    const [batch, heads, queries, size] = q.dims
    const [keys, width] = [v.dims[2], v.dims[3]]
    const scale = attributes.scale as number
    const added = mask ? numbersOf(mask) : null
    const steps = mask ? broadcastStrides(mask.dims, [batch, heads, queries, keys]) : []
    const layout = [...(attributes.y_layout as string)].map((letter) => letters.indexOf(letter as 'b'))
    const whole = [batch, heads, queries, width]
    const dims = layout.map((axis) => whole[axis])
    const strides = ordered(stridesOf(dims), attributes.y_layout as string)
    const y = new Float64Array(sizeOf(dims))
    for (let row = 0; row < batch * heads * queries; row++) {
      const [b, h, i] = [Math.floor(row / (heads * queries)), Math.floor(row / queries) % heads, row % queries]
      const scores = new Float64Array(keys)
      for (let j = 0; j < keys; j++) {
        let sum = 0
        for (let d = 0; d < size; d++) sum += q.at(b, h, i, d) * k.at(b, h, j, d)
        scores[j] = sum * scale
        if (added) scores[j] += added[b * steps[0] + h * steps[1] + i * steps[2] + j * steps[3]]
      }
      const weights = softmax(scores)
      for (let d = 0; d < width; d++) {
        let sum = 0
        for (let j = 0; j < keys; j++) sum += weights[j] * v.at(b, h, j, d)
        y[b * strides[0] + h * strides[1] + i * strides[2] + d] = sum
      }
    }
    return [tensorOf(qt!.type, y, dims)]
  },
} satisfies Record<string, Reference>

/** q [2, 3 heads, 5, 8], 7 keys, values of 6, in these layouts. */
function sample(random: Random, layouts: readonly string[], mask?: number[], batch = 2): Sample {
  const sizes = [
    { b: batch, h: 3, s: 5, d: 8 },
    { b: batch, h: 3, s: 7, d: 8 },
    { b: batch, h: 3, s: 7, d: 6 },
  ]
  const inputs = sizes.map((size, i) =>
    floats(
      random,
      [...layouts[i]].map((letter) => size[letter as 'b']),
    ),
  )
  const [q_layout, k_layout, v_layout, y_layout] = layouts
  return {
    inputs: [...inputs, ...(mask ? [floats(random, mask, -3, 3)] : [])],
    attributes: { scale: 0.35, q_layout, k_layout, v_layout, y_layout },
  }
}

export const samples = {
  'whittle.Attention': (random) => [
    sample(random, ['bhsd', 'bhsd', 'bhsd', 'bhsd']),
    sample(random, ['bshd', 'bshd', 'bshd', 'bshd'], [2, 1, 1, 7]),
    sample(random, ['bhsd', 'bhds', 'bhsd', 'bshd'], [5, 7]),
    sample(random, ['bshd', 'bhds', 'bshd', 'bhsd'], [1, 3, 5, 7], 1),
    sample(random, ['sbhd', 'dshb', 'hbds', 'hsbd'], [1]),
  ],
} satisfies Record<string, Samples>
