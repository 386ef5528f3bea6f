// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import type { StepSpec } from '../../src/ir/lowering.ts'
import { kernelNames, kernelTable } from '../../src/kernels/table.ts'
import { encodeSteps, stepWords } from '../../src/runtime/encode.ts'

const relu: StepSpec = {
  kernel: 'unary_relu_f32',
  args: { x: { id: 'x', offset: 16 }, y: { id: 'y', offset: 0 }, size: 100, block: 32, p0: 0.5, p1: -1 },
  units: 4,
  grain: 2,
}
const addresses: Record<string, number> = { x: 65536, y: 0x8000_0000 }
const resolve = ({ id, offset }: { id: string; offset: number }): number => addresses[id] + offset

describe('encodeSteps', () => {
  it('writes header and arguments as docs/steps.md says', () => {
    const { words, starts } = encodeSteps([relu, relu], resolve, kernelTable)
    expect([...starts]).toEqual([0, 16, 32])
    expect(words.length).toBe(2 * stepWords(kernelTable.unary_relu_f32))
    expect([...words.slice(0, 12)]).toEqual([
      kernelNames.indexOf('unary_relu_f32'),
      16,
      4,
      2,
      0,
      0,
      0,
      0,
      65552,
      0x8000_0000,
      100,
      32,
    ])
    expect([...new Float32Array(words.buffer, 48, 2)]).toEqual([0.5, -1])
    expect([...words.slice(14, 16)]).toEqual([0, 0])
  })

  it('writes null pointers as 0 and negative i32 in two’s complement', () => {
    const step: StepSpec = {
      kernel: 'quantize_rows_u8',
      args: {
        x: { id: 'x', offset: 0 },
        ldx: 1,
        q: { id: 'y', offset: 0 },
        ldq: 4,
        params: { id: 'x', offset: 0 },
        m: 1,
        k: 1,
        bias: -128,
      },
      units: 1,
    }
    const { words } = encodeSteps([step], resolve, kernelTable)
    expect(words[8 + 7]).toBe(0xffff_ff80)
    expect(words[3]).toBe(1)
  })

  it('names kernel and argument when a number does not fit', () => {
    const bad = { ...relu, args: { ...relu.args, size: 2 ** 32 } } as StepSpec
    expect(() => encodeSteps([bad], resolve, kernelTable)).toThrow(GraphError)
    expect(() => encodeSteps([bad], resolve, kernelTable)).toThrow('unary_relu_f32.size')
    expect(() =>
      encodeSteps([{ ...relu, args: { ...relu.args, block: 1.5 } } as StepSpec], resolve, kernelTable),
    ).toThrow('block')
    expect(() => encodeSteps([{ ...relu, args: {} } as unknown as StepSpec], resolve, kernelTable)).toThrow(
      'unary_relu_f32.x',
    )
  })
})
