// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.GroupQueryAttention: causal attention of decoders, with groups of query heads sharing a key head, its own
 * rotation of queries and keys, and a cache. Inputs are query [B, S, N * H], key and value [B, S, G * H] (or all three in
 * query, [B, S, (N + 2 G) * H]), past_key and past_value [B, G, P, H], seqlens_k [B]: places of each sequence less one,
 * total_sequence_length, cos_cache and sin_cache [rows, half], position_ids [B, S], attention_bias [B or 1, N or 1, S,
 * total], head_sink [N]. Where the total is S the new places are the first ones, and the first of
 * position_ids alone counts; else those of sequence b begin at
 * seqlens_k[b] + 1 - S, and put behind that they go into the cache: present is the past with them, [B, G, max(P, total), H].
 * What the past has behind a sequence's end stays, and is not seen.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
 */
import { GraphError } from '../base/errors.ts'
import { type Dim, isKnown, max, mul } from '../ir/dim.ts'
import { broadcastStrides, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Heads, attendHeads, splitHeads, swapped } from './attention-reference.ts'
import {
  checkOperand,
  checkPair,
  headCount,
  headSize,
  refusal,
  refuseAttributes,
  refuseInputs,
} from './contrib-attention.ts'
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
import { integersOf } from './elements.ts'
import { complaint, contentOf, knownSize, needed, printDims, unknownDims } from './infer.ts'
import { type Sizes, at, lowerGroups, sizesOf } from './lower-group-query.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { rotated } from './rotation.ts'
import { floats } from './sample-tensors.ts'

/** Values of qk_output. */
const scoresModes = [undefined, 'biased', 'weights'] as const

function inferGroups(inputs: readonly (ValueInfo | null)[], context: OpContext): ValueInfo[] {
  refuseInputs(context, inputs, { 12: 'k_scale', 13: 'v_scale', 14: 'q_norm_weight', 15: 'k_norm_weight' })
  const none = ['', 'NONE']
  refuseAttributes(context, { causal: [1], sliding_window_cache: [0], k_quant_type: none, v_quant_type: none })
  const { attributes } = context
  const query = needed(context, inputs[0], 'query')
  const { dtype } = query
  const [heads, groups] = ['num_heads', 'kv_num_heads'].map((name) => headCount(context, name))
  if (heads % groups !== 0) throw complaint(context, 'num_heads that kv_num_heads divides', `${heads} and ${groups}`)
  const window = attributes.local_window_size as number
  if (window !== -1 && window < 1) throw complaint(context, 'local_window_size -1, or 1 or more', String(window))
  const mode = attributes.qk_output as number
  if (mode < 0 || mode > 2) throw complaint(context, 'qk_output 0, 1 or 2', String(mode))
  if (query.dims === null) {
    return [0, 1, 2, 3].map((output) => ({ dtype, dims: unknownDims(context, output === 0 ? 3 : 4, output) }))
  }
  if (query.dims.length !== 3) throw complaint(context, 'a query of rank 3', printDims(query.dims))
  const [batch, sequence, channels] = query.dims
  checkPair(context, 'key and value', inputs[1], inputs[2])
  const size = headSize(context, 'query', channels, inputs[1] ? heads : heads + 2 * groups)
  for (const [i, name] of ['key', 'value'].entries())
    checkOperand(context, name, inputs[1 + i], dtype, [batch, sequence, mul(size, groups)])
  const past = pastLength(inputs, context, [batch, groups, null, size], dtype)
  const [lengths, totalInfo] = [
    needed(context, inputs[at.lengths], 'seqlens_k'),
    needed(context, inputs[at.total], 'total_sequence_length'),
  ]
  for (const [name, info, count] of [
    ['seqlens_k', lengths, batch],
    ['total_sequence_length', totalInfo, 1],
  ] as const) {
    checkOperand(context, name, info, 'int32')
    const elements = knownSize(info.dims)
    if (elements !== null && isKnown(count) && elements !== count)
      throw complaint(context, `${name} of ${count} elements`, printDims(info.dims))
  }
  const known = contentOf(totalInfo)?.[0]
  const total = known ?? (past === 0 ? sequence : unknownDims(context, 3, 1)[2])
  if (isKnown(total) && isKnown(sequence) && isKnown(past)) checkTotal(total, sequence, past, context)
  checkRotation(inputs, context, size, [batch, sequence])
  checkOperand(context, 'attention_bias', inputs[at.bias], dtype, [[batch, 1], [heads, 1], sequence, known ?? null])
  checkOperand(context, 'head_sink', inputs[at.sink], dtype, [heads])
  const present = [batch, groups, known !== undefined ? max(past, known) : total, size]
  return [
    { dtype, dims: [batch, sequence, mul(size, heads)] },
    { dtype, dims: present },
    { dtype, dims: present },
    { dtype, dims: [batch, heads, sequence, total] },
  ]
}

