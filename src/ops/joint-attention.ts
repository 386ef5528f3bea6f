// SPDX-License-Identifier: Apache-2.0
/**
 * com.microsoft.Attention, which makes its queries, keys and values of one input [B, S, K] by weights [K, D + D + Dv] that
 * stand side by side. Further inputs: bias [D + D + Dv]; mask_index, int32 (contrib-attention.ts); past [2, B, N, P, H], which
 * keys and values are put behind, T = P + S; attention_bias [B or 1, N or 1, S, T]. `unidirectional` counts for more than
 * one query.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention
 */
import { type Dim, add, floorDiv, isKnown } from '../ir/dim.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { splitHeads } from './attention-reference.ts'
import {
  checkMask,
  checkOperand,
  headCount,
  headSize,
  maskedAttributes,
  refuseAttributes,
  refuseInputs,
} from './contrib-attention.ts'
import { attend } from './contrib-attention-reference.ts'
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
import { numbersOf, tensorOf } from './numeric.ts'
import { floats, ints, openMask } from './sample-tensors.ts'

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

export const ops = defineOps({
  /** Without kernels: spell-out-fused makes products and MultiHeadAttention of it. */
  'com.microsoft.Attention': {
    inputs: [2, 7],
    outputs: [1, 2],
    attributes: {
      ...maskedAttributes,
      do_rotary: { kind: 'int', default: 0 },
      past_present_share_buffer: { kind: 'int', default: 0 },
      qkv_hidden_sizes: { kind: 'ints' },
      rotary_embedding_dim: { kind: 'int', default: 0 },
    },
    numerics: { relative: 1e-4, absolute: 1e-5 },
    infer: inferJoint,
  },
})

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
} satisfies Record<string, Reference>

interface Form {
  readonly batch?: number
  readonly sequence?: number
  readonly past?: number
  readonly bias?: boolean
  readonly mask?: Tensor
  readonly attentionBias?: readonly number[]
  readonly outputs?: number
  readonly attributes?: Attributes
  /** qkv_hidden_sizes. */
  readonly widths?: readonly number[]
}

/** 2 sequences of `sequence` with 12 channels, 3 heads. */
function joint(random: Random, form: Form): Sample {
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

export const samples = {
  'com.microsoft.Attention': (random) => [
    joint(random, {}),
    joint(random, { mask: openMask(random, [2, 4]), bias: false }),
    joint(random, { mask: openMask(random, [2, 4, 4]), attributes: { scale: 0.3 } }),
    joint(random, { mask: ints([4, 2], 2), attributes: { mask_filter_value: -1.5 } }),
    joint(random, { mask: ints([4, 3, 1, 0], 4), attentionBias: [1, 3, 4, 4] }),
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
} satisfies Record<string, Samples>
