// SPDX-License-Identifier: Apache-2.0
/**
 * TopK: the k largest (or smallest) elements along an axis, best first, and where they are. Of equal elements the one
 * with the lower index comes first; NaN is behind all numbers. https://onnx.ai/onnx/operators/onnx__TopK.html
 */
import type { Dim } from '../ir/dim.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { grainOf } from './grid.ts'
import { axisOf, complaint, contentOf, needed, unknownDims } from './infer.ts'
import { integersOf } from './elements.ts'
import { type Exact, exactOf, tensorOf } from './numeric.ts'
import { floats, integers, longs } from './sample-tensors.ts'

export const ops = defineOps({
  TopK: {
    inputs: [2, 2],
    outputs: [2, 2],
    attributes: {
      axis: { kind: 'int', default: -1 },
      largest: { kind: 'int', default: 1 },
      sorted: { kind: 'int', default: 1 },
    },
    infer([info, kInfo], context) {
      const x = needed(context, info, 'X')
      const content = contentOf(needed(context, kInfo, 'K'))
      if (x.dims === null)
        return [
          { dtype: x.dtype, dims: null },
          { dtype: 'int64', dims: null },
        ]
      const axis = axisOf(context, context.attributes.axis as number, x.dims.length)
      const k: Dim = content === null ? unknownDims(context, 1)[0] : content[0]
      const length = x.dims[axis]
      if (typeof k === 'number' && typeof length === 'number' && (k < 0 || k > length)) {
        throw complaint(context, `K in [0, ${length}]`, String(k))
      }
      const dims = x.dims.map((d, i) => (i === axis ? k : d))
      return [
        { dtype: x.dtype, dims },
        { dtype: 'int64', dims },
      ]
    },
    lower(lowering, { attributes }) {
      const [x, y] = [lowering.input(0)!, lowering.output(0)]
      if (x.dtype !== 'float32') return false
      if (y.size === 0) return true
      const axis = normalizeAxis(attributes.axis as number, x.dims.length)
      const [length, k] = [x.dims[axis], y.dims[axis]]
      const inner = sizeOf(x.dims.slice(axis + 1))
      const least = Number(attributes.largest === 0)
      const args = { x: x.ref, y: y.ref, index: lowering.output(1).ref, length, inner, k, least }
      lowering.step({ kernel: 'top_k_f32', args, units: x.size / length, grain: grainOf(length) })
      return true
    },
  },
})

export const references = {
  TopK([x, kInput], attributes) {
    const { dims, type } = x!
    const axis = normalizeAxis(attributes.axis as number, dims.length)
    const [k] = integersOf(kInput!)
    const inner = sizeOf(dims.slice(axis + 1))
    const length = dims[axis]
    const data = exactOf(x!)
    const sign = attributes.largest === 0 ? 1 : -1
    const outDims = dims.map((d, i) => (i === axis ? k : d))
    const values = new Array<Exact>(sizeOf(outDims))
    const indices = new Array<number>(values.length)
    const runs = sizeOf(dims.slice(0, axis)) * inner
    for (let run = 0; run < runs; run++) {
      const outer = Math.floor(run / inner)
      const at = (j: number): number => (outer * length + j) * inner + (run % inner)
      const order = Array.from({ length }, (_, j) => j).sort((a, b) => {
        const [p, q] = [data[at(a)], data[at(b)]]
        const missing = Number(Number.isNaN(p)) - Number(Number.isNaN(q))
        return missing || (p < q ? -sign : p > q ? sign : a - b)
      })
      for (let j = 0; j < k; j++) {
        const target = (outer * k + j) * inner + (run % inner)
        values[target] = data[at(order[j])]
        indices[target] = order[j]
      }
    }
    return [tensorOf(type, values, outDims), tensorOf('int64', indices, outDims)]
  },
} satisfies Record<string, Reference>

export const samples = {
  TopK: (random): Sample[] => [
    { inputs: [new Tensor('float32', [1, 3, 3, -1, 3, 0, 1]), longs(5)], outputs: 2 },
    { inputs: [floats(random, [4, 300]), longs(300)], attributes: { axis: 1 }, outputs: 2 },
    { inputs: [floats(random, [3, 7]), longs(3)], outputs: 2 },
    { inputs: [floats(random, [2, 6, 3]), longs(2)], attributes: { axis: 1, largest: 0 }, outputs: 2 },
    { inputs: [integers(random, [9], 0, 3, 'int64'), longs(9)], outputs: 2 },
  ],
} satisfies Record<string, Samples>
