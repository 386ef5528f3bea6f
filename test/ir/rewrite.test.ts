// SPDX-License-Identifier: Apache-2.0
/** The driver runs rules to a fixpoint, shows them types, and stops those that do not settle. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { type Firing, type Rule, rewriteGraph } from '../../src/ir/rewrite.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { printNode, printType } from '../../src/ir/text.ts'
import { tinyOps } from './tiny-ops.ts'

const graph = parseGraph(`graph g opset 13 {
  input x: float32[n, 2]
  a = Neg(x)
  b = Neg(a)
  c = Neg(b)
  d = Neg(c)
  e = Relu(d)
  output e: float32[n, 2]
}`)
const doubleNegation: Rule = {
  name: 'double-negation',
  ops: ['Neg'],
  match(node, view) {
    const inner = view.producer(node.inputs[0], 'Neg')
    return inner && view.canReplace(node.outputs[0], inner.inputs[0])
      ? { replace: { [node.outputs[0]]: inner.inputs[0] } }
      : undefined
  },
}
const run = (rules: Rule[], options = {}) => rewriteGraph(graph, rules, { opSet: tinyOps, ...options })

describe('rewriteGraph', () => {
  it('goes on until nothing matches, and tells what fired', () => {
    const fired: Firing[] = []
    const result = run([doubleNegation], { trace: (f: Firing) => fired.push(f), verify: true })
    expect(result.graph.nodes.map((n) => printNode(n))).toEqual(['e = Relu(x)'])
    expect(result.fired).toBe(2)
    expect(fired[0]).toEqual({ rule: 'double-negation', node: 'b' })
  })

  it('returns the same graph when nothing matched', () => {
    const never: Rule = { name: 'never', ops: '*', match: () => undefined }
    expect(run([never]).graph).toBe(graph)
  })

  it('stops rules that do not settle, naming rule and node', () => {
    const forever: Rule = { name: 'forever', ops: ['Relu'], match: (node) => ({ nodes: [node] }) }
    expect(() => run([forever], { maxSteps: 10 })).toThrow(
      'forever › Relu "e" › rewriting: expected to settle within 10 patches',
    )
  })

  it('fires a once-rule once for a node', () => {
    const once: Rule = { name: 'once', ops: ['Relu'], once: true, match: (node) => ({ nodes: [node] }) }
    expect(run([once]).fired).toBe(1)
  })

  it('shows types, those of new values too', () => {
    const seen: string[] = []
    const look: Rule = {
      name: 'look',
      ops: ['Relu', 'Random'],
      once: true,
      match(node, view) {
        seen.push(printType(view.info(node.inputs[0])!))
        if (node.op !== 'Relu') return undefined
        const name = view.fresh('t')
        return {
          nodes: [
            { ...node, name, op: 'Random', outputs: [name] },
            { ...node, op: 'Neg', inputs: [name] },
          ],
        }
      },
    }
    run([look])
    expect(seen).toEqual(['float32[n, 2]', 'float32[n, 2]'])
  })

  it('counts uses, graph outputs included', () => {
    const seen: unknown[] = []
    const rule: Rule = {
      name: 'r',
      ops: ['Relu'],
      match(node, view) {
        seen.push(
          view.soleUser('d')?.name,
          view.isPrivate('e'),
          view.isOutput('e'),
          view.fresh('a'),
          view.isImpure(node),
        )
        return undefined
      },
    }
    run([rule])
    expect(seen.slice(0, 5)).toEqual(['e', false, true, 'a~1', false])
  })

  it('rejects a patch that changes the type of a value', () => {
    const wrong: Rule = {
      name: 'wrong',
      ops: ['Relu'],
      once: true,
      match: (node) => ({ nodes: [{ ...node, op: 'Shape' }] }),
    }
    expect(() => run([wrong])).toThrow(GraphError)
    expect(() => run([wrong])).toThrow(`value 'e': expected float32, rank 2 as before, got int64, rank 1`)
  })
})
