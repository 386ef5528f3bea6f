// SPDX-License-Identifier: Apache-2.0
/**
 * Identity: the output is the input, of any type. Its lowering computes nothing: the output is the input's memory.
 * What is known of the input (content, tensor) is known of the output.
 */
import { type Reference, type Samples, defineOps } from './define.ts'
import { Tensor } from '../tensor/tensor.ts'

export const ops = defineOps({
  Identity: {
    inputs: [1, 1],
    infer: ([x]) => [x!],
    lower(lowering) {
      lowering.alias(0, 0)
      return true
    },
  },
})

export const references = {
  Identity: ([x]) => [x!],
} satisfies Record<string, Reference>

export const samples = {
  Identity: (random) => [{ inputs: [new Tensor('float32', Array.from({ length: 6 }, random), [2, 3])] }],
} satisfies Record<string, Samples>
