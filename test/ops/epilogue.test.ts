// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { activations } from '../../src/kernels/gemm.ts'
import { activationFunctions, applyEpilogue } from '../../src/ops/activation-reference.ts'
import { epilogueOf } from '../../src/ops/epilogue.ts'

test('every activation of the kernels has a reference', () => {
  expect(Object.keys(activationFunctions)).toEqual([...activations])
})

test('an activation without its numbers takes the defaults of the ONNX operator', () => {
  expect(epilogueOf({ activation: 'HardSigmoid' })).toMatchObject({ p0: 0.2, p1: 0.5, postScale: 1, postShift: 0 })
  expect(epilogueOf({ activation: 'LeakyRelu' }).p0).toBe(0.01)
})

test('bias and residual come before the activation, scale and shift after', () => {
  const attributes = { activation: 'Relu', post_scale: 2, post_shift: 1 }
  expect([...applyEpilogue(Float64Array.of(1, -5, 3, 0), 2, attributes, [1, 1], [0, 1, 0, 1])]).toEqual([5, 1, 9, 5])
})

test('an unknown activation is named with those there are', () => {
  expect(() => epilogueOf({ activation: 'Cosine' })).toThrow(/activation: expected one of None Relu .*, got Cosine/)
})
