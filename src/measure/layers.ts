// SPDX-License-Identifier: Apache-2.0
/**
 * The layers of a graph: nodes that multiply by a stored weight. A layer of one graph is that of another when both
 * compute the same value, which compression keeps by name. Weights are read back as the floats they stand for.
 */
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { byteLengthOf } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'

/** A node and what is stored for it. */
export interface Layer {
  readonly node: Node
  /** The value it computes. */
  readonly output: string
  /** Element type of the weight. */
  readonly dtype: string
  readonly dims: readonly number[]
  /** Bytes of the weight, and of its scales where it has some. */
  readonly bytes: number
  /** The weight as floats; null where its content is not at hand or its encoding is not known here. */
  weights(): Float32Array | null
}

/** Operators with a weight at input 1, whatever their domain. */
const weighted = /(Conv|ConvTranspose|Gemm|MatMul|ConvInteger|MatMulInteger)$/

/** The graph's layers, in its order. */
export function layersOf(graph: Graph): Layer[] {
  return graph.nodes.flatMap((node) => {
    const constant = weighted.test(node.op) ? graph.constants.get(node.inputs[1]) : undefined
    if (constant === undefined || constant.dims.length < 2) return []
    const { dtype, dims } = constant
    const scales = dtype === 'float32' ? undefined : scalesOf(graph, node, dims)
    const bytes = byteLength(constant) + (scales ? byteLength(scales) : 0)
    return [
      {
        node,
        output: node.outputs[0],
        dtype,
        dims,
        bytes,
        weights: () => floats(constant, scales, node.attributes.block),
      },
    ]
  })
}

/** Layers of both graphs that compute the same value: reference, other. */
export function pairLayers(reference: Graph, other: Graph): [Layer, Layer][] {
  const others = new Map(layersOf(other).map((layer) => [layer.output, layer]))
  return layersOf(reference).flatMap((layer) => {
    const match = others.get(layer.output)
    return match === undefined ? [] : [[layer, match] as [Layer, Layer]]
  })
}

/** Behind the weight of quantised operators stands a scale per output channel, or a row of them for blocks along K. */
function scalesOf(graph: Graph, node: Node, dims: readonly number[]): Constant | undefined {
  const constant = graph.constants.get(node.inputs[2])
  return constant?.dtype === 'float32' && constant.dims[0] === dims[0] ? constant : undefined
}

function byteLength({ dtype, dims }: Constant): number {
  return byteLengthOf(dtype, sizeOf(dims))
}

function floats({ dtype, dims, tensor }: Constant, scales: Constant | undefined, block: unknown): Float32Array | null {
  if (tensor === undefined) return null
  if (dtype === 'float32') return tensor.data as Float32Array
  if (dtype !== 'int8' || scales?.tensor === undefined) return null
  const codes = tensor.data as Int8Array
  const factors = scales.tensor.data as Float32Array
  const length = sizeOf(dims.slice(1))
  const perRow = factors.length / dims[0]
  const run = typeof block === 'number' && block > 0 ? block : length
  if (perRow !== Math.ceil(length / run)) return null
  return Float32Array.from(
    codes,
    (code, i) => code * factors[Math.floor(i / length) * perRow + Math.floor((i % length) / run)],
  )
}
