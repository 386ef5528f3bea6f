// SPDX-License-Identifier: Apache-2.0
/**
 * What ONNX Runtime's optimiser writes: FusedMatMul, alpha * A B with either side transposed, and FusedConv, Conv with
 * a residual and an activation behind it.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import type { Dim } from '../ir/dim.ts'
import { type Attributes, type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { activationsOf } from './recurrent-reference.ts'
import { checkVector, convAttributes, inferConv } from './conv-types.ts'
import { convolve, permute } from './convolve.ts'
import { complaint, needed, printDims } from './infer.ts'
import { matMulDims } from './matmul-types.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { dotNumbers, matrixProduct } from './product.ts'
import { floats } from './sample-tensors.ts'
import { knownWindow } from './window.ts'

/** Order of the axes of an operand: the matrix's and the batch's may change places. */
function orderOf(rank: number, transposed: boolean, batch: boolean): number[] {
  const axes = Array.from({ length: rank }, (_, i) => i)
  if (rank < 2) return axes
  // [M, batch..., K] as [batch..., M, K]
  const first = batch ? [...axes.slice(1, -1), 0, rank - 1] : axes
  return transposed ? [...first.slice(0, -2), first[rank - 1], first[rank - 2]] : first
}

function orders({ transA, transB, transBatchA, transBatchB }: Attributes) {
  return [
    (rank: number) => orderOf(rank, transA === 1, transBatchA === 1),
    (rank: number) => orderOf(rank, transB === 1, transBatchB === 1),
  ] as const
}

const flag = { kind: 'int', default: 0 } as const

export const ops = defineOps({
  'com.microsoft.FusedConv': {
    inputs: [2, 4],
    attributes: { ...convAttributes, activation: { kind: 'string' }, activation_params: { kind: 'floats' } },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer([x, w, bias], context) {
      const [image, weights] = [needed(context, x, 'X'), needed(context, w, 'W')]
      if (image.dims === null || weights.dims === null) return [{ dtype: image.dtype, dims: null }]
      const { outC, out } = inferConv(context, image.dims, weights.dims)
      checkVector(context, 'B', bias, outC)
      return [{ dtype: image.dtype, dims: [image.dims[0], outC, ...out] }]
    },
  },
  'com.microsoft.FusedMatMul': {
    inputs: [2, 2],
    attributes: {
      alpha: { kind: 'float', default: 1 },
      transA: flag,
      transB: flag,
      transBatchA: flag,
      transBatchB: flag,
    },
    numerics: { relative: 1e-5, absolute: 1e-5 },
    infer(infos, context) {
      const sides = ['A', 'B'].map((name, i) => {
        const info = needed(context, infos[i], name)
        const order = orders(context.attributes)[i]
        const dims: Dim[] | null = info.dims && order(info.dims.length).map((axis) => info.dims![axis])
        if (dims?.length === 0) throw complaint(context, `an ${name} of rank >= 1`, printDims(dims))
        return { ...info, dims }
      })
      return [{ dtype: sides[0].dtype, dims: matMulDims(context, sides[0], sides[1]) }]
    },
  },
})

export const references = {
  'com.microsoft.FusedConv': ([x, w, bias, residual], attributes) => {
    const window = knownWindow(x!.dims.slice(2), w!.dims.slice(2), attributes)
    const { data, dims } = convolve(
      { data: numbersOf(x!), dims: x!.dims },
      { data: numbersOf(w!), dims: w!.dims },
      attributes.group as number,
      window,
    )
    const pixels = window.out.reduce((size, d) => size * d, 1)
    const [shifts, more] = [bias ? numbersOf(bias) : null, residual ? numbersOf(residual) : null]
    const activate = activationOf(attributes)
    const values = data.map((v, i) =>
      activate(v + (shifts?.[Math.floor(i / pixels) % dims[1]] ?? 0) + (more?.[i] ?? 0)),
    )
    return [tensorOf(x!.type, values, dims)]
  },
  'com.microsoft.FusedMatMul': ([a, b], attributes) => {
    const [left, right] = [a!, b!].map((tensor, i) =>
      permute({ data: numbersOf(tensor), dims: tensor.dims }, orders(attributes)[i](tensor.dims.length)),
    )
    const { values, dims } = matrixProduct(left, right, dotNumbers)
    const alpha = Math.fround(attributes.alpha as number)
    return [
      tensorOf(
        a!.type,
        values.map((v) => Number(v) * alpha),
        dims,
      ),
    ]
  },
} satisfies Record<string, Reference>

/** The activation behind a FusedConv; Clip has its bounds as parameters. */
function activationOf({ activation, activation_params: given }: Attributes): (v: number) => number {
  const name = activation as string | undefined
  const parameters = (given as readonly number[] | undefined) ?? []
  if (name === undefined || name === '') return (v) => v
  if (name === 'Clip') return (v) => Math.min(Math.max(v, parameters[0] ?? -Infinity), parameters[1] ?? Infinity)
  const attributes = {
    activations: [name],
    activation_alpha: parameters.slice(0, 1),
    activation_beta: parameters.slice(1, 2),
  }
  return activationsOf(attributes, [], 1)[0]
}

export const samples = {
  'com.microsoft.FusedConv': (random): Sample[] => {
    const inputs = [floats(random, [1, 3, 6, 5]), floats(random, [4, 3, 3, 3]), floats(random, [4])]
    return [
      { inputs, attributes: { activation: 'Relu' } },
      { inputs, attributes: { activation: 'LeakyRelu', activation_params: [0.1], pads: [1, 1, 1, 1] } },
      { inputs: [...inputs, floats(random, [1, 4, 4, 3])], attributes: { activation: 'Relu' } },
      { inputs: inputs.slice(0, 2), attributes: { activation: 'Clip', activation_params: [-0.5, 0.5] } },
    ]
  },
  'com.microsoft.FusedMatMul': (random): Sample[] => [
    { inputs: [floats(random, [2, 3, 4]), floats(random, [2, 4, 5])], attributes: { alpha: 0.5 } },
    { inputs: [floats(random, [2, 4, 3]), floats(random, [5, 4])], attributes: { transA: 1, transB: 1 } },
    { inputs: [floats(random, [3, 2, 4]), floats(random, [2, 4, 5])], attributes: { transBatchA: 1 } },
  ],
} satisfies Record<string, Samples>
