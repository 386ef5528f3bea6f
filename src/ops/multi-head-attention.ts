// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.MultiHeadAttention, and com.microsoft.Attention, which makes its queries, keys and values of one input by
 * weights [K, D + D + Dv] that stand side by side. Inputs of the former: query [B, S, D], key [B, L, D] and value
 * [B, L, Dv], or both as heads [B, N, L, H]; or all three in query, [B, S, N, 3, H], or two in key, [B, L, N, 2, H]; bias
 * [D + D + Dv] of the three; key_padding_mask, int32; attention_bias [B or 1, N or 1, S, T]; past_key and past_value
 * [B, N, P, H], which keys and values are put behind, T = P + L. A mask is [B, T] or [B, S, T], more than 0 where a key is
 * seen, or [B], the keys of each sequence, or [2 B], the same and their first ones behind all of these. Where it masks,
 * mask_filter_value is added to the score. `unidirectional` counts for more than one query.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention
 */
import { type Dim, add, floorDiv, isKnown, mul } from '../ir/dim.ts'
import { broadcastStrides } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Bias, type Heads, appended, attendHeads, headsOf, splitHeads, swapped } from './attention-reference.ts'
import { checkOperand, checkPair, headCount, headSize, refuseAttributes, refuseInputs } from './contrib-attention.ts'
import { checkVector } from './conv-types.ts'
import {
  type AttributeSpec,
  type Attributes,
  type OpContext,
  type Random,
  type Reference,
  type Sample,
  type Samples,
  type ValueInfo,
  defineOps,
} from './define.ts'
import { integersOf } from './elements.ts'
import { complaint, needed, printDims, unknownDims } from './infer.ts'
import { at, lowerMultiHead, lowest } from './lower-multi-head.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

/** Where keys or values are: how many, and the elements of a head. */
interface Kept {
  readonly places: Dim
  readonly size: Dim
}

/** Masks of every form. */
function checkMask(context: OpContext, mask: ValueInfo | null | undefined, dims: readonly [Dim, Dim, Dim]): void {
  const [batch, sequence, total] = dims
  const rank = mask?.dims?.length
  if (rank === undefined) checkOperand(context, 'a mask', mask, 'int32')
  else if (rank === 2) checkOperand(context, 'a mask', mask, 'int32', [batch, total])
  else if (rank === 3) checkOperand(context, 'a mask', mask, 'int32', [batch, sequence, total])
  else if (rank === 1) checkOperand(context, 'a mask', mask, 'int32', [[batch, mul(batch, 2), add(mul(batch, 3), 2)]])
  else throw complaint(context, 'a mask of rank 1, 2 or 3', printDims(mask!.dims))
}

function inferMultiHead(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  refuseInputs(context, inputs, { 8: 'past_sequence_length', 9: 'cache_indirection' })
  const heads = headCount(context, 'num_heads')
  const query = needed(context, inputs[0], 'query')
  const { dtype } = query
  const [key, value] = [inputs[at.key], inputs[at.value]]
  const unknown = [3, 4, 4, 4].map((rank, output) => ({ dtype, dims: unknownDims(context, rank, output) }))
  if (query.dims === null || (key && key.dims === null) || (value && value.dims === null)) return unknown
  const rank = query.dims.length
  if (rank !== (key ? 3 : 5))
    throw complaint(
      context,
      `a query of rank ${key ? 3 : 5} ${key ? 'beside' : 'without'} a key`,
      printDims(query.dims),
    )
  const [batch, sequence] = query.dims
  const size = rank === 5 ? query.dims[4] : headSize(context, 'query', query.dims[2], heads)
  const kept = keptOf(context, [query, key, value], heads, size)
  const bias = inputs[at.bias]
  const hidden = mul(size, heads)
  checkVector(context, 'bias', bias, add(mul(hidden, 2), mul(kept.size, heads)))
  if (bias) checkOperand(context, 'bias', bias, dtype)
  if (bias && key && key.dims!.length !== 3) throw complaint(context, 'no bias beside heads as keys', 'one')
  const past = inputs[at.pastKey]
  checkPair(context, 'past_key and past_value', past, inputs[at.pastValue])
  checkOperand(context, 'past_key', past, dtype, [batch, heads, null, size])
  const before = past ? (past.dims?.[2] ?? unknownDims(context, 3, 1)[2]) : 0
  checkOperand(context, 'past_value', inputs[at.pastValue], dtype, [batch, heads, before, kept.size])
  const total = add(before, kept.places)
  checkMask(context, inputs[at.mask], [batch, sequence, total])
  checkOperand(context, 'attention_bias', inputs[at.attentionBias], dtype, [[batch, 1], [heads, 1], sequence, total])
  return [
    { dtype, dims: [batch, sequence, mul(kept.size, heads)] },
    { dtype, dims: [batch, heads, total, size] },
    { dtype, dims: [batch, heads, total, kept.size] },
    { dtype, dims: [batch, heads, sequence, total] },
  ]
}

