// SPDX-License-Identifier: Apache-2.0
/**
 * Reductions as steps. The kernels reduce the middle of [outer, reduce, inner]; axes that do not form such a middle
 * are first brought to the end by a copy.
 */
import type { KernelName } from '../kernels/table.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { collapse } from './broadcast.ts'
import { grainOf } from './grid.ts'
import type { Lowering, Ref, StepSpec } from './lower.ts'

type ReduceKernel = Extract<KernelName, `reduce_${string}`>

/** What is computed, of which kernel, and what makes `finish` of its arguments of the count. */
const reductions = {
  sum: ['reduce_sum_f32', () => 1],
  mean: ['reduce_sum_f32', (count: number) => count],
  max: ['reduce_max_f32', () => 0],
  min: ['reduce_min_f32', () => 0],
  prod: ['reduce_prod_f32', () => 0],
  sumSquare: ['reduce_sum_square_f32', () => 0],
  l1: ['reduce_l1_f32', () => 0],
  l2: ['reduce_sum_square_f32', () => 1],
  logSumExp: ['reduce_log_sum_exp_f32', () => 0],
} as const

export type Reduction = keyof typeof reductions

/** Columns a unit reduces side by side: their accumulators stay in the first-level cache. */
const columns = 128

/** The middle axis of [outer, reduce, inner]. */
export interface ReduceShape {
  readonly outer: number
  readonly reduce: number
  readonly inner: number
}

/** y[o][i] = reduce over r of x[o][r][i], float32. */
export function emitReduce(lowering: Lowering, reduction: Reduction, x: Ref, y: Ref, shape: ReduceShape): void {
  const [kernel, finish] = reductions[reduction]
  emitReduction(lowering, kernel, x, y, shape, { finish: finish(shape.reduce) })
}

/** The same by a kernel with words of its own. */
export function emitReduction(
  lowering: Lowering,
  kernel: ReduceKernel,
  x: Ref,
  y: Ref,
  shape: ReduceShape,
  words: Readonly<Record<string, number>>,
): void {
  const { outer, reduce, inner } = shape
  const block = Math.min(inner, columns)
  const units = inner === 1 ? outer : outer * Math.ceil(inner / block)
  const grain = grainOf(reduce * block)
  if (units > 0)
    lowering.step({ kernel, units, grain, args: { x, y, outer, reduce, inner, block, ...words } } as StepSpec)
}

/**
 * Where `axes` of `dims` are reduced: the shape the kernel sees, and the place it reads, which is `x` itself or a
 * scratch copy with the reduced axes at the end, elements of `width` bytes. Null when there are more axes than a copy has.
 */
export function gatherReduced(
  lowering: Lowering,
  x: Ref,
  dims: readonly number[],
  axes: readonly number[],
  width: 1 | 2 | 4 | 8 = 4,
): { x: Ref; shape: ReduceShape } | null {
  const reduced = dims.map((_, axis) => axes.includes(axis))
  const first = axes.length === 0 ? dims.length : Math.min(...axes)
  const last = axes.length === 0 ? dims.length - 1 : Math.max(...axes)
  // axes of length 1 in between may count as reduced: they change nothing
  const solid = dims.slice(first, last + 1).every((d, i) => d === 1 || reduced[first + i])
  const middle = dims.slice(first, last + 1)
  if (solid) {
    return {
      x,
      shape: { outer: sizeOf(dims.slice(0, first)), reduce: sizeOf(middle), inner: sizeOf(dims.slice(last + 1)) },
    }
  }
  const strides = stridesOf(dims)
  const order = [...dims.keys()].sort((a, b) => Number(reduced[a]) - Number(reduced[b]) || a - b)
  const loop = collapse(
    order.map((axis) => dims[axis]),
    [order.map((axis) => strides[axis])],
  )
  if (loop.length > 6) return null
  const target = lowering.scratch(sizeOf(dims) * width)
  const [d0, d1, d2, d3, d4, d5] = [...new Array<number>(6 - loop.length).fill(1), ...loop.map((axis) => axis.size)]
  const [s0, s1, s2, s3, s4, s5] = [
    ...new Array<number>(6 - loop.length).fill(0),
    ...loop.map((axis) => axis.strides[0]),
  ]
  const [t0, t1, t2, t3, t4, t5] = stridesOf([d0, d1, d2, d3, d4, d5])
  lowering.step({
    kernel: `copy_${width}`,
    units: d0 * d1 * d2 * d3 * d4,
    grain: grainOf(d5),
    args: { src: x, dst: target, d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1, t2, t3, t4, t5 },
  } as StepSpec)
  const reduce = sizeOf(dims.filter((_, axis) => reduced[axis]))
  return { x: target, shape: { outer: sizeOf(dims) / reduce, reduce, inner: 1 } }
}
