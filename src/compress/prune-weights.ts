// SPDX-License-Identifier: Apache-2.0
/**
 * Pruning without data: of a layer's weights [N, K] the least are set to zero, one by one by magnitude (Han et al.
 * 2015, arXiv:1506.02626), or in blocks of 8 outputs x 8 k by norm (Narang et al. 2017, arXiv:1711.02782), until a
 * given share is gone. What is left is stored in the forms of ops/sparse-gemm.ts.
 */

/** Outputs and k of a block. */
const SIDE = 8

/** Compressed rows. */
export interface SparseRows {
  readonly values: Float32Array
  readonly depths: Int32Array
  /** One more than outputs. */
  readonly starts: Int32Array
}

/** Blocks of 8 outputs x 8 k, [block][output][k]; 0 where outputs or k end before the block does. */
export type SparseBlocks = SparseRows

/** Keeps the greatest `1 - sparsity` of the weights by magnitude, at least one. Ties are kept from the front. */
export function pruneWeights(weights: Float32Array, outputs: number, sparsity: number): SparseRows {
  const depth = weights.length / outputs
  const kept = greatest(Float64Array.from(weights, Math.abs), sparsity)
  const starts = new Int32Array(outputs + 1)
  const values = Float32Array.from(kept, (i) => weights[i])
  const depths = Int32Array.from(kept, (i) => i % depth)
  for (const i of kept) starts[Math.floor(i / depth) + 1]++
  for (let n = 0; n < outputs; n++) starts[n + 1] += starts[n]
  return { values, depths, starts }
}

/** The weights that are not zero, at least one. */
export function rowsOfDense(weights: ArrayLike<number>, outputs: number): SparseRows {
  const depth = weights.length / outputs
  const kept: number[] = []
  const starts = new Int32Array(outputs + 1)
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] !== 0 || (i === weights.length - 1 && kept.length === 0)) kept.push(i)
    starts[Math.floor(i / depth) + 1] = kept.length
  }
  const values = Float32Array.from(kept, (i) => weights[i])
  return { values, depths: Int32Array.from(kept, (i) => i % depth), starts }
}

/** Keeps the greatest `1 - sparsity` of the blocks by their sum of squares, at least one. */
export function pruneBlocks(weights: Float32Array, outputs: number, sparsity: number): SparseBlocks {
  const depth = weights.length / outputs
  const across = Math.ceil(depth / SIDE)
  const down = Math.ceil(outputs / SIDE)
  const norms = new Float64Array(down * across)
  weights.forEach((weight, i) => {
    const block = Math.floor(i / depth / SIDE) * across + Math.floor((i % depth) / SIDE)
    norms[block] += weight * weight
  })
  const kept = greatest(norms, sparsity)
  const starts = new Int32Array(down + 1)
  const values = new Float32Array(kept.length * SIDE * SIDE)
  kept.forEach((block, i) => {
    const [panel, group] = [Math.floor(block / across), block % across]
    starts[panel + 1]++
    for (let output = 0; output < Math.min(SIDE, outputs - panel * SIDE); output++) {
      const from = (panel * SIDE + output) * depth + group * SIDE
      const run = weights.subarray(from, from + Math.min(SIDE, depth - group * SIDE))
      values.set(run, (i * SIDE + output) * SIDE)
    }
  })
  for (let panel = 0; panel < down; panel++) starts[panel + 1] += starts[panel]
  return { values, depths: Int32Array.from(kept, (block) => block % across), starts }
}

/** Positions of the greatest `1 - sparsity` of `sizes`, in ascending order. */
function greatest(sizes: Float64Array, sparsity: number): number[] {
  const count = Math.max(1, Math.round(sizes.length * (1 - sparsity)))
  const order = Array.from(sizes.keys()).sort((a, b) => sizes[b] - sizes[a] || a - b)
  return order.slice(0, count).sort((a, b) => a - b)
}

/** The dense weights [outputs, depth] that blocks stand for. */
export function denseOfBlocks({ values, depths, starts }: SparseBlocks, outputs: number, depth: number): Float32Array {
  const dense = new Float32Array(outputs * depth)
  for (let panel = 0; panel + 1 < starts.length; panel++) {
    for (let i = starts[panel]; i < starts[panel + 1]; i++) {
      for (let output = 0; output < Math.min(SIDE, outputs - panel * SIDE); output++) {
        const first = depths[i] * SIDE
        const from = (i * SIDE + output) * SIDE
        dense.set(values.subarray(from, from + Math.min(SIDE, depth - first)), (panel * SIDE + output) * depth + first)
      }
    }
  }
  return dense
}

/** The dense weights [outputs, depth] that compressed rows stand for. */
export function denseOfRows({ values, depths, starts }: SparseRows, outputs: number, depth: number): Float32Array {
  const dense = new Float32Array(outputs * depth)
  for (let n = 0; n < outputs; n++) {
    for (let i = starts[n]; i < starts[n + 1]; i++) dense[n * depth + depths[i]] = values[i]
  }
  return dense
}
