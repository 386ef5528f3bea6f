// SPDX-License-Identifier: Apache-2.0
/**
 * Attention: softmax(scale * Q K^T, capped, + bias) V for each head, with groups of query heads sharing a key head, a
 * cache of earlier keys and values in front, and a bias made of the mask, causality and the lengths of the keys. A row
 * that is masked altogether gives zeros. Q, K, V are [batch, heads, sequence, size] or [batch, sequence, heads * size].
 * https://onnx.ai/onnx/operators/onnx__Attention.html
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type Attributes,
  type Node,
  type OpContext,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { type Bias, appended, attendHeads, headsOf as headsIn, swapped } from './attention-reference.ts'
import { type Place, addToScores, emitAttention } from './lower-attention.ts'
import { emitSelect } from './lower-compare.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { capScores, clearMasked, floatsAt, joinHeads, numberAt, placeOf } from './lower-heads.ts'
import { emitReduce } from './lower-reduce.ts'
import type { Lowering, Operand } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Values of qk_matmul_output_mode: after which step the scores are handed out. */
const scoresModes = ['product', 'capped', 'biased', 'weights'] as const

/** Dims [batch, heads, sequence, size] of an input, or null where they are not known. */
function headsOf(
  context: OpContext,
  info: ValueInfo | null | undefined,
  name: string,
  attribute: string,
): Dim[] | null {
  const { dims } = needed(context, info, name)
  if (dims === null) return null
  if (dims.length === 4) return [...dims]
  if (dims.length !== 3) throw complaint(context, `a ${name} of rank 3 or 4`, printDims(dims))
  const heads = (context.attributes[attribute] as number | undefined) ?? 0
  const [batch, sequence, hidden] = dims
  if (heads <= 0 || (dim.isKnown(hidden) && hidden % heads !== 0)) {
    throw complaint(context, `an attribute ${attribute} that divides ${dim.print(hidden)}`, String(heads))
  }
  return [batch, heads, sequence, dim.floorDiv(hidden, heads)]
}

function inferAttention(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  const [query, key, value] = inputs
  const q = headsOf(context, query, 'Q', 'q_num_heads')
  const k = headsOf(context, key, 'K', 'kv_num_heads')
  const v = headsOf(context, value, 'V', 'kv_num_heads')
  const [dtype, valueDtype] = [query!.dtype, value!.dtype]
  if (q === null || k === null || v === null) {
    const rank = [query!.dims?.length, key!.dims?.length, value!.dims?.length].find((r) => r !== undefined)
    const unknown = (output: number): Dim[] => unknownDims(context, 4, output)
    return [
      { dtype, dims: rank === undefined ? null : unknownDims(context, rank, 0) },
      { dtype, dims: unknown(1) },
      { dtype: valueDtype, dims: unknown(2) },
      { dtype, dims: unknown(3) },
    ]
  }
  if (dim.isKnown(q[1]) && dim.isKnown(k[1]) && (k[1] === 0 || q[1] % k[1] !== 0)) {
    throw complaint(context, 'query heads that key heads divide', `${q[1]} and ${k[1]}`)
  }
  const past = inputs[4]
  const earlier = past ? past.dims?.[2] : 0
  const total = earlier === undefined ? unknownDims(context, 3, 1)[2] : dim.add(earlier, k[2])
  const y = query!.dims!.length === 4 ? [q[0], q[1], q[2], v[3]] : [q[0], q[2], dim.mul(q[1], v[3])]
  return [
    { dtype, dims: y },
    { dtype, dims: [k[0], k[1], total, k[3]] },
    { dtype: valueDtype, dims: [v[0], v[1], total, v[3]] },
    { dtype, dims: [q[0], q[1], q[2], total] },
  ]
}

