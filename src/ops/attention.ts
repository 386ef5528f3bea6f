// SPDX-License-Identifier: Apache-2.0
/**
 * Attention: softmax(scale * Q K^T, capped, + bias) V for each head, with groups of query heads sharing a key head, a
 * cache of earlier keys and values in front, and a bias made of the mask, causality and the lengths of the keys. A row
 * that is masked altogether gives zeros. Q, K, V are [batch, heads, sequence, size] or [batch, sequence, heads * size].
 * https://onnx.ai/onnx/operators/onnx__Attention.html
 */
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { broadcastStrides, sizeOf, stridesOf } from '../tensor/shape.ts'
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
import { type Place, addToScores, emitAttention } from './lower-attention.ts'
import { emitComparison, emitSelect } from './lower-compare.ts'
import { emitUnary, isFloat32, shifted } from './lower-elementwise.ts'
import { copyElements } from './lower-move.ts'
import { emitReduce } from './lower-reduce.ts'
import type { Lowering, Operand, Ref } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

/** Values of qk_matmul_output_mode: after which step the scores are handed out. */
const scoresMode = { product: 0, capped: 1, biased: 2, softmax: 3 } as const

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

/** Where the heads of an operand of rank 3 or 4 are. */
function placeOf({ ref, dims }: Operand, heads: number): Place {
  if (dims.length === 4) return { ref, dims, strides: stridesOf(dims) }
  const [batch, sequence, hidden] = dims
  const size = hidden / heads
  return { ref, dims: [batch, heads, sequence, size], strides: [sequence * hidden, size, hidden, 1] }
}

/** Earlier places of each head, then those of now, in one dense buffer. */
function joined(lowering: Lowering, past: Operand | null, now: Place, target: Ref): Place | null {
  const [batch, heads, sequence, size] = now.dims
  const earlier = past?.dims[2] ?? 0
  const dims = [batch, heads, earlier + sequence, size]
  const strides = stridesOf(dims)
  const common = { width: 4, targetStrides: strides }
  const isDone =
    (!past ||
      copyElements(lowering, {
        ...common,
        dims: past.dims,
        source: past.ref,
        strides: stridesOf(past.dims),
        target,
      })) &&
    copyElements(lowering, {
      ...common,
      dims: now.dims,
      source: now.ref,
      strides: now.strides,
      target: shifted(target, earlier * size * 4),
    })
  return isDone ? { ref: target, dims, strides } : null
}

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
    return joined(lowering, past[i], place, isAsked(i + 1) ? lowering.output(i + 1).ref : lowering.scratch(bytes))
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
    after: (weights) => !most || cleared(lowering, weights, most),
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
  const size = sizeOf(scores.dims)
  const cap = softcap as number
  if (cap > 0) {
    emitUnary(lowering, 'unary_affine_f32', scores.ref, scores.ref, size, 1 / cap, 0)
    emitUnary(lowering, 'unary_tanh_f32', scores.ref, scores.ref, size)
    emitUnary(lowering, 'unary_affine_f32', scores.ref, scores.ref, size, cap, 0)
  }
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

/** Zeros for rows whose largest score is -inf: all of them masked. Softmax made NaN of them. */
function cleared(lowering: Lowering, weights: Place, most: Operand): boolean {
  const closed: Operand = { ...most, dtype: 'bool', ref: lowering.scratch(most.size) }
  const all = floatsAt(weights.ref, weights.dims)
  return (
    emitComparison(lowering, 'Equal', [most, numberAt(lowering, -Infinity)], closed) &&
    emitSelect(lowering, closed, [numberAt(lowering, 0), all], all)
  )
}

/** Dense float32 of this node's own. */
function floatsAt(ref: Ref, dims: readonly number[]): Operand {
  return { name: '', dtype: 'float32', dims, size: sizeOf(dims), ref, constant: false }
}

function numberAt(lowering: Lowering, value: number): Operand {
  return floatsAt(lowering.table(Float32Array.of(value)), [])
}

/** A dense [batch, heads, sequence, size] array. */
interface Heads {
  readonly data: Float64Array
  readonly dims: readonly [number, number, number, number]
}

