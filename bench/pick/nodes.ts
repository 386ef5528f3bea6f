// SPDX-License-Identifier: Apache-2.0
/** A shape as the nodes that the library has for it, by what the weights are. */
import type { Problem } from '../../src/kernels/select.ts'
import type { Dtype } from '../../src/tensor/dtype.ts'
import type { ConvShape, GemmShape, Shape } from './shapes.ts'
import { type Sparseness, sparseNode, sparsenesses } from './sparse-nodes.ts'
import type { NodeSpec } from './stage.ts'

/**
 * What the weights are, and, but for those that end in 'weights', the rows with them; 'int8' has a scale per output,
 * 'int8 blocks' and 4 bits have one per 32 k.
 */
export type Precision = (typeof dense)[number] | Sparseness

const dense = ['float32', 'int8', 'int8 blocks', 'int8 weights', 'int4', 'int4 weights'] as const
export const precisions: readonly Precision[] = [...dense, ...(Object.keys(sparsenesses) as Sparseness[])]

/** Weights of products between whose forms a host may have a choice. */
export const weightsOf: Readonly<Partial<Record<Precision, Problem['weights']>>> = {
  int8: 's8',
  'int8 blocks': 's8 blocks',
  int4: 's4 blocks',
}

/** Elements along k that share a scale. */
const block = 32
/** Sparse weights are fewer than these in layers that are not worth it. */
const leastSparse = 4096

const value = (dims: readonly number[]) => ({ dtype: 'float32' as const, dims, constant: false })
const weight = (dtype: Dtype, dims: readonly number[]) => ({ dtype, dims, constant: true })

/** The node, or undefined where there is none of this precision. */
export function nodeOf(shape: Shape, precision: Precision): NodeSpec | undefined {
  return shape.kind === 'gemm' ? gemmNode(shape, precision) : convNode(shape, precision)
}

function gemmNode({ batch, m, k, n }: GemmShape, precision: Precision): NodeSpec | undefined {
  if (batch > 1) {
    if (precision !== 'float32') return undefined
    return { op: 'MatMul', attributes: {}, inputs: [value([batch, m, k]), value([batch, k, n])] }
  }
  const [x, bias] = [value([m, k]), weight('float32', [n])]
  if (precision === 'float32') {
    return { op: 'whittle.Gemm', attributes: {}, inputs: [x, weight('float32', [n, k]), bias] }
  }
  if (isSparse(precision)) return n * k < leastSparse ? undefined : sparseNode({ m, k, n }, sparsenesses[precision])
  const op = precision.endsWith('weights') ? 'whittle.WeightOnlyGemm' : 'whittle.DynamicQuantizeGemm'
  const w = weight(precision.startsWith('int4') ? 'int4' : 'int8', [n, k])
  if (precision === 'int8' || precision === 'int8 weights') {
    return { op, attributes: { narrow: 1 }, inputs: [x, w, weight('float32', [n]), bias] }
  }
  if (k < block) return undefined
  const scales = weight('float32', [n, Math.ceil(k / block)])
  return { op, attributes: { block, narrow: 1 }, inputs: [x, w, scales, bias] }
}

function isSparse(precision: Precision): precision is Sparseness {
  return Object.hasOwn(sparsenesses, precision)
}

function convNode(shape: ConvShape, precision: Precision): NodeSpec | undefined {
  const { images, input, output, group, kernel, stride, pad, dilation } = shape
  const depthwise = group === input[2] && group === output[2]
  // depthwise int8 weights are multiplied as float32
  if (precision !== 'float32' && (precision !== 'int8' || depthwise)) return undefined
  const behind = [0, 1].map((axis) => {
    const reach = (output[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
    return Math.max(0, reach - input[axis] - pad[axis])
  })
  const attributes = { group, strides: stride, dilations: dilation, pads: [...pad, ...behind] }
  const x = value([images, ...input])
  const w = [output[2], ...kernel, input[2] / group]
  const perOutput = weight('float32', [output[2]])
  if (precision === 'float32') return { op: 'whittle.Conv', attributes, inputs: [x, weight('float32', w), perOutput] }
  return {
    op: 'whittle.DynamicQuantizeConv',
    attributes: { ...attributes, narrow: 1 },
    inputs: [x, weight('int8', w), perOutput, perOutput],
  }
}