/** What keys and values are. @throws GraphError where they do not fit to the query */
function keptOf(
  context: OpContext,
  [query, key, value]: readonly (ValueInfo | null)[],
  heads: number,
  size: Dim,
): Kept {
  const { dtype, dims } = query!
  const [batch, sequence] = dims!
  if (!key) {
    checkOperand(context, 'query', query, dtype, [batch, sequence, heads, 3, size])
    if (value) throw complaint(context, 'no value beside a query of all three', 'one')
    return { places: sequence, size }
  }
  const rank = key.dims!.length
  const places = key.dims![rank === 4 ? 2 : 1] ?? 0
  if (rank === 5) {
    checkOperand(context, 'key', key, dtype, [batch, places, heads, 2, size])
    if (value) throw complaint(context, 'no value beside a key of both', 'one')
    return { places, size }
  }
  const values = needed(context, value, 'value')
  if (rank === 4) {
    checkOperand(context, 'key', key, dtype, [batch, heads, places, size])
    checkOperand(context, 'value', values, dtype, [batch, heads, places, null])
    return { places, size: values.dims![3] }
  }
  checkOperand(context, 'key', key, dtype, [batch, places, mul(size, heads)])
  checkOperand(context, 'value', values, dtype, [batch, places, null])
  return { places, size: headSize(context, 'value', values.dims![2], heads) }
}

/** Widths of queries, keys and values, of weights that are so wide together. */
function widthsOf(context: OpContext, all: Dim): Dim[] {
  const given = context.attributes.qkv_hidden_sizes as readonly number[] | undefined
  if (!given || given.length === 0) {
    if (isKnown(all) && all % 3 !== 0) throw complaint(context, 'weights of three equal widths', String(all))
    return [0, 1, 2].map(() => floorDiv(all, 3))
  }
  const fits = given.length === 3 && given.every((width) => width > 0 && width < 2 ** 31) && given[0] === given[1]
  if (!fits) throw complaint(context, 'qkv_hidden_sizes of three widths, the first two alike', `[${given.join(', ')}]`)
  return [...given]
}

function inferJoint(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  refuseInputs(context, inputs, { 6: 'past_sequence_length' })
  refuseAttributes(context, { do_rotary: [0], past_present_share_buffer: [0] })
  const heads = headCount(context, 'num_heads')
  const x = needed(context, inputs[0], 'input')
  const weights = needed(context, inputs[1], 'weights')
  const { dtype } = x
  if (x.dims !== null && x.dims.length !== 3) throw complaint(context, 'an input of rank 3', printDims(x.dims))
  checkOperand(context, 'weights', weights, dtype, [x.dims?.[2] ?? null, null])
  if (x.dims === null || weights.dims === null)
    return [3, 5].map((rank, output) => ({ dtype, dims: unknownDims(context, rank, output) }))
  const [batch, sequence] = x.dims
  const widths = widthsOf(context, weights.dims[1])
  const all = widths.reduce(add)
  checkOperand(context, 'weights', weights, dtype, [null, all])
  checkOperand(context, 'bias', inputs[2], dtype, [all])
  const [size, , valueSize] = widths.map((width) => headSize(context, 'width', width, heads))
  const past = inputs[4]
  const before = past ? (past.dims?.[3] ?? unknownDims(context, 5, 1)[3]) : 0
  checkOperand(context, 'past', past, dtype, [2, batch, heads, null, size])
  if ((past || context.node.outputs[1]) && isKnown(size) && isKnown(valueSize) && size !== valueSize)
    throw complaint(context, 'keys and values of one width beside a cache', `${size} and ${valueSize}`)
  const total = add(before, sequence)
  checkMask(context, inputs[3], [batch, sequence, total])
  checkOperand(context, 'attention_bias', inputs[5], dtype, [[batch, 1], [heads, 1], sequence, total])
  return [
    { dtype, dims: [batch, sequence, widths[2]] },
    { dtype, dims: [2, batch, heads, total, size] },
  ]
}