/** The heads of a tensor of rank 3 or 4. */
function split(tensor: Tensor, heads: number): Heads {
  const data = Float64Array.from(numbersOf(tensor))
  if (tensor.dims.length === 4) return { data, dims: tensor.dims as unknown as Heads['dims'] }
  const [batch, sequence, hidden] = tensor.dims
  return { data: swapped(data, batch, sequence, heads, hidden / heads), dims: [batch, heads, sequence, hidden / heads] }
}

/** [batch, a, b, run] as [batch, b, a, run]. */
function swapped(data: Float64Array, batch: number, a: number, b: number, run: number): Float64Array {
  const result = new Float64Array(data.length)
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) {
        const from = ((n * a + i) * b + j) * run
        result.set(data.subarray(from, from + run), ((n * b + j) * a + i) * run)
      }
    }
  }
  return result
}

/** The cache with the new positions behind it. */
function appended(past: Tensor | null | undefined, now: Heads): Heads {
  if (!past) return now
  const [batch, heads, sequence, size] = now.dims
  const before = past.dims[2]
  const earlier = numbersOf(past)
  const total = before + sequence
  const data = new Float64Array(batch * heads * total * size)
  for (let h = 0; h < batch * heads; h++) {
    for (let i = 0; i < before * size; i++) data[h * total * size + i] = earlier[h * before * size + i]
    data.set(now.data.subarray(h * sequence * size, (h + 1) * sequence * size), h * total * size + before * size)
  }
  return { data, dims: [batch, heads, total, size] }
}

/** Bias of the score of batch b, head h, query i, key j. */
type Bias = (b: number, h: number, i: number, j: number) => number

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

/** exp(v - max) over their sum; zeros where all is masked. */
function softmax(scores: Float64Array, masked: boolean): Float64Array {
  if (masked) return new Float64Array(scores.length)
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const powers = scores.map((v) => Math.exp(v - most))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((v) => v / total)
}

function attend(inputs: readonly (Tensor | null | undefined)[], attributes: Attributes): Tensor[] {
  const [query, key, value] = inputs as readonly Tensor[]
  const q = split(query, attributes.q_num_heads as number)
  const newKeys = split(key, attributes.kv_num_heads as number)
  const k = appended(inputs[4], newKeys)
  const v = appended(inputs[5], split(value, attributes.kv_num_heads as number))
  const [batch, heads, length, size] = q.dims
  const [, keyHeads, total, valueSize] = v.dims
  const scoreDims = [batch, heads, length, total]
  const scale = (attributes.scale as number | undefined) ?? 1 / Math.sqrt(size)
  const cap = attributes.softcap as number
  const bias = biasOf(inputs, attributes, scoreDims, total - newKeys.dims[2])
  const mode = attributes.qk_matmul_output_mode as number
  const handed = new Float64Array(sizeOf(scoreDims))
  const y = new Float64Array(batch * heads * length * valueSize)
  for (let row = 0; row < batch * heads * length; row++) {
    const b = Math.floor(row / (heads * length))
    const h = Math.floor(row / length) % heads
    const i = row % length
    const own = b * keyHeads + Math.floor((h * keyHeads) / heads)
    const product = new Float64Array(total)
    for (let j = 0; j < total; j++) {
      let sum = 0
      for (let c = 0; c < size; c++) sum += q.data[row * size + c] * k.data[(own * total + j) * size + c]
      product[j] = sum * scale
    }
    const capped = cap > 0 ? product.map((s) => cap * Math.tanh(s / cap)) : product
    const biases = product.map((_, j) => bias(b, h, i, j))
    const biased = capped.map((s, j) => s + biases[j])
    const weights = softmax(
      biased,
      biases.every((s) => s === -Infinity),
    )
    const stages = [product, capped, biased, weights]
    handed.set(stages[mode] ?? product, row * total)
    for (let j = 0; j < total; j++) {
      if (weights[j] === 0) continue
      for (let c = 0; c < valueSize; c++) {
        y[row * valueSize + c] += weights[j] * v.data[(own * total + j) * valueSize + c]
      }
    }
  }
  const isFlat = query.dims.length === 3
  return [
    isFlat
      ? tensorOf(query.type, swapped(y, batch, heads, length, valueSize), [batch, length, heads * valueSize])
      : tensorOf(query.type, y, [batch, heads, length, valueSize]),
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
        attributes: { qk_matmul_output_mode: scoresMode.softmax },
      },
    ]
  },
} satisfies Record<string, Samples>