/** Places in the past. */
function pastLength(
  inputs: readonly (ValueInfo | null)[],
  context: OpContext,
  dims: readonly (Dim | null)[],
  dtype: ValueInfo['dtype'],
): Dim {
  const [key, value] = [inputs[at.pastKey], inputs[at.pastValue]]
  checkPair(context, 'past_key and past_value', key, value)
  for (const info of [key, value]) {
    if (info && ['int8', 'uint8', 'float8e4m3fn'].includes(info.dtype))
      throw refusal(
        context,
        `a cache of ${dtype}`,
        `one of ${info.dtype}`,
        'export the model without a quantised cache',
      )
  }
  checkOperand(context, 'past_key', key, dtype, dims)
  const places = key?.dims?.[2]
  checkOperand(
    context,
    'past_value',
    value,
    dtype,
    places === undefined ? dims : dims.map((d, i) => (i === 2 ? places : d)),
  )
  return places ?? value?.dims?.[2] ?? (key ? unknownDims(context, 3, 1)[2] : 0)
}

/** @throws GraphError where the counts of places contradict each other */
function checkTotal(total: number, sequence: number, past: number, context?: OpContext): void {
  if (total >= sequence && total <= past + sequence && (past > 0 || total === sequence)) return
  const expected =
    past > 0 ? `total_sequence_length in [${sequence}, ${past + sequence}]` : `total_sequence_length ${sequence}`
  if (context) throw complaint(context, expected, String(total))
  throw new GraphError({ where: 'GroupQueryAttention', expected, got: String(total) })
}

function checkRotation(
  inputs: readonly (ValueInfo | null)[],
  context: OpContext,
  size: Dim,
  dims: readonly Dim[],
): void {
  const [cos, sin] = [inputs[at.cos], inputs[at.sin]]
  checkPair(context, 'cos_cache and sin_cache', cos, sin)
  if (context.attributes.do_rotary !== 1) return
  const { dtype } = needed(context, inputs[0], 'query')
  checkOperand(context, 'cos_cache', needed(context, cos, 'cos_cache'), dtype, [null, null])
  checkOperand(context, 'sin_cache', sin, dtype, cos?.dims ?? [null, null])
  const half = cos?.dims?.[1]
  if (half !== undefined && isKnown(half) && isKnown(size) && (half < 1 || 2 * half > size))
    throw complaint(context, `a cos_cache of 1 to ${size >> 1} columns`, String(half))
  checkOperand(context, 'position_ids', inputs[at.places], 'int64', dims)
}

