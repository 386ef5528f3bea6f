// SPDX-License-Identifier: Apache-2.0
/** ONNX Runtime's fused operators become what they are made of. */
import { describe, expect, it } from 'vitest'
import { spellOutFused } from '../../src/passes/spell-out-fused.ts'
import { through } from './through.ts'

const conv = (inputs: string, attributes: string): string =>
  `input x: float32[n, 3, 6, 5] const w: float32[4, 3, 3, 3] = ... const b: float32[4] = ... input z: float32[n, 4, 6, 5]
  y = com.microsoft.FusedConv(${inputs}) {pads: [1, 1, 1, 1], ${attributes}} output y: float32[n, 4, 6, 5]`

const product = (a: string, b: string, attributes: string, y: string): string =>
  `input a: float32[${a}] input b: float32[${b}] y = com.microsoft.FusedMatMul(a, b) {${attributes}} output y: float32[${y}]`

describe('spell-out-fused', () => {
  it.each([
    ['x, w, b', 'activation: "Relu"', ['Conv', 'Relu']],
    ['x, w', 'activation: "LeakyRelu", activation_params: [0.1]', ['Conv', 'LeakyRelu']],
    ['x, w, b, z', 'activation: "Clip", activation_params: [-0.5, 0.5]', ['Conv', 'Add', 'Clip']],
    ['x, w, b', 'activation: "HardSigmoid", activation_params: [0.3, 0.4]', ['Conv', 'HardSigmoid']],
    ['x, w, b, z', 'group: 1', ['Conv', 'Add']],
  ])('FusedConv(%s) with %s', async (inputs, attributes, expected) => {
    expect((await through(spellOutFused, conv(inputs, attributes))).ops).toEqual(expected)
  })

  it.each([
    ['n, 3, 4', 'n, 4, 5', 'alpha: 0.5', ['MatMul', 'Mul']],
    ['n, 4, 3', 'n, 5, 4', 'transA: 1, transB: 1', ['Transpose', 'Transpose', 'MatMul']],
    ['3, n, 4', 'n, 4, 5', 'transBatchA: 1', ['com.microsoft.FusedMatMul']],
  ])('FusedMatMul of [%s] and [%s] with %s', async (a, b, attributes, expected) => {
    expect((await through(spellOutFused, product(a, b, attributes, 'n, 3, 5'))).ops).toEqual(expected)
  })
})