export const ops = defineOps({
  Attention: {
    inputs: [3, 7],
    outputs: [1, 4],
    attributes: {
      is_causal: { kind: 'int', default: 0 },
      kv_num_heads: { kind: 'int' },
      q_num_heads: { kind: 'int' },
      qk_matmul_output_mode: { kind: 'int', default: 0 },
      scale: { kind: 'float' },
      softcap: { kind: 'float', default: 0 },
      softmax_precision: { kind: 'int' },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferAttention,
    lower: (lowering, { node, attributes }) => lowerNode(lowering, node, attributes),
  },
})

function lowerNode(lowering: Lowering, node: Node, attributes: Attributes): boolean {
  const [query, key, value, mask, pastKey, pastValue, lengths] = [0, 1, 2, 3, 4, 5, 6].map((i) => lowering.input(i))
  const isAsked = (output: number): boolean => (node.outputs[output] ?? '') !== ''
  const floats = [query, key, value, pastKey, pastValue, ...(mask?.dtype === 'bool' ? [] : [mask])]
  if (!isFloat32(...floats) || lengths || isAsked(3) || query!.size * key!.size * value!.size === 0) return false
  if ((pastKey === null) !== (pastValue === null)) return false
  const q = placeOf(query!, attributes.q_num_heads as number)
  const now = [key!, value!].map((operand) => placeOf(operand, attributes.kv_num_heads as number))
  const past = [pastKey, pastValue]
  const places = now.map((place, i): Place | null => {
    if (!past[i] && !isAsked(i + 1)) return place
    const [batch, heads, sequence, size] = place.dims
    if (past[i] && (past[i].dims[0] !== batch || past[i].dims[1] !== heads || past[i].dims[3] !== size)) return null
    const bytes = batch * heads * ((past[i]?.dims[2] ?? 0) + sequence) * size * 4
    return joinHeads(lowering, past[i], place, isAsked(i + 1) ? lowering.output(i + 1).ref : lowering.scratch(bytes))
  })
  const [k, v] = places
  if (!k || !v || k.dims[0] !== q.dims[0] || k.dims[3] !== q.dims[3]) return false
  if (v.dims[0] !== k.dims[0] || v.dims[1] !== k.dims[1] || v.dims[2] !== k.dims[2]) return false
  const out = lowering.output(0)
  const y = placeOf(out, q.dims[1])
  const scale = (attributes.scale as number | undefined) ?? 1 / Math.sqrt(q.dims[3])
  const offset = k.dims[2] - now[0].dims[2]
  const most = mask && floatsAt(lowering.scratch(sizeOf(y.dims.slice(0, 3)) * 4), [...y.dims.slice(0, 3), 1])
  return emitAttention(lowering, {
    ...{ q, k, v, y, scale },
    before(scores) {
      if (!biased(lowering, scores, mask, attributes, offset)) return false
      const [reduce, outer] = [scores.dims[3], sizeOf(scores.dims.slice(0, 3))]
      if (most) emitReduce(lowering, 'max', scores.ref, most.ref, { outer, reduce, inner: 1 })
      return true
    },
    after: (weights) => !most || clearMasked(lowering, weights, most),
  })
}

/** Caps the scores, and masks them: by what is added, by bools, by causality. */
function biased(
  lowering: Lowering,
  scores: Place,
  mask: Operand | null,
  { softcap, is_causal: isCausal }: Attributes,
  offset: number,
): boolean {
  const [queries, keys] = scores.dims.slice(2)
  capScores(lowering, scores, softcap as number)
  if (isCausal === 1 && keys > offset + 1) {
    const closed = Float32Array.from({ length: queries * keys }, (_, i) =>
      i % keys > Math.floor(i / keys) + offset ? -Infinity : 0,
    )
    if (!addToScores(lowering, scores, { ref: lowering.table(closed), dims: [queries, keys] })) return false
  }
  if (!mask) return true
  // keys beyond a shorter mask are masked: that is left to the reference
  const width = mask.dims.at(-1) ?? 1
  if (width !== 1 && width !== keys) return false
  if (mask.dtype !== 'bool') return addToScores(lowering, scores, mask)
  const all = floatsAt(scores.ref, scores.dims)
  return emitSelect(lowering, mask, [all, numberAt(lowering, -Infinity)], all)
}

function maskOf(mask: Tensor | null | undefined, dims: readonly number[]): Bias {
  if (!mask) return () => 0
  const width = mask.dims.at(-1) ?? 1
  const values = numbersOf(mask)
  const keys = width === 1 ? dims[3] : width
  const strides = broadcastStrides(mask.dims, [...dims.slice(0, 3), keys])
  return (b, h, i, j) => {
    // keys the mask does not reach are masked
    if (j >= keys) return -Infinity
    const value = values[b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]]
    return mask.type === 'bool' ? (value ? 0 : -Infinity) : value
  }
}