const common: Readonly<Record<string, AttributeSpec>> = {
  mask_filter_value: { kind: 'float', default: -10000 },
  num_heads: { kind: 'int', required: true },
  scale: { kind: 'float', default: 0 },
  unidirectional: { kind: 'int', default: 0 },
}

export const ops = defineOps({
  /** Without kernels: spell-out-fused makes products and MultiHeadAttention of it. */
  'com.microsoft.Attention': {
    inputs: [2, 7],
    outputs: [1, 2],
    attributes: {
      ...common,
      do_rotary: { kind: 'int', default: 0 },
      past_present_share_buffer: { kind: 'int', default: 0 },
      qkv_hidden_sizes: { kind: 'ints' },
      rotary_embedding_dim: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferJoint,
  },
  'com.microsoft.MultiHeadAttention': {
    inputs: [1, 10],
    outputs: [1, 4],
    attributes: common,
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferMultiHead,
    lower(lowering, { node, attributes }) {
      const isAsked = [0, 1, 2, 3].map((output) => (node.outputs[output] ?? '') !== '')
      return lowerMultiHead(lowering, attributes, isAsked)
    },
  },
})

/** What a mask adds to scores. */
function maskOf(mask: Tensor | null | undefined, [batch, sequence, total]: readonly number[], filter: number): Bias {
  if (!mask) return () => 0
  const values = integersOf(mask)
  const { length } = mask.dims
  return (b, _, i, j) => {
    if (length === 2) return values[b * total + j] > 0 ? 0 : filter
    if (length === 3) return values[(b * sequence + i) * total + j] > 0 ? 0 : filter
    const first = values.length === 2 * batch ? values[batch + b] : 0
    return j >= values[b] || j < first ? filter : 0
  }
}

interface Extras {
  readonly mask?: Tensor | null | undefined
  readonly bias?: Tensor | null | undefined
  readonly pastKey?: Tensor | null | undefined
  readonly pastValue?: Tensor | null | undefined
}

/** All of it but where queries, keys and values come from. Output 0 as [B, S, Dv]. */
function attend([q, newKeys, newValues]: readonly Heads[], extras: Extras, attributes: Attributes) {
  const [k, v] = [appended(extras.pastKey, newKeys), appended(extras.pastValue, newValues)]
  const [batch, heads, sequence, size] = q.dims
  const [, , total, width] = v.dims
  const scoreDims = [batch, heads, sequence, total]
  const masks = maskOf(extras.mask, [batch, sequence, total], attributes.mask_filter_value as number)
  const strides = extras.bias ? broadcastStrides(extras.bias.dims, scoreDims) : []
  const biases = extras.bias ? numbersOf(extras.bias) : []
  const offset = total - newKeys.dims[2]
  const isCausal = attributes.unidirectional === 1 && sequence > 1
  const scale = attributes.scale as number
  const { y, handed } = attendHeads(q, k, v, {
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    bias(b, h, i, j) {
      if (isCausal && j > i + offset) return lowest
      const added = extras.bias ? biases[b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]] : 0
      return masks(b, h, i, j) + added
    },
    handed: 'biased',
  })
  const data = swapped(y.data, batch, heads, sequence, width)
  return { y: { data, dims: [batch, sequence, heads * width] }, k, v, scores: { data: handed, dims: scoreDims } }
}

/** Elements of a dense [.., parts, size]: those of one of the parts. */
function partOf(data: ArrayLike<number>, parts: number, size: number, part: number): Float64Array {
  return Float64Array.from({ length: data.length / parts }, (_, i) => {
    return data[(Math.floor(i / size) * parts + part) * size + (i % size)]
  })
}

/** Queries, keys and values as heads, with their biases. */
function partsOf([query, key, value, bias]: readonly (Tensor | null | undefined)[], heads: number): Heads[] {
  const inside = (tensor: Tensor, parts: number, part: number): Heads => {
    const [batch, places, , , size] = tensor.dims
    return splitHeads(partOf(numbersOf(tensor), parts, size, part), [batch, places, heads, size])
  }
  let all: Heads[]
  if (!key) all = [0, 1, 2].map((part) => inside(query!, 3, part))
  else if (key.dims.length === 5) all = [headsOf(query!, heads), inside(key, 2, 0), inside(key, 2, 1)]
  else all = [query!, key, value!].map((tensor) => headsOf(tensor, heads))
  if (!bias) return all
  const added = numbersOf(bias)
  let from = 0
  return all.map(({ data, dims }) => {
    const [, , places, size] = dims
    const start = from
    from += heads * size
    const sum = data.map((v, i) => v + added[start + (Math.floor(i / (places * size)) % heads) * size + (i % size)])
    return { data: sum, dims }
  })
}

