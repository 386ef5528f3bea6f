// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Ref, StepSpec } from '../../src/ir/lowering.ts'
import { kernelNames, kernelTable } from '../../src/kernels/table.ts'
import { planArena, rootOf } from '../../src/runtime/arena.ts'

const ref = (id: string, offset = 0): Ref => ({ id, offset })

function relu(x: Ref, y: Ref): StepSpec {
  return { kernel: 'unary_relu_f32', args: { x, y, size: 64, block: 64, p0: 0, p1: 0 }, units: 1 }
}

function add(a: Ref, b: Ref, c: Ref, changes: Record<string, number> = {}): StepSpec {
  const ones = { d0: 1, d1: 1, d2: 1, d3: 1, d4: 1 }
  const zeros = { a0: 0, a1: 0, a2: 0, a3: 0, a4: 0, b0: 0, b1: 0, b2: 0, b3: 0, b4: 0 }
  return {
    kernel: 'binary_add_f32',
    args: { a, b, c, inner: 64, aInner: 1, bInner: 1, ...ones, ...zeros, ...changes },
    units: 1,
  }
}

function plan(steps: StepSpec[], outputs: string[], aliases = new Map<string, Ref>(), inputs = ['x']) {
  return planArena({
    ticks: steps.map((step) => ({ step })),
    inputs,
    outputs,
    aliases,
    bytesOf: (id) => (id.startsWith('w') ? undefined : 256),
  })
}

describe('planArena', () => {
  it('lets a chain of element-wise steps work in one place', () => {
    const { bytes, offsets } = plan(
      [relu(ref('x'), ref('a')), relu(ref('a'), ref('b')), relu(ref('b'), ref('y'))],
      ['y'],
    )
    expect(bytes).toBe(256)
    expect(offsets.get('x')).toBe(offsets.get('y'))
  })

  it('gives results places of their own', () => {
    const { offsets } = plan([relu(ref('x'), ref('a')), relu(ref('a'), ref('y'))], ['a', 'y'])
    expect(offsets.get('a')).not.toBe(offsets.get('y'))
  })

  it('keeps a buffer alive as long as a view on it', () => {
    const aliases = new Map([['v', ref('a', 64)]])
    const steps = [
      relu(ref('x'), ref('a')),
      relu(ref('x'), ref('b')),
      relu(ref('v'), ref('c')),
      add(ref('b'), ref('c'), ref('y')),
    ]
    const { offsets } = plan(steps, ['y'], aliases)
    expect(offsets.get('a')).not.toBe(offsets.get('b'))
    expect(offsets.has('v')).toBe(false)
    expect(rootOf(ref('v', 8), aliases)).toEqual(ref('a', 72))
  })

  it('does not work in place through a view, where an operand is broadcast, or where it is read twice', () => {
    const view = plan([relu(ref('v'), ref('y'))], ['y'], new Map([['v', ref('x', 64)]]))
    expect(view.offsets.get('x')).not.toBe(view.offsets.get('y'))
    const stretched = plan([add(ref('x'), ref('w'), ref('y'), { d4: 4, b4: 64, a4: 0 })], ['y'])
    expect(stretched.offsets.get('x')).not.toBe(stretched.offsets.get('y'))
    const twice = plan([add(ref('x'), ref('x'), ref('y'))], ['y'])
    expect(twice.offsets.get('x')).not.toBe(twice.offsets.get('y'))
    const dense = plan([add(ref('x'), ref('w'), ref('y'), { d4: 4, a4: 64 })], ['y'])
    expect(dense.offsets.get('x')).toBe(dense.offsets.get('y'))
  })

  it.each(kernelNames.filter((kernel) => 'residual' in kernelTable[kernel].args))(
    'never puts the residual of %s, or another operand, where the result is',
    (kernel) => {
      const kinds = Object.entries(kernelTable[kernel].args)
      const pointers = kinds.filter(([, kind]) => kind === 'ptr').map(([name]) => name)
      const args = Object.fromEntries(kinds.map(([name, kind]) => [name, kind === 'ptr' ? ref(`the ${name}`) : 1]))
      const output = pointers.includes('c') ? 'c' : 'y'
      const ids = pointers.map((name) => `the ${name}`)
      const inputs = ids.filter((id) => id !== `the ${output}`)
      const { offsets } = plan([{ kernel, args, units: 1 } as StepSpec], [`the ${output}`], new Map(), inputs)
      expect(new Set(ids.map((id) => offsets.get(id))).size).toBe(pointers.length)
    },
  )

  it('leaves weights out of the arena', () => {
    expect(plan([add(ref('x'), ref('w'), ref('y'))], ['y']).offsets.has('w')).toBe(false)
  })
})