function biasOf(
  inputs: readonly (Tensor | null | undefined)[],
  attributes: Attributes,
  dims: readonly number[],
  past: number,
): Bias {
  const mask = maskOf(inputs[3], dims)
  const lengths = inputs[6] ? integersOf(inputs[6]) : null
  return (b, h, i, j) => {
    const offset = lengths ? lengths[b] - dims[2] : past
    if (attributes.is_causal === 1 && j > i + offset) return -Infinity
    if (lengths && j >= lengths[b]) return -Infinity
    return mask(b, h, i, j)
  }
}

function attend(inputs: readonly (Tensor | null | undefined)[], attributes: Attributes): Tensor[] {
  const [query, key, value] = inputs as readonly Tensor[]
  const q = headsIn(query, attributes.q_num_heads as number)
  const newKeys = headsIn(key, attributes.kv_num_heads as number)
  const k = appended(inputs[4], newKeys)
  const v = appended(inputs[5], headsIn(value, attributes.kv_num_heads as number))
  const [batch, heads, length, size] = q.dims
  const [, , total, valueSize] = v.dims
  const scoreDims = [batch, heads, length, total]
  const { y, handed } = attendHeads(q, k, v, {
    scale: (attributes.scale as number | undefined) ?? 1 / Math.sqrt(size),
    cap: attributes.softcap as number,
    bias: biasOf(inputs, attributes, scoreDims, total - newKeys.dims[2]),
    zerosWhereMasked: true,
    handed: scoresModes[attributes.qk_matmul_output_mode as number] ?? 'product',
  })
  return [
    query.dims.length === 3
      ? tensorOf(query.type, swapped(y.data, batch, heads, length, valueSize), [batch, length, heads * valueSize])
      : tensorOf(query.type, y.data, y.dims),
    tensorOf(query.type, k.data, k.dims),
    tensorOf(value.type, v.data, v.dims),
    tensorOf(query.type, handed, scoreDims),
  ]
}

export const references = {
  Attention: (inputs, attributes, { outputs }) => attend(inputs, attributes).slice(0, outputs),
} satisfies Record<string, Reference>

export const samples = {
  Attention: (random): Sample[] => {
    const [q, k, v] = [floats(random, [2, 4, 3, 8]), floats(random, [2, 2, 5, 8]), floats(random, [2, 2, 5, 6])]
    const mask = new Tensor('bool', [1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], [3, 5])
    const past = [floats(random, [2, 2, 2, 8]), floats(random, [2, 2, 2, 6])]
    return [
      { inputs: [q, k, v] },
      { inputs: [q, k, v, mask], attributes: { softcap: 2 } },
      { inputs: [q, k, v, new Tensor('float32', [0, -1, -Infinity], [3, 1])], attributes: { is_causal: 1 } },
      {
        inputs: [floats(random, [2, 1, 32]), floats(random, [2, 1, 16]), floats(random, [2, 1, 12]), null, ...past],
        outputs: 3,
        attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1 },
      },
      { inputs: [q, k, v, floats(random, [3, 7]), ...past], outputs: 3, attributes: { is_causal: 1 } },
      {
        inputs: [floats(random, [2, 3, 32]), floats(random, [2, 5, 16]), floats(random, [2, 5, 12])],
        attributes: { q_num_heads: 4, kv_num_heads: 2, scale: 0.3 },
      },
      {
        inputs: [q, k, v, null, null, null, new Tensor('int64', [5, 2])],
        outputs: 4,
        attributes: { qk_matmul_output_mode: scoresModes.indexOf('weights') },
      },
    ]
  },
} satisfies Record<string, Samples>
