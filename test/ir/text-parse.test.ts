// SPDX-License-Identifier: Apache-2.0
/** Parsing beyond what printing gives: free layout. (The round trip is in text.test.ts.) */
import { describe, expect, it } from 'vitest'
import { parseGraph } from '../../src/ir/text-parse.ts'

describe('parseGraph', () => {
  it('does not care for line breaks and spaces', () => {
    const graph = parseGraph('graph g opset 9{input x:float32[2] y=Relu(x)output y:float32[2]}')
    expect(graph.nodes).toEqual([{ name: 'y', op: 'Relu', inputs: ['x'], outputs: ['y'], attributes: {} }])
  })

  it('reads nodes without inputs and dims that are expressions', () => {
    const graph = parseGraph('graph g opset 9 { input x: float32[(a + 1)*2, max(a, 3)] y = Zeros() }')
    expect(graph.nodes[0].inputs).toEqual([])
    expect(graph.inputs[0].dims).toMatchObject([{ key: '2*a + 2' }, { key: 'max(3, a)' }])
  })
})