export const ops = defineOps({
  'com.microsoft.GroupQueryAttention': {
    inputs: [7, 16],
    outputs: [1, 4],
    attributes: {
      causal: { kind: 'int', default: 1 },
      do_rotary: { kind: 'int', default: 0 },
      k_quant_type: { kind: 'string' },
      kv_cache_bit_width: { kind: 'int' },
      kv_num_heads: { kind: 'int', required: true },
      local_window_size: { kind: 'int', default: -1 },
      num_heads: { kind: 'int', required: true },
      qk_norm_epsilon: { kind: 'float' },
      qk_output: { kind: 'int', default: 0 },
      rotary_interleaved: { kind: 'int', default: 0 },
      scale: { kind: 'float', default: 0 },
      sliding_window_cache: { kind: 'int', default: 0 },
      smooth_softmax: { kind: 'int', default: 0 },
      softcap: { kind: 'float', default: 0 },
      v_quant_type: { kind: 'string' },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferGroups,
    lower: (lowering, { node, attributes }) => {
      const isAsked = [0, 1, 2, 3].map((output) => (node.outputs[output] ?? '') !== '')
      return lowerGroups(lowering, attributes, isAsked)
    },
  },
})

/** The cache with new places in it. */
function withPlaces(
  past: Tensor | null | undefined,
  now: Heads,
  { room, starts, isFirst }: { readonly room: number; readonly starts: readonly number[]; readonly isFirst: boolean },
): Heads {
  const [batch, groups, sequence, size] = now.dims
  const data = new Float64Array(batch * groups * room * size)
  const kept = isFirst ? 0 : (past?.dims[2] ?? 0)
  const earlier = past ? numbersOf(past) : []
  for (let head = 0; head < batch * groups; head++) {
    for (let i = 0; i < kept * size; i++) data[head * room * size + i] = earlier[head * kept * size + i]
    for (let s = 0; s < sequence; s++) {
      const row = starts[Math.floor(head / groups)] + s
      const to = Math.min(Math.max(row < 0 ? row + room : row, 0), room - 1)
      const from = (head * sequence + s) * size
      data.set(now.data.subarray(from, from + size), (head * room + to) * size)
    }
  }
  return { data, dims: [batch, groups, room, size] }
}

/** Queries, keys and values of now as heads. */
function partsOf(inputs: readonly (Tensor | null)[], { batch, sequence, heads, groups, size, width, isPacked }: Sizes) {
  const counts = [heads, groups, groups]
  return counts.map((count, i) => {
    const source = numbersOf(inputs[isPacked ? 0 : i]!)
    const [row, from] = isPacked ? [width, counts.slice(0, i).reduce((a, b) => a + b, 0) * size] : [count * size, 0]
    const data = Float64Array.from({ length: batch * sequence * count * size }, (_, at) => {
      const place = Math.floor(at / (count * size))
      return source[place * row + from + (at % (count * size))]
    })
    return splitHeads(data, [batch, sequence, count, size])
  })
}

function attend(inputs: readonly (Tensor | null)[], attributes: Attributes): Tensor[] {
  const [query] = inputs as readonly Tensor[]
  const sizes = sizesOf(query.dims, !inputs[1], attributes)
  const { batch, sequence, heads, size } = sizes
  const pasts = [inputs[at.pastKey], inputs[at.pastValue]]
  const lengths = integersOf(inputs[at.lengths]!)
  const [total] = integersOf(inputs[at.total]!)
  checkTotal(total, sequence, pasts[0]?.dims[2] ?? 0)
  const isFirst = total === sequence
  const starts = lengths.map((last) => (isFirst ? 0 : last + 1 - sequence))
  const room = Math.max(pasts[0]?.dims[2] ?? 0, total)
  const given = inputs[at.places] ? integersOf(inputs[at.places]!) : null
  const placeAt = (b: number, s: number): number =>
    given && !isFirst ? given[b * sequence + s] : (given?.[0] ?? starts[b]) + s
  const parts = partsOf(inputs, sizes)
  const [q, ...now] = parts.map((part, i) => {
    if (i === 2 || attributes.do_rotary !== 1) return part
    const tables = { cos: inputs[at.cos]!, sin: inputs[at.sin]! }
    return rotated(part, { ...tables, isInterleaved: attributes.rotary_interleaved === 1, placeAt })
  })
  const present = now.map((heads, i) => withPlaces(pasts[i], heads, { room, starts, isFirst }))
  const [k, v] = present.map((all) => seen(all, total))
  const scoreDims = [batch, heads, sequence, total]
  const bias = inputs[at.bias]
  const strides = bias ? broadcastStrides(bias.dims, scoreDims) : []
  const biases = bias ? numbersOf(bias) : []
  const window = attributes.local_window_size as number
  const scale = attributes.scale as number
  const sinks = inputs[at.sink] ? numbersOf(inputs[at.sink]!) : null
  const handed = scoresModes[attributes.qk_output as number]
  const isSeen = (b: number, i: number, j: number): boolean => {
    const end = starts[b] + i
    return j <= end && (window === -1 || j > end - window)
  }
  const result = attendHeads(q, k, v, {
    scale: scale === 0 ? 1 / Math.sqrt(size) : scale,
    cap: attributes.softcap as number,
    bias(b, h, i, j) {
      if (!isSeen(b, i, j)) return -Infinity
      return bias ? biases[b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]] : 0
    },
    ...(sinks || attributes.smooth_softmax === 1 ? { sink: (h: number) => sinks?.[h] ?? 0 } : {}),
    ...(handed ? { handed } : {}),
  })
  // keys that are not seen have no score
  const scores = result.handed.map((score, at) => {
    const [row, j] = [Math.floor(at / total), at % total]
    return isSeen(Math.floor(row / (heads * sequence)), row % sequence, j) ? score : 0
  })
  const { type } = query
  return [
    tensorOf(type, swapped(result.y.data, batch, heads, sequence, size), [batch, sequence, heads * size]),
    ...present.map(({ data, dims }) => tensorOf(type, data, dims)),
    tensorOf(type, handed ? scores : new Float64Array(sizeOf(scoreDims)), scoreDims),
  ]
}

/** The first places of each head. */
function seen({ data, dims: [batch, heads, room, size] }: Heads, total: number): Heads {
  const parts = new Float64Array(batch * heads * total * size)
  for (let head = 0; head < batch * heads; head++)
    parts.set(data.subarray(head * room * size, (head * room + total) * size), head * total * size)
  return { data: parts, dims: [batch, heads, total, size] }
}

export const references = {
  'com.microsoft.GroupQueryAttention': (inputs, attributes, { outputs }) =>
    attend(inputs, attributes).slice(0, outputs),
} satisfies Record<string, Reference>

