// SPDX-License-Identifier: Apache-2.0
/** Attributes get their defaults, and are what the operator's definition says or an error. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { resolveAttributes, unknownAttributes } from '../../src/ir/attributes.ts'
import type { Attributes, Node } from '../../src/ir/graph.ts'
import type { OpDef } from '../../src/ir/op-set.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const def: OpDef = {
  inputs: [1, 1],
  attributes: {
    axis: { kind: 'int', default: -1 },
    alpha: { kind: 'float' },
    pads: { kind: 'ints' },
    mode: { kind: 'string', required: true },
    value: { kind: 'tensor' },
  },
  infer: () => [],
}
const node = (attributes: Attributes): Node => ({ name: 'n', op: 'Op', inputs: ['x'], outputs: ['y'], attributes })

describe('attributes', () => {
  it('fills in defaults and leaves the rest as given', () => {
    expect(resolveAttributes(node({ mode: 'a', other: 1 }), def)).toEqual({ mode: 'a', other: 1, axis: -1 })
    expect(resolveAttributes(node({ mode: 'a', axis: 2, pads: [] }), def)).toEqual({ mode: 'a', axis: 2, pads: [] })
  })

  it('rejects wrong kinds and missing required ones', () => {
    const wrong: Attributes[] = [
      {},
      { mode: 1 },
      { mode: 'a', axis: 0.5 },
      { mode: 'a', alpha: 'x' },
      { mode: 'a', pads: [0.5] },
      { mode: 'a', value: 3 },
    ]
    for (const attributes of wrong) expect(() => resolveAttributes(node(attributes), def)).toThrow(GraphError)
    expect(() => resolveAttributes(node({ mode: new Tensor('float32', [1]) }), def)).toThrow(
      'Op "n".mode: expected a text, got a float32 tensor',
    )
  })

  it('is not fooled by names every object has', () => {
    expect(unknownAttributes(node(JSON.parse('{"constructor": 1, "axes": 1}') as Attributes), def)).toEqual([
      'Op "n".constructor is no attribute of Op',
      'Op "n".axes is no attribute of Op (the nearest is axis)',
    ])
  })
})