/** x [B, S, K] times weights [K, all] + bias, cut into three. */
function projected(
  inputs: readonly (Tensor | null | undefined)[],
  { num_heads: count, qkv_hidden_sizes: given }: Attributes,
) {
  const [x, w, bias] = inputs as readonly [Tensor, Tensor, Tensor | null | undefined]
  const [batch, sequence, depth] = x.dims
  const all = w.dims[1]
  const sizes = given as readonly number[] | undefined
  const widths = sizes && sizes.length > 0 ? sizes : [all / 3, all / 3, all / 3]
  const [values, weights, added] = [numbersOf(x), numbersOf(w), bias ? numbersOf(bias) : null]
  let from = 0
  return widths.map((width) => {
    const start = from
    from += width
    const data = Float64Array.from({ length: batch * sequence * width }, (_, i) => {
      const [row, column] = [Math.floor(i / width), start + (i % width)]
      let sum = added?.[column] ?? 0
      for (let k = 0; k < depth; k++) sum += values[row * depth + k] * weights[k * all + column]
      return sum
    })
    const heads = count as number
    return splitHeads(data, [batch, sequence, heads, width / heads])
  })
}

/** Half of a tensor that holds two. */
function halfOf(both: Tensor | null | undefined, half: number): Tensor | null {
  if (!both) return null
  const size = both.size / 2
  const data = Float64Array.from(numbersOf(both)).subarray(half * size, (half + 1) * size)
  return tensorOf(both.type, data, both.dims.slice(1))
}

export const references = {
  'com.microsoft.Attention'(inputs, attributes, { outputs }) {
    const [x, , , mask, past, bias] = inputs
    const extras = { mask, bias, pastKey: halfOf(past, 0), pastValue: halfOf(past, 1) }
    const { y, k, v } = attend(projected(inputs, attributes), extras, attributes)
    const { type } = x!
    const result = [tensorOf(type, y.data, y.dims)]
    if (outputs > 1) {
      const present = new Float64Array(2 * k.data.length)
      present.set(k.data)
      present.set(v.data, k.data.length)
      result.push(tensorOf(type, present, [2, ...k.dims]))
    }
    return result
  },
  'com.microsoft.MultiHeadAttention'(inputs, attributes, { outputs }) {
    const [pastKey, pastValue] = [inputs[at.pastKey], inputs[at.pastValue]]
    const extras = { mask: inputs[at.mask], bias: inputs[at.attentionBias], pastKey, pastValue }
    const all = attend(partsOf(inputs, attributes.num_heads as number), extras, attributes)
    return [all.y, all.k, all.v, all.scores]
      .slice(0, outputs)
      .map(({ data, dims }) => tensorOf(inputs[0]!.type, data, dims))
  },
} satisfies Record<string, Reference>

interface Form {
  readonly batch?: number
  readonly sequence?: number
  readonly places?: number
  readonly past?: number
  readonly valueSize?: number
  readonly bias?: boolean
  readonly mask?: Tensor
  readonly attentionBias?: readonly number[]
  /** Keys and values as heads; all three, or both, in one. */
  readonly layout?: 'heads' | 'three' | 'two'
  readonly outputs?: number
  readonly attributes?: Attributes
}

/** 3 heads of 8. */
function multiHead(random: Random, form: Form): Sample {
  const { batch = 2, sequence = 4, places = sequence, past = 0, valueSize = 8, layout, outputs = 1 } = form
  const [heads, size] = [3, 8]
  const now = {
    three: [[batch, sequence, heads, 3, size]],
    two: [
      [batch, sequence, heads * size],
      [batch, places, heads, 2, size],
    ],
    heads: [
      [batch, sequence, heads * size],
      [batch, heads, places, size],
      [batch, heads, places, valueSize],
    ],
    flat: [
      [batch, sequence, heads * size],
      [batch, places, heads * size],
      [batch, places, heads * valueSize],
    ],
  }[layout ?? 'flat'].map((dims) => floats(random, dims))
  const cache = (width: number): Tensor | null => (past > 0 ? floats(random, [batch, heads, past, width]) : null)
  return {
    inputs: [
      ...now,
      ...new Array<null>(3 - now.length).fill(null),
      form.bias ? floats(random, [heads * (2 * size + valueSize)]) : null,
      form.mask ?? null,
      form.attentionBias ? floats(random, form.attentionBias) : null,
      cache(size),
      cache(valueSize),
    ],
    outputs,
    attributes: { num_heads: heads, ...form.attributes },
  }
}

