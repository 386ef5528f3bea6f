// SPDX-License-Identifier: Apache-2.0
/** The builder infers as it goes and its graphs are sound. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { GraphBuilder } from '../../src/ir/builder.ts'
import { symbol } from '../../src/ir/dim.ts'
import { printGraph } from '../../src/ir/text.ts'
import { verifyOperators } from '../../src/ir/verify-operators.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { tinyOps } from './tiny-ops.ts'

describe('GraphBuilder', () => {
  it('builds what the text form says', () => {
    const b = new GraphBuilder(tinyOps, 'g', 13)
    const x = b.input('x', 'float32', [symbol('n'), 1])
    const w = b.constant(new Tensor('float32', [1, 2]), 'w')
    const y = b.node('Add', [x, w])
    const [z, u] = b.nodeOf('Split', [y], { outputs: ['z', 'u'], name: 'split', attributes: { axis: 1 } })
    b.output(z)
    b.output(u)
    const graph = b.build()
    verifyOperators(graph, tinyOps)
    expect(printGraph(graph)).toBe(`graph g opset 13 {
  input x: float32[n, 1]
  const w: float32[2] = 1 2
  Add.2 = Add(x, w)
  z, u = Split(Add.2) {axis: 1} @split
  output z: float32[n, 2]
  output u: float32[n, 2]
}`)
  })

  it('reports mistakes where they are made', () => {
    const b = new GraphBuilder(tinyOps)
    const x = b.input('x', 'float32', [2])
    expect(() => b.node('Add', [x, 'nope'])).toThrow(GraphError)
    expect(() => b.node('Add', [x, b.constant(new Tensor('float32', [1, 2, 3]))])).toThrow('broadcast')
    expect(() => b.input('x', 'float32', [2])).toThrow(`expected a new name, got 'x' again`)
    expect(() => b.output('nope')).toThrow(GraphError)
  })
})
