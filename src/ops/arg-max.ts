// SPDX-License-Identifier: Apache-2.0
/**
 * ArgMax and ArgMin: where along an axis the extreme is, int64. Of equal elements the first counts, or the last with
 * select_last_index. https://onnx.ai/onnx/operators/onnx__ArgMax.html
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { type OpContext, type OpDef, type Reference, type Sample, type Samples, type ValueInfo } from './define.ts'
import { grainOf } from './grid.ts'
import { axisOf, needed } from './infer.ts'
import { exactOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

function reduced<D>(dims: readonly D[], axis: number, one: D, keep: boolean): D[] {
  return keep ? dims.map((d, i) => (i === axis ? one : d)) : dims.filter((_, i) => i !== axis)
}

const definition: OpDef = {
  inputs: [1, 1],
  attributes: {
    axis: { kind: 'int', default: 0 },
    keepdims: { kind: 'int', default: 1 },
    select_last_index: { kind: 'int', default: 0 },
  },
  infer([info]: readonly (ValueInfo | null)[], context: OpContext) {
    const x = needed(context, info, 'data')
    if (x.dims === null) return [{ dtype: 'int64', dims: null }]
    const axis = axisOf(context, context.attributes.axis as number, x.dims.length)
    return [{ dtype: 'int64', dims: reduced(x.dims, axis, 1, context.attributes.keepdims !== 0) }]
  },
  lower(lowering, { node, attributes }) {
    const x = lowering.input(0)!
    const kernel = kernels[x.dtype as keyof typeof kernels] as (typeof kernels)[keyof typeof kernels] | undefined
    if (kernel === undefined || x.size === 0) return false
    const axis = normalizeAxis(attributes.axis as number, x.dims.length)
    const [reduce, inner] = [x.dims[axis], sizeOf(x.dims.slice(axis + 1))]
    const args = {
      x: x.ref,
      y: lowering.output(0).ref,
      reduce,
      inner,
      least: Number(node.op === 'ArgMin'),
      last: Number(attributes.select_last_index === 1),
    }
    lowering.step({ kernel, args, units: x.size / reduce, grain: grainOf(reduce) })
    return true
  },
}

const kernels = { float32: 'arg_extreme_f32', int32: 'arg_extreme_i32', int64: 'arg_extreme_i64' } as const

export const ops = { ArgMax: definition, ArgMin: definition }

function reference(sign: 1 | -1): Reference {
  return ([x], attributes) => {
    const { dims } = x!
    const axis = normalizeAxis(attributes.axis as number, dims.length)
    const inner = sizeOf(dims.slice(axis + 1))
    const length = dims[axis]
    const last = attributes.select_last_index === 1
    const data = exactOf(x!)
    const result = Array.from({ length: sizeOf(reduced(dims, axis, 1, true)) }, (_, i) => {
      const start = Math.floor(i / inner) * inner * length + (i % inner)
      let best = 0
      for (let j = 1; j < length; j++) {
        const [value, most] = [data[start + j * inner], data[start + best * inner]]
        const better = sign > 0 ? value > most : value < most
        if (better || (last && value === most)) best = j
      }
      return best
    })
    return [tensorOf('int64', result, reduced(dims, axis, 1, attributes.keepdims !== 0))]
  }
}

export const references = { ArgMax: reference(1), ArgMin: reference(-1) } satisfies Record<string, Reference>

const plain: Samples = (random): Sample[] => [
  { inputs: [floats(random, [4, 5])] },
  { inputs: [floats(random, [2, 5, 3])], attributes: { axis: -2, keepdims: 0 } },
  { inputs: [integers(random, [3, 9], 0, 3)], attributes: { axis: 1 } },
  { inputs: [integers(random, [3, 9], 0, 3, 'int64')], attributes: { axis: 1, select_last_index: 1 } },
]

export const samples = { ArgMax: plain, ArgMin: plain } satisfies Record<string, Samples>
