// SPDX-License-Identifier: Apache-2.0
/** Orders and uses count what subgraphs read. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { capturedNames, indexGraph, reachableNodes, readNames, sortNodes } from '../../src/ir/topo.ts'

const graph = parseGraph(`graph g opset 1 {
  input x: float32[2]
  input c: bool[]
  a = Relu(x)
  b = Neg(x)
  dead = Relu(b)
  y = If(c) {
    then_branch: graph t opset 1 { t1 = Add(a, a) output t1: float32[2] },
    else_branch: graph e opset 1 { output x: float32[2] }
  }
  z = Add(y, y)
  output z: float32[2]
}`)
const names = (nodes: readonly { name: string }[]): string[] => nodes.map((node) => node.name)

describe('topo', () => {
  it('knows what a node reads, captures included, each once', () => {
    expect(readNames(graph.nodes[3]).sort()).toEqual(['a', 'c', 'x'])
    expect(readNames(graph.nodes[4])).toEqual(['y'])
    expect([...capturedNames(graph)]).toEqual([])
  })

  it('indexes producers and users', () => {
    const index = indexGraph(graph)
    expect(names(index.users.get('a')!)).toEqual(['y'])
    expect(names(index.users.get('x')!)).toEqual(['a', 'b', 'y'])
    expect(index.producers.get('z')?.name).toBe('z')
    expect(index.outputs.has('z')).toBe(true)
  })

  it('rejects a value with two producers', () => {
    expect(() => indexGraph({ ...graph, nodes: [graph.nodes[0], { ...graph.nodes[0], name: 'again' }] })).toThrow(
      GraphError,
    )
  })

  it('sorts, keeping the order where it can', () => {
    expect(names(sortNodes(graph.nodes))).toEqual(['a', 'b', 'dead', 'y', 'z'])
    expect(names(sortNodes([...graph.nodes].reverse()))).toEqual(['a', 'y', 'z', 'b', 'dead'])
  })

  it('names a cycle', () => {
    const [a, b] = graph.nodes
    const cycle = [
      { ...a, inputs: ['b'] },
      { ...b, inputs: ['a'] },
    ]
    expect(() => sortNodes(cycle)).toThrow('a cycle through')
    expect(() => sortNodes([{ ...a, inputs: ['a'] }])).toThrow('a cycle through')
  })

  it('finds the nodes outputs depend on', () => {
    expect(names(reachableNodes(graph))).toEqual(['a', 'y', 'z'])
  })

  it('sorts long chains without recursion', () => {
    const chain = Array.from({ length: 20000 }, (_, i) => ({
      ...graph.nodes[0],
      name: `n${i}`,
      inputs: [`v${i + 1}`],
      outputs: [`v${i}`],
    }))
    expect(sortNodes(chain)[0].name).toBe('n19999')
  })
})
