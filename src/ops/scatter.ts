// SPDX-License-Identifier: Apache-2.0
/**
 * ScatterElements (Scatter is its old name) and ScatterND: a copy of the data with elements replaced by updates, or
 * combined with them (reduction). Updates are applied in row-major order.
 */
import { normalizeAxis, sizeOf, stridesOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type AttributeSpec, type OpDef, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { indexFromFront, integersOf, walk } from './elements.ts'
import { copyBytes, widthOf } from './lower-move.ts'
import { emitElements, emitTuples } from './lower-pick.ts'
import { type Exact, exactOf, tensorOf } from './numeric.ts'
import { floats, longs } from './sample-tensors.ts'

const reduction: Readonly<Record<string, AttributeSpec>> = { reduction: { kind: 'string', default: 'none' } }

const define = (attributes: Readonly<Record<string, AttributeSpec>>, isTuples = false): OpDef => ({
  inputs: [3, 3],
  attributes,
  infer([data], context) {
    const { dtype, dims } = needed(context, data, 'data')
    return [{ dtype, dims }]
  },
  lower(lowering, { attributes: given }) {
    const [data, indices, updates] = [0, 1, 2].map((i) => lowering.input(i)!)
    const y = lowering.output(0)
    const width = widthOf(data.dtype)
    if (width === null || (given.reduction ?? 'none') !== 'none' || updates.dtype !== data.dtype) return false
    const pick = { source: updates.ref, target: y.ref, kind: 'scatter', size: updates.size } as const
    copyBytes(lowering, data.ref, y.ref, data.size * width)
    return isTuples
      ? emitTuples(lowering, data, indices, 0, pick)
      : emitElements(lowering, data, indices, given.axis as number, pick)
  },
})

export const ops = defineOps({
  Scatter: define({ axis: { kind: 'int', default: 0 } }),
  ScatterElements: define({ axis: { kind: 'int', default: 0 }, ...reduction }),
  ScatterND: define(reduction, true),
})

const reductions: Readonly<Record<string, (old: never, update: never) => Exact>> = {
  none: (_: Exact, update: Exact) => update,
  add: (old: number, update: number) => old + update,
  mul: (old: number, update: number) => old * update,
  max: (old: Exact, update: Exact) => (update > old ? update : old),
  min: (old: Exact, update: Exact) => (update < old ? update : old),
}

/** A copy of `data` on which `visit` may put updates. */
function scattered(
  data: Tensor,
  updates: Tensor,
  name: string,
  visit: (put: (at: number, update: number) => void) => void,
): Tensor {
  const combine = reductions[name] as (old: Exact, update: Exact) => Exact
  const values: Exact[] = Array.from(exactOf(data))
  const from = exactOf(updates)
  visit((at, update) => {
    values[at] = combine(values[at], from[update])
  })
  return tensorOf(data.type, values, data.dims)
}

const scatterElements: Reference = ([data, indices, updates], attributes) => {
  const { dims } = data!
  const axis = normalizeAxis(attributes.axis as number, dims.length)
  const own = stridesOf(dims)
  const at = integersOf(indices!)
  const others = own.map((stride, k) => (k === axis ? 0 : stride))
  return [
    scattered(data!, updates!, (attributes.reduction as string | undefined) ?? 'none', (put) => {
      walk(indices!.dims, others, (i, offset) => put(offset + indexFromFront(at[i], dims[axis]) * own[axis], i))
    }),
  ]
}

export const references = {
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: ([data, indices, updates], attributes) => {
    const { dims } = data!
    const depth = indices!.dims.at(-1)!
    const own = stridesOf(dims)
    const at = integersOf(indices!)
    const run = sizeOf(dims.slice(depth))
    return [
      scattered(data!, updates!, attributes.reduction as string, (put) => {
        for (let t = 0; t * depth < at.length; t++) {
          let offset = 0
          for (let k = 0; k < depth; k++) offset += indexFromFront(at[t * depth + k], dims[k]) * own[k]
          for (let i = 0; i < run; i++) put(offset + i, t * run + i)
        }
      }),
    ]
  },
} satisfies Record<string, Reference>

const elements: Samples = (random) => [
  {
    inputs: [floats(random, [3, 4]), new Tensor('int64', [0, -1, 2, 1], [2, 2]), floats(random, [2, 2])],
    attributes: { axis: 1 },
  },
]

export const samples = {
  Scatter: elements,
  ScatterElements: (random): Sample[] => [
    ...elements(random),
    { inputs: [longs(1, 2, 3), longs(1, 1), longs(10, 20)], attributes: { reduction: 'add' } },
  ],
  ScatterND: (random): Sample[] => [
    { inputs: [floats(random, [4, 3]), new Tensor('int64', [2, 0], [2, 1]), floats(random, [2, 3])] },
    { inputs: [longs(1, 2, 3), new Tensor('int64', [1, -1], [2, 1]), longs(5, 1)], attributes: { reduction: 'max' } },
  ],
} satisfies Record<string, Samples>
