// SPDX-License-Identifier: Apache-2.0
/**
 * Computes equal things once: a node with the operator, attributes and inputs of an earlier one gives way to it, and
 * small constants with equal content become one. Operators that may give other results each time are left alone.
 */
import { type AttributeValue, type Graph, type Node, isGraph } from '../ir/graph.ts'
import { Draft } from '../ir/patch.ts'
import { bytesOf, Tensor } from '../tensor/tensor.ts'
import type { Pass } from './pass.ts'

/** Most items of a constant that is compared by content: shapes, axes, scalars and short vectors. */
const mostItems = 64

/** See the head of this file. `fired` counts nodes and constants that gave way. */
export const commonSubexpressions: Pass = {
  name: 'common-subexpressions',
  needs: [],
  writes: [],
  run(graph, context) {
    const draft = new Draft(graph)
    let fired = 0
    const merged = (rule: string, node: string): void => {
      fired++
      context.trace?.({ pass: 'common-subexpressions', rule, node })
    }
    for (const name of mergeConstants(graph, draft)) merged('equal-constant', name)
    const seen = new Map<string, Node>()
    for (const { name } of graph.nodes) {
      const node = draft.node(name)
      if (node === undefined || context.opSet.get(node.op)?.impure === true) continue
      const key = keyOf(node)
      const first = key === undefined ? undefined : seen.get(key)
      if (first === undefined) {
        if (key !== undefined) seen.set(key, node)
        continue
      }
      const twin = draft.node(first.name)!
      if (mergeNodes(draft, node, twin)) merged('equal-node', node.name)
      seen.set(key!, draft.node(first.name)!)
    }
    return fired === 0 ? { graph, fired } : { graph: draft.build(), fired }
  },
}

function mergeNodes(draft: Draft, node: Node, twin: Node): boolean {
  const pairs = node.outputs.map((output, i) => [output, twin.outputs[i]] as const).filter(([output]) => output !== '')
  if (!pairs.every(([from, to]) => to !== '' && draft.canReplace(from, to))) return false
  for (const [from, to] of pairs) draft.apply({ replace: { [from]: to } })
  return true
}

/** @returns the names of those that gave way */
function mergeConstants(graph: Graph, draft: Draft): string[] {
  const seen = new Map<string, string>()
  const merged: string[] = []
  for (const [name, { tensor }] of graph.constants) {
    const key = tensor === undefined || draft.isOutput(name) ? undefined : keyOfTensor(tensor)
    if (key === undefined) continue
    const twin = seen.get(key)
    if (twin === undefined) seen.set(key, name)
    else if (draft.users(name).length > 0) {
      draft.apply({ replace: { [name]: twin } })
      merged.push(name)
    }
  }
  return merged
}

/** What nodes with equal results share; undefined where that cannot be told cheaply. */
function keyOf({ op, inputs, outputs, attributes }: Node): string | undefined {
  const parts: string[] = []
  for (const name of Object.keys(attributes).sort()) {
    const key = keyOfAttribute(attributes[name])
    if (key === undefined) return undefined
    parts.push(name, key)
  }
  return JSON.stringify([op, inputs, outputs.map((output) => output !== ''), parts])
}

function keyOfAttribute(value: AttributeValue): string | undefined {
  if (value instanceof Tensor) return keyOfTensor(value)
  if (isGraph(value) || (Array.isArray(value) && value.some((item) => typeof item === 'object'))) return undefined
  return JSON.stringify(value)
}

function keyOfTensor(tensor: Tensor): string | undefined {
  if (tensor.type === 'string' || tensor.data.length > mostItems) return undefined
  return JSON.stringify([tensor.type, tensor.dims, Array.from(bytesOf(tensor))])
}
