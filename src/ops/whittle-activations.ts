// SPDX-License-Identifier: Apache-2.0
/** whittle.Silu: x / (1 + exp(-x)), element by element; what passes make of x * sigmoid(x) for models of any opset. */
import { activationFunctions } from './activation-reference.ts'
import { type Reference, type Samples, defineOps } from './define.ts'
import { needed } from './infer.ts'
import { emitUnary, isFloat32 } from './lower-elementwise.ts'
import { numbersOf, tensorOf } from './numeric.ts'
import { floats } from './sample-tensors.ts'

export const ops = defineOps({
  'whittle.Silu': {
    inputs: [1, 1],
    numerics: { relative: 2e-6, absolute: 1e-6 },
    infer([info], context) {
      const { dtype, dims } = needed(context, info, 'x')
      return [{ dtype, dims }]
    },
    lower(lowering) {
      const x = lowering.input(0)!
      if (!isFloat32(x)) return false
      emitUnary(lowering, 'unary_silu_f32', x.ref, lowering.output(0).ref, x.size)
      return true
    },
  },
})

export const references = {
  'whittle.Silu': ([x]) => [
    tensorOf(
      x!.type,
      Array.from(numbersOf(x!), (v) => activationFunctions.Silu(v, 0, 0)),
      x!.dims,
    ),
  ],
} satisfies Record<string, Reference>

export const samples = {
  'whittle.Silu': (random) =>
    [[], [0, 3], [2, 3, 5], [1, 4100]].map((dims) => ({ inputs: [floats(random, dims, -9, 9)] })),
} satisfies Record<string, Samples>
