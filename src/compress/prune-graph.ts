// SPDX-License-Identifier: Apache-2.0
/**
 * Rewrites the matrix products of a graph (convolutions of one pixel are among them by now) into sparse ones: float32 or
 * int8 in compressed rows, or int8 in blocks, with one scale per output. Layers below
 * `minElements`, shallow ones and sums of bytes that do not fit are left to what the recipe says of dense weights.
 */
import type { Constant, Graph, Node } from '../ir/graph.ts'
import { mostByteDepth } from '../ops/lower-gemm.ts'
import { Tensor, bytesOf } from '../tensor/tensor.ts'
import { type SparseRows, denseOfBlocks, denseOfRows, pruneBlocks, pruneWeights, rowsOfDense } from './prune-weights.ts'
import { type LayerReport, layerLine, layerWeights, reasonToKeep, withoutUnused } from './quantize-graph.ts'
import { type Narrowness, quantizeWeights, signalToNoise } from './quantize-weights.ts'
import type { FullRecipe } from './recipe.ts'

interface SparseForm {
  readonly op: string
  readonly to: string
  readonly tensors: Readonly<Record<string, Tensor>>
  /** Share of the weights that are stored. */
  readonly density: number
  /** How narrow int8 weights are. */
  readonly narrow: Narrowness
  /** What the stored weights stand for. */
  readonly after: Float32Array
}

/**
 * Density above which multiplying all weights is faster, by operator: between what docs/performance.md measured beside narrow
 * weights. Rows of int8 pay from 50 to 70 % zeros on where dense weights are not narrow or run by pairs, and lose little there.
 */
const crossovers: Readonly<Record<string, number>> = {
  'whittle.SparseGemm': 0.4,
  'whittle.DynamicQuantizeSparseGemm': 0.25,
  'whittle.BlockSparseGemm': 0.8,
}

/** The form that the recipe asks for. */
function sparseForm(weight: Tensor, { sparse, weights, narrow }: FullRecipe): SparseForm {
  const { kind, sparsity } = sparse!
  // the two products of a block's column by a pmaddubsw are added in int16 (assembly/sparse/blocks.ts)
  if (kind === 'block') return sparseBlocks(weight, sparsity, narrow ? 2 : 0)
  return weights === 'float32' ? sparseRows(weight, sparsity) : sparseByteRows(weight, sparsity, narrow ? 1 : 0)
}

/** The graph with sparse products where the recipe asks for them, and a line per layer that became one. */
export function pruneGraph(graph: Graph, recipe: FullRecipe): { graph: Graph; layers: LayerReport[] } {
  const { sparse } = recipe
  if (sparse === null) return { graph, layers: [] }
  const isBytes = sparse.kind === 'block' || recipe.weights !== 'float32'
  const asBlocks = { ...recipe, weights: 'int8', block: 'auto' } as const
  const constants = new Map<string, Constant>(graph.constants)
  const layers: LayerReport[] = []
  const nodes = graph.nodes.map((node): Node => {
    const [weight] = node.op === 'whittle.Gemm' ? layerWeights(graph, node) : []
    if (weight === undefined || reasonToKeep(node, [weight], asBlocks) !== undefined) return node
    if (isBytes && weight.dims[1] > mostByteDepth) return node
    const form = sparseForm(weight.tensor, recipe)
    const [x, name, ...rest] = node.inputs
    const names = Object.entries(form.tensors).map(([part, tensor]) => {
      constants.set(`${name}/${part}`, { dtype: tensor.type, dims: tensor.dims, tensor })
      return `${name}/${part}`
    })
    const bytesAfter = Object.values(form.tensors).reduce((sum, tensor) => sum + bytesOf(tensor).byteLength, 0)
    const weightSnr = signalToNoise(weight.tensor.data as Float32Array, form.after)
    layers.push({ ...layerLine(node, weight), to: form.to, bytesAfter, weightSnr })
    // the choice where the host does not measure
    const choice = form.density > crossovers[form.op] ? 'dense' : 'sparse'
    const attributes = { ...node.attributes, form: choice, ...(form.narrow > 0 ? { narrow: form.narrow } : {}) }
    return { ...node, op: form.op, inputs: [x, ...names, ...rest], attributes }
  })
  return { graph: { ...graph, nodes, constants: withoutUnused(constants, nodes, graph) }, layers }
}

function sparseRows(weight: Tensor, sparsity: number): SparseForm {
  const [n, k] = weight.dims
  const rows = pruneWeights(weight.data as Float32Array, n, sparsity)
  return {
    op: 'whittle.SparseGemm',
    to: 'float32, sparse rows',
    tensors: { values: new Tensor('float32', rows.values), ...placesOf(rows) },
    density: rows.values.length / (n * k),
    narrow: 0,
    after: denseOfRows(rows, n, k),
  }
}

/** Weights that round to zero are not stored either. */
function sparseByteRows(weight: Tensor, sparsity: number, narrow: Narrowness): SparseForm {
  const [n, k] = weight.dims
  const kept = denseOfRows(pruneWeights(weight.data as Float32Array, n, sparsity), n, k)
  const { codes, scales } = quantizeWeights(kept, { channels: n, taps: 1, inputs: k }, { narrow })
  const rows = rowsOfDense(codes, n)
  const values = new Tensor('int8', Int8Array.from(rows.values))
  return {
    op: 'whittle.DynamicQuantizeSparseGemm',
    to: 'int8, sparse rows',
    tensors: { values, ...placesOf(rows), scale: new Tensor('float32', scales) },
    density: rows.values.length / (n * k),
    narrow,
    after: Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / k)]),
  }
}

function placesOf({ depths, starts }: SparseRows): { depths: Tensor; starts: Tensor } {
  return { depths: new Tensor('int32', depths), starts: new Tensor('int32', starts) }
}

function sparseBlocks(weight: Tensor, sparsity: number, narrow: Narrowness): SparseForm {
  const [n, k] = weight.dims
  const kept = denseOfBlocks(pruneBlocks(weight.data as Float32Array, n, sparsity), n, k)
  const { codes, scales } = quantizeWeights(kept, { channels: n, taps: 1, inputs: k }, { narrow })
  // blocks of zeros have codes of zero, and the kept ones are never all zero but by chance: prune once more, exactly
  const blocks = pruneBlocks(Float32Array.from(codes), n, zeroShare(codes, n, k))
  const count = blocks.depths.length
  const tensors = {
    values: new Tensor('int8', Int8Array.from(blocks.values), [count, 8, 8]),
    depths: new Tensor('int32', blocks.depths),
    starts: new Tensor('int32', blocks.starts),
    scale: new Tensor('float32', scales),
  }
  const after = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / k)])
  const density = (64 * count) / (n * k)
  return { op: 'whittle.BlockSparseGemm', to: 'int8, sparse blocks', tensors, density, narrow, after }
}

/** Share of the blocks of 8 x 8 that hold nothing but zeros. */
function zeroShare(codes: Int8Array, n: number, k: number): number {
  const across = Math.ceil(k / 8)
  const used = new Set<number>()
  codes.forEach((code, i) => {
    if (code !== 0) used.add(Math.floor(i / k / 8) * across + Math.floor((i % k) / 8))
  })
  return 1 - used.size / (across * Math.ceil(n / 8))
}