/** 2 sequences of `sequence` with 12 channels, 3 heads. */
function joint(random: Random, form: Form & { readonly widths?: readonly number[] }): Sample {
  const { batch = 2, sequence = 4, past = 0, widths, outputs = 1, bias = true } = form
  const all = widths ? widths.reduce((a, b) => a + b) : 72
  return {
    inputs: [
      floats(random, [batch, sequence, 12]),
      floats(random, [12, all]),
      bias ? floats(random, [all]) : null,
      form.mask ?? null,
      past > 0 ? floats(random, [2, batch, 3, past, 8]) : null,
      form.attentionBias ? floats(random, form.attentionBias) : null,
    ],
    outputs,
    attributes: { num_heads: 3, ...(widths ? { qkv_hidden_sizes: widths } : {}), ...form.attributes },
  }
}

const int32 = (values: readonly number[], ...dims: number[]): Tensor => new Tensor('int32', values, dims)

/** 0 and 1, with a 1 in front of each row. */
function openMask(random: Random, dims: readonly number[]): Tensor {
  const { data } = integers(random, dims, 0, 1)
  return int32(
    Array.from(data as Int32Array, (value, i) => (i % dims.at(-1)! === 0 ? 1 : value)),
    ...dims,
  )
}

export const samples = {
  'com.microsoft.Attention': (random) => [
    joint(random, {}),
    joint(random, { mask: openMask(random, [2, 4]), bias: false }),
    joint(random, { mask: openMask(random, [2, 4, 4]), attributes: { scale: 0.3 } }),
    joint(random, { mask: int32([4, 2], 2), attributes: { mask_filter_value: -1.5 } }),
    joint(random, { mask: int32([4, 3, 1, 0], 4), attentionBias: [1, 3, 4, 4] }),
    joint(random, { outputs: 2, attributes: { unidirectional: 1 } }),
    joint(random, {
      past: 3,
      sequence: 1,
      outputs: 2,
      mask: openMask(random, [2, 4]),
      attributes: { unidirectional: 1 },
    }),
    joint(random, {
      past: 3,
      sequence: 2,
      outputs: 2,
      mask: openMask(random, [2, 5]),
      attributes: { unidirectional: 1 },
    }),
    joint(random, { widths: [24, 24, 36], mask: openMask(random, [2, 4]) }),
  ],
  'com.microsoft.MultiHeadAttention': (random) => [
    multiHead(random, {}),
    multiHead(random, { bias: true, valueSize: 6 }),
    multiHead(random, { sequence: 3, places: 5, mask: openMask(random, [2, 5]), attentionBias: [2, 1, 3, 5] }),
    multiHead(random, { sequence: 3, places: 5, layout: 'heads', mask: int32([5, 3], 2) }),
    multiHead(random, { mask: int32([4, 3, 1, 0], 4), attributes: { mask_filter_value: -2.5 } }),
    multiHead(random, { mask: int32([4, 3, 0, 4, 8, 0, 4, 8], 8), outputs: 3, bias: true }),
    multiHead(random, { mask: openMask(random, [2, 4, 4]), attentionBias: [1, 3, 4, 4], attributes: { scale: 0.3 } }),
    multiHead(random, { sequence: 1, past: 5, outputs: 3, bias: true, mask: openMask(random, [2, 6]) }),
    multiHead(random, { sequence: 3, past: 2, outputs: 3, attributes: { unidirectional: 1 } }),
    multiHead(random, { sequence: 1, places: 5, attributes: { unidirectional: 1 } }),
    multiHead(random, { batch: 1, sequence: 3, past: 2, outputs: 4, mask: openMask(random, [1, 5]) }),
    multiHead(random, { layout: 'three', outputs: 3 }),
    multiHead(random, { layout: 'three', bias: true }),
    multiHead(random, { layout: 'two', sequence: 3, places: 5 }),
  ],
} satisfies Record<string, Samples>
