// SPDX-License-Identifier: Apache-2.0
/** Patches give new graphs: what they take over and what nothing reads goes, the rest stays, outputs keep their names. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import type { Graph, Node } from '../../src/ir/graph.ts'
import { Draft, type Patch, applyPatch } from '../../src/ir/patch.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { printGraph, printNode } from '../../src/ir/text.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const text = `graph g opset 1 {
  input x: float32[2]
  const c: float32[1] = 3
  a = Relu(x)
  b = Add(a, c)
  d = Neg(b)
  output d: float32[2]
}`
const node = (line: string): Node => parseGraph(`graph p opset 1 { ${line} }`).nodes[0]
const lines = (graph: Graph): string[] => graph.nodes.map((n) => printNode(n))
const patched = (patch: Patch, from = text): string[] => lines(applyPatch(parseGraph(from), patch))

describe('patch', () => {
  it('takes a value over, and drops what nothing reads any more', () => {
    const graph = applyPatch(parseGraph(text), { nodes: [node('b = Neg(x)')] })
    expect(lines(graph)).toEqual(['b = Neg(x)', 'd = Neg(b)'])
    expect([...graph.constants.keys()]).toEqual([])
  })

  it('leaves the graph it is applied to alone', () => {
    const graph = parseGraph(text)
    applyPatch(graph, { nodes: [node('b = Neg(x)')], replace: { d: 'b' } })
    expect(printGraph(graph)).toBe(text)
  })

  it('keeps what someone else reads', () => {
    const shared = text.replace('output', 'e = Neg(a)\n output e: float32[2]\n output')
    expect(patched({ nodes: [node('b = Neg(x)')] }, shared)).toContain('a = Relu(x)')
  })

  it('adds constants and several nodes, in order', () => {
    const nodes = [node('b = Mul(t, k)'), node('t = Neg(x)')]
    const graph = applyPatch(parseGraph(text), { nodes, constants: { k: new Tensor('float32', [2]) } })
    expect(lines(graph)).toEqual(['t = Neg(x)', 'b = Mul(t, k)', 'd = Neg(b)'])
    expect(graph.constants.has('k')).toBe(true)
  })

  it('replaces a value for all readers, those in subgraphs too', () => {
    const outer = `graph g opset 1 { input x: float32[2] input p: bool[] a = Identity(x) y = If(p) {
      then_branch: graph t opset 1 { t1 = Neg(a) output t1: float32[2] }, else_branch: graph e opset 1 { output a: float32[2] } }
      output y: float32[2] }`
    const graph = applyPatch(parseGraph(outer), { replace: { a: 'x' } })
    expect(printGraph(graph)).toContain('t1 = Neg(x)')
    expect(printGraph(graph)).toContain('output x: float32[2]')
    expect(graph.nodes).toHaveLength(1)
  })

  it('lets the replacement of an output take its name', () => {
    expect(patched({ replace: { d: 'b' } })).toEqual(['a = Relu(x)', 'd = Add(a, c) @b'])
    const fan = text.replace('output', 'e = Relu(b)\n output e: float32[2]\n output')
    expect(patched({ replace: { d: 'b' } }, fan)).toEqual(['a = Relu(x)', 'd = Add(a, c) @b', 'e = Relu(d)'])
  })

  it('refuses a replacement that would need a copy', () => {
    expect(new Draft(parseGraph(text)).canReplace('d', 'x')).toBe(false)
    expect(new Draft(parseGraph(text)).canReplace('b', 'x')).toBe(true)
    expect(() => patched({ replace: { d: 'x' } })).toThrow(GraphError)
  })

  it('refuses names that are taken, and half of a node whose other half is read', () => {
    expect(() => patched({ nodes: [node('x = Zeros()')] })).toThrow(GraphError)
    expect(() => patched({ nodes: [node('q = Zeros() @a')] })).toThrow(GraphError)
    expect(() => patched({ constants: { c: new Tensor('float32', [2]) } })).toThrow(GraphError)
    const two = 'graph g opset 1 { input x: float32[2] a, b = Split(x) c = Add(a, b) output c: float32[2] }'
    expect(() => patched({ nodes: [node('a = Neg(x)')] }, two)).toThrow(`a patch that makes 'b' too`)
    expect(patched({ nodes: [node('a = Neg(x)'), node('b = Relu(x)')] }, two)).toHaveLength(3)
  })

  it('removes dead nodes on request', () => {
    const draft = new Draft(parseGraph(text.replace('d = Neg(b)', 'd = Neg(b) u = Neg(b) v = Neg(u)')))
    expect(draft.removeDead()).toBe(2)
    expect(lines(draft.build())).toHaveLength(3)
  })
})
