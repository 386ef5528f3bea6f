// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.MultiHeadAttention. Inputs: query [B, S, D], key [B, L, D] and value [B, L, Dv], or both as heads
 * [B, N, L, H]; or all three in query, [B, S, N, 3, H], or two in key, [B, L, N, 2, H]; bias [D + D + Dv] of the three;
 * key_padding_mask, int32 (contrib-attention.ts); attention_bias [B or 1, N or 1, S, T]; past_key and past_value
 * [B, N, P, H], which keys and values are put behind, T = P + L. `unidirectional` counts for more than one query.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention
 */
import { type Dim, add, mul } from '../ir/dim.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Heads, headsOf, splitHeads } from './attention-reference.ts'
import {
  checkMask,
  checkOperand,
  checkPair,
  headCount,
  headSize,
  maskedAttributes,
  refuseInputs,
} from './contrib-attention.ts'
import { attend } from './contrib-attention-reference.ts'
import { checkVector } from './conv-types.ts'
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
import { at, lowerMultiHead } from './lower-multi-head.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, ints, openMask } from './sample-tensors.ts'

/** Where keys or values are: how many, and the elements of a head. */
interface Kept {
  readonly places: Dim
  readonly size: Dim
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

export const ops = defineOps({
  'com.microsoft.MultiHeadAttention': {
    inputs: [1, 10],
    outputs: [1, 4],
    attributes: maskedAttributes,
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferMultiHead,
    lower(lowering, { node, attributes }) {
      const isAsked = [0, 1, 2, 3].map((output) => (node.outputs[output] ?? '') !== '')
      return lowerMultiHead(lowering, attributes, isAsked)
    },
  },
})

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

export const references = {
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

export const samples = {
  'com.microsoft.MultiHeadAttention': (random) => [
    multiHead(random, {}),
    multiHead(random, { bias: true, valueSize: 6 }),
    multiHead(random, { sequence: 3, places: 5, mask: openMask(random, [2, 5]), attentionBias: [2, 1, 3, 5] }),
    multiHead(random, { sequence: 3, places: 5, layout: 'heads', mask: ints([5, 3], 2) }),
    multiHead(random, { mask: ints([4, 3, 1, 0], 4), attributes: { mask_filter_value: -2.5 } }),
    multiHead(random, { mask: ints([4, 3, 0, 4, 8, 0, 4, 8], 8), outputs: 3, bias: true }),
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
