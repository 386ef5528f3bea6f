// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Lowering, StepSpec } from '../../src/ir/lowering.ts'
import { emitBinary, emitUnary } from '../../src/ops/lower-elementwise.ts'
import { copyElements } from '../../src/ops/lower-move.ts'
import { stridesOf } from '../../src/tensor/shape.ts'

interface Recorded {
  readonly kernel: string
  readonly args: Record<string, unknown>
  readonly units: number
  readonly grain?: number
}

/** A lowering that only keeps the steps. */
function recorder(): { lowering: Lowering; steps: Recorded[] } {
  const steps: Recorded[] = []
  const step = (spec: StepSpec): number => steps.push(spec as unknown as Recorded)
  return { lowering: { step } as unknown as Lowering, steps }
}

const place = (id: string, dims: number[]): { ref: { id: string; offset: number }; dims: number[] } => ({
  ref: { id, offset: 0 },
  dims,
})

function binary(a: number[], b: number[], dims: number[]): { done: boolean; steps: Recorded[] } {
  const { lowering, steps } = recorder()
  const done = emitBinary(lowering, 'binary_add_f32', place('a', a), place('b', b), { id: 'c', offset: 0 }, dims)
  return { done, steps }
}

/** Elements a step writes: its outer axes times its inner run. */
function written({ args }: Recorded): number {
  return ['d0', 'd1', 'd2', 'd3', 'd4', 'inner'].reduce((product, name) => product * (args[name] as number), 1)
}

describe('emitBinary', () => {
  it('merges axes that both operands step evenly across', () => {
    const { steps } = binary([2, 3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5])
    expect(steps).toHaveLength(1)
    expect(steps[0]).toMatchObject({ units: 1, args: { inner: 120, aInner: 1, bInner: 1 } })
  })

  it('walks a value per channel as one outer axis', () => {
    const { steps } = binary([1, 8, 5, 5], [8, 1, 1], [1, 8, 5, 5])
    expect(steps[0]).toMatchObject({ units: 8, args: { inner: 25, aInner: 1, bInner: 0, d4: 8, a4: 25, b4: 1 } })
  })

  it('cuts one long run into even pieces and a rest, which cover it without overlap', () => {
    const { steps } = binary([10000], [], [10000])
    expect(steps.map(written)).toEqual([8192, 1808])
    expect(steps[0].units).toBeGreaterThan(1)
    expect(steps[1].args.c).toEqual({ id: 'c', offset: 8192 * 4 })
    expect(steps[1].args.a).toEqual({ id: 'a', offset: 8192 * 4 })
    expect(steps[1].args.b).toEqual({ id: 'b', offset: 0 })
  })

  it('cuts long inner runs of few outer axes where they divide', () => {
    const { steps } = binary([2, 8192], [2, 1], [2, 8192])
    expect(steps).toHaveLength(1)
    expect(written(steps[0])).toBe(16384)
    expect(steps[0].units).toBe(4)
  })

  it('emits nothing for no elements and refuses more axes than the kernel has', () => {
    expect(binary([0, 3], [3], [0, 3])).toEqual({ done: true, steps: [] })
    const odd = [2, 1, 2, 1, 2, 1, 2]
    const even = [1, 2, 1, 2, 1, 2, 1]
    expect(binary(odd, even, [2, 2, 2, 2, 2, 2, 2])).toEqual({ done: false, steps: [] })
  })
})

it('emitUnary covers every element with its units', () => {
  const { lowering, steps } = recorder()
  emitUnary(lowering, 'unary_relu_f32', { id: 'x', offset: 0 }, { id: 'y', offset: 0 }, 9000)
  const [{ units, args }] = steps
  expect(units * (args.block as number)).toBeGreaterThanOrEqual(9000)
  expect((units - 1) * (args.block as number)).toBeLessThan(9000)
})

describe('copyElements', () => {
  const copy = (width: number, dims: number[], strides: number[], targetStrides = stridesOf(dims)): Recorded[] => {
    const { lowering, steps } = recorder()
    const [source, target] = [
      { id: 's', offset: 0 },
      { id: 't', offset: 0 },
    ]
    expect(copyElements(lowering, { width, dims, source, strides, target, targetStrides })).toBe(true)
    return steps
  }

  it('copies bytes where both sides are dense', () => {
    expect(copy(2, [2, 3, 4], [12, 4, 1])).toMatchObject([{ kernel: 'copy_bytes', args: { bytes: 48 } }])
  })

  it('takes the tiled transposition where two runs of axes change places', () => {
    expect(copy(4, [2, 5, 7, 3], [105, 1, 15, 5])).toMatchObject([
      { kernel: 'transpose_4', args: { batch: 2, rows: 21, cols: 5 } },
    ])
    expect(copy(8, [5, 7], [1, 5])[0].kernel).toBe('copy_8')
  })

  it('walks anything else axis by axis', () => {
    expect(copy(4, [2, 3], [8, -1])).toMatchObject([
      { kernel: 'copy_4', units: 2, args: { d5: 3, s5: -1, s4: 8, t4: 3 } },
    ])
  })
})