interface Form {
  readonly batch?: number
  readonly sequence: number
  /** Places of the cache; those that sequences have not are zeros. */
  readonly past?: number
  readonly total?: number
  /** Places of each sequence; `total` where left out. */
  readonly lengths?: readonly number[]
  readonly packed?: boolean
  readonly size?: number
  readonly half?: number
  readonly places?: readonly number[]
  readonly bias?: readonly number[]
  readonly sink?: boolean
  readonly outputs?: number
  readonly attributes?: Attributes
}

/** 4 query heads for 2 key heads. */
function sample(random: Random, form: Form): Sample {
  const { batch = 1, sequence, past = 0, size = 16, packed = false, half, outputs = 3 } = form
  const [heads, groups] = [4, 2]
  const total = form.total ?? past + sequence
  const lengths = form.lengths ?? new Array<number>(batch).fill(total)
  const cache = (): Tensor => {
    const { data, dims } = floats(random, [batch, groups, past, size])
    const values = (data as Float32Array).map((value, i) => {
      const [b, place] = [Math.floor(i / (groups * past * size)), Math.floor(i / size) % past]
      return place < lengths[b] - sequence ? value : 0
    })
    return new Tensor('float32', values, dims)
  }
  const of = (channels: number): Tensor => floats(random, [batch, sequence, channels])
  const now = packed
    ? [of((heads + 2 * groups) * size), null, null]
    : [of(heads * size), of(groups * size), of(groups * size)]
  const tables = half === undefined ? [null, null] : [floats(random, [20, half]), floats(random, [20, half])]
  const { places, bias, sink } = form
  return {
    inputs: [
      ...now,
      ...(past > 0 ? [cache(), cache()] : [null, null]),
      new Tensor(
        'int32',
        lengths.map((count) => count - 1),
      ),
      new Tensor('int32', [total], []),
      ...tables,
      places ? new Tensor('int64', places.map(BigInt), [batch, sequence]) : null,
      bias ? floats(random, bias) : null,
      sink ? floats(random, [heads]) : null,
    ],
    outputs,
    attributes: {
      ...{ num_heads: heads, kv_num_heads: groups },
      ...(half === undefined ? {} : { do_rotary: 1 }),
      ...form.attributes,
    },
  }
}

export const samples = {
  'com.microsoft.GroupQueryAttention': (random) => [
    sample(random, { sequence: 5, outputs: 1 }),
    sample(random, { sequence: 5, batch: 2, half: 8, packed: true }),
    sample(random, { sequence: 1, past: 6, half: 8 }),
    sample(random, { sequence: 1, past: 6, half: 8, packed: true, attributes: { rotary_interleaved: 1 } }),
    // sequences of unlike lengths, and a cache with room to spare
    sample(random, { sequence: 1, batch: 2, past: 6, lengths: [7, 4], half: 8, attributes: { local_window_size: 3 } }),
    sample(random, { sequence: 1, batch: 2, past: 12, total: 8, lengths: [5, 8], attributes: { softcap: 2.5 } }),
    // a prompt behind a cache
    sample(random, { sequence: 3, past: 4, half: 8, attributes: { scale: 0.4 } }),
    sample(random, { sequence: 3, past: 9, total: 6, packed: true, attributes: { local_window_size: 2 } }),
    sample(random, { sequence: 4, past: 8, total: 4, half: 8 }),
    sample(random, { sequence: 6, batch: 2, bias: [2, 1, 6, 6], attributes: { local_window_size: 4 } }),
    sample(random, { sequence: 1, past: 4, bias: [1, 4, 1, 5], sink: true }),
    sample(random, { sequence: 4, half: 8, attributes: { smooth_softmax: 1, softcap: 3.5 } }),
    sample(random, { sequence: 2, batch: 2, half: 8, places: [3, 4, 9, 10] }),
    sample(random, { sequence: 1, batch: 2, past: 3, half: 8, places: [5, 2] }),
    sample(random, { sequence: 3, past: 3, size: 32, half: 8, places: [5, 2, 7] }),
    sample(random, { sequence: 1, batch: 2, half: 8, places: [5, 2] }),
    sample(random, { sequence: 4, past: 6, half: 8, lengths: [8] }),
    sample(random, {
      sequence: 3,
      past: 2,
      outputs: 4,
      bias: [1, 1, 3, 5],
      sink: true,
      attributes: { qk_output: 1, local_window_size: 2 },
    }),
    sample(random, {
      sequence: 3,
      past: 2,
      outputs: 4,
      bias: [1, 1, 3, 5],
      sink: true,
      attributes: { qk_output: 2, local_window_size: 2 },
    }),
    sample(random, { sequence: 3, past: 9, total: 7, outputs: 4, attributes: { qk_output: 2, local_window_size: 2 } }),
    sample(random, { sequence: 3, past: 2, outputs: 4, attributes: { qk_output: 1, softcap: 2.5 } }),
    sample(random, { sequence: 3, past: 2, outputs: 4, attributes: { qk_output: 2 } }),
  ],
} satisfies Record<string, Samples>
