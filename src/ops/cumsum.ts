// SPDX-License-Identifier: Apache-2.0
/**
 * CumSum and CumProd: running sums and products along an axis given as an input; exclusive leaves the own element out,
 * reverse runs from the end. Integers are exact. https://onnx.ai/onnx/operators/onnx__CumSum.html
 */
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { type OpDef, type Reference, type Sample, type Samples } from './define.ts'
import { grainOf } from './grid.ts'
import { axisOf, integersFrom, needed } from './infer.ts'
import { integersOf, isFloat } from './elements.ts'
import { type Exact, exactOf, tensorOf } from './numeric.ts'
import { floats, integers, longs } from './sample-tensors.ts'

const definition: OpDef = {
  inputs: [2, 2],
  attributes: { exclusive: { kind: 'int', default: 0 }, reverse: { kind: 'int', default: 0 } },
  numerics: { relative: 1e-6, absolute: 1e-6 },
  infer([info, axis], context) {
    const x = needed(context, info, 'x')
    const known = integersFrom(needed(context, axis, 'axis'))
    if (x.dims !== null && known !== null) axisOf(context, known[0], x.dims.length)
    return [{ dtype: x.dtype, dims: x.dims }]
  },
  lower(lowering, { node, attributes }) {
    const [x, axisInput] = [lowering.input(0)!, lowering.input(1)!]
    const kernel = kernels[x.dtype as keyof typeof kernels] as (typeof kernels)[keyof typeof kernels] | undefined
    if (kernel === undefined || axisInput.tensor === undefined) return false
    if (x.size === 0) return true
    const axis = normalizeAxis(integersOf(axisInput.tensor)[0], x.dims.length)
    const length = x.dims[axis]
    const args = {
      x: x.ref,
      y: lowering.output(0).ref,
      length,
      inner: sizeOf(x.dims.slice(axis + 1)),
      exclusive: Number(attributes.exclusive === 1),
      reverse: Number(attributes.reverse === 1),
      product: Number(node.op === 'CumProd'),
    }
    lowering.step({ kernel, args, units: x.size / length, grain: grainOf(length) })
    return true
  },
}

const kernels = { float32: 'running_f32', int32: 'running_i32', int64: 'running_i64' } as const

export const ops = { CumProd: definition, CumSum: definition }

interface Running {
  readonly start: Exact
  combine(a: Exact, b: Exact): Exact
}

const numbers = {
  CumProd: { start: 1, combine: (a, b) => (a as number) * (b as number) },
  CumSum: { start: 0, combine: (a, b) => (a as number) + (b as number) },
} satisfies Record<string, Running>

const wholes = {
  CumProd: { start: 1n, combine: (a, b) => BigInt(a) * BigInt(b) },
  CumSum: { start: 0n, combine: (a, b) => BigInt(a) + BigInt(b) },
} satisfies Record<string, Running>

function reference(name: 'CumProd' | 'CumSum'): Reference {
  return ([x, axisInput], attributes) => {
    const { dims, type } = x!
    const axis = normalizeAxis(integersOf(axisInput!)[0], dims.length)
    const inner = sizeOf(dims.slice(axis + 1))
    const length = dims[axis]
    const data = exactOf(x!)
    const { start, combine }: Running = isFloat(type) ? numbers[name] : wholes[name]
    const result = new Array<Exact>(data.length)
    for (let run = 0; run < data.length / Math.max(1, length); run++) {
      const first = Math.floor(run / inner) * inner * length + (run % inner)
      let total = start
      for (let j = 0; j < length; j++) {
        const at = first + (attributes.reverse === 1 ? length - 1 - j : j) * inner
        const next = combine(total, data[at])
        result[at] = attributes.exclusive === 1 ? total : next
        total = next
      }
    }
    return [tensorOf(type, result, dims)]
  }
}

export const references = { CumProd: reference('CumProd'), CumSum: reference('CumSum') } satisfies Record<
  string,
  Reference
>

const plain: Samples = (random): Sample[] => [
  { inputs: [floats(random, [2, 5]), longs(1)] },
  { inputs: [floats(random, [2, 5, 3]), longs(-2)], attributes: { exclusive: 1 } },
  { inputs: [floats(random, [2, 5]), longs(0)], attributes: { reverse: 1 } },
  { inputs: [integers(random, [7], -4, 4, 'int64'), longs(0)], attributes: { reverse: 1, exclusive: 1 } },
  { inputs: [integers(random, [3, 4], -4, 4), longs(-1)] },
]

export const samples = { CumProd: plain, CumSum: plain } satisfies Record<string, Samples>
