// SPDX-License-Identifier: Apache-2.0
/**
 * GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number per image and channel, channels first; spatial axes
 * become 1. Their windows are whole runs of memory, so they are plain reductions.
 */
import { sizeOf } from '../tensor/shape.ts'
import { type OpContext, type Reference, type Sample, type Samples, type ValueInfo, defineOps } from './define.ts'
import { complaint, needed, printDims } from './infer.ts'
import { isFloat32 } from './lower-elementwise.ts'
import { emitReduce } from './lower-reduce.ts'
import type { Lowering } from './lower.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

function inferGlobal(context: OpContext, info: ValueInfo | null): ValueInfo[] {
  const x = needed(context, info, 'X')
  if (x.dims === null) return [{ dtype: x.dtype, dims: null }]
  if (x.dims.length < 3) throw complaint(context, 'X of rank >= 3', printDims(x.dims))
  return [{ dtype: x.dtype, dims: x.dims.map((d, axis) => (axis < 2 ? d : 1)) }]
}

function lowerGlobal(lowering: Lowering, reduction: 'mean' | 'max'): boolean {
  const x = lowering.input(0)!
  if (!isFloat32(x) || x.size === 0) return false
  const outer = x.dims[0] * x.dims[1]
  const shape = { outer, reduce: x.size / outer, inner: 1 }
  emitReduce(lowering, reduction, x.ref, lowering.output(0).ref, shape)
  return true
}

export const ops = defineOps({
  GlobalAveragePool: {
    inputs: [1, 1],
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer: ([x], context) => inferGlobal(context, x),
    lower: (lowering) => lowerGlobal(lowering, 'mean'),
  },
  GlobalLpPool: {
    inputs: [1, 1],
    attributes: { p: { kind: 'int', default: 2 } },
    numerics: { relative: 1e-6, absolute: 1e-6 },
    infer: ([x], context) => inferGlobal(context, x),
  },
  GlobalMaxPool: {
    inputs: [1, 1],
    infer: ([x], context) => inferGlobal(context, x),
    lower: (lowering) => lowerGlobal(lowering, 'max'),
  },
})

function reference(fold: (values: readonly number[], p: number) => number): Reference {
  return ([x], attributes) => {
    const values = Array.from(numbersOf(x!))
    const pixels = sizeOf(x!.dims.slice(2))
    const dims = x!.dims.map((d, axis) => (axis < 2 ? d : 1))
    const result = Array.from({ length: sizeOf(dims) }, (_, i) =>
      fold(values.slice(i * pixels, (i + 1) * pixels), attributes.p as number),
    )
    return [tensorOf(x!.type, result, dims)]
  }
}

export const references = {
  GlobalAveragePool: reference((values) => values.reduce((sum, v) => sum + v, 0) / values.length),
  GlobalLpPool: reference((values, p) => values.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p)),
  GlobalMaxPool: reference((values) => values.reduce((most, v) => Math.max(most, v), -Infinity)),
} satisfies Record<string, Reference>

const plain: Samples = (random): Sample[] =>
  [
    [1, 3, 5, 7],
    [2, 4, 9],
    [2, 1, 3, 2, 2],
  ].map((dims) => ({ inputs: [floats(random, dims)] }))

export const samples = {
  GlobalAveragePool: plain,
  GlobalLpPool: (random) => [...plain(random), { inputs: [floats(random, [1, 2, 3, 3])], attributes: { p: 3 } }],
  GlobalMaxPool: plain,
} satisfies Record<string, Samples>
