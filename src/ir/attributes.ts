// SPDX-License-Identifier: Apache-2.0
/**
 * Attributes as an operator's definition wants them: kinds checked, defaults filled in, required ones there. Whoever
 * calls a definition (inference, lowering, references) passes attributes that went through `resolveAttributes`.
 */
import { GraphError } from '../base/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type AttributeValue, type Attributes, type Node, isGraph } from './graph.ts'
import { nearestName } from './nearest.ts'
import type { AttributeSpec, OpDef } from './op-set.ts'

type Kind = AttributeSpec['kind']

const isNumber = (value: unknown): boolean => typeof value === 'number'
const isText = (value: unknown): boolean => typeof value === 'string'
const listOf = (item: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(item)

const kinds: Readonly<Record<Kind, { readonly is: (value: unknown) => boolean; readonly called: string }>> = {
  int: { is: Number.isInteger, called: 'an integer' },
  float: { is: isNumber, called: 'a number' },
  string: { is: isText, called: 'a text' },
  ints: { is: listOf(Number.isInteger), called: 'a list of integers' },
  floats: { is: listOf(isNumber), called: 'a list of numbers' },
  strings: { is: listOf(isText), called: 'a list of texts' },
  tensor: { is: (value) => value instanceof Tensor, called: 'a tensor' },
  graph: { is: isGraph, called: 'a graph' },
}

/** 'Conv "conv1"': how messages call a node. */
export function describeNode(node: Pick<Node, 'op' | 'name'>): string {
  return `${node.op} "${node.name}"`
}

/** @param at how messages call the attribute. @throws GraphError where the value is of another kind, or left out */
export function checkKind(at: string, kind: Kind, value: AttributeValue | undefined): void {
  const { is, called } = kinds[kind]
  if (value !== undefined && is(value)) return
  throw new GraphError({ where: at, expected: called, got: value === undefined ? 'nothing' : describeValue(value) })
}

/**
 * The node's attributes with the definition's defaults. Attributes the definition does not name pass unchanged.
 * @throws GraphError for a wrong kind or a missing required attribute
 */
export function resolveAttributes(node: Node, def: OpDef): Attributes {
  const specs = Object.entries(def.attributes ?? {})
  if (specs.length === 0) return node.attributes
  const resolved: Record<string, AttributeValue> = { ...node.attributes }
  for (const [name, { kind, required, default: fallback }] of specs) {
    const value = Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined
    if (value !== undefined || required === true) checkKind(where(node, name), kind, value)
    else if (fallback !== undefined) resolved[name] = fallback
  }
  return resolved
}

/** What is wrong with the names of the node's attributes: those the definition does not have. */
export function unknownAttributes(node: Node, def: OpDef): string[] {
  const known = Object.keys(def.attributes ?? {})
  return Object.keys(node.attributes)
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearestName(name, known)
      return `${where(node, name)} is no attribute of ${node.op}${near === undefined ? '' : ` (the nearest is ${near})`}`
    })
}

function where(node: Node, attribute: string): string {
  return `${describeNode(node)}.${attribute}`
}

function describeValue(value: AttributeValue): string {
  if (value instanceof Tensor) return `a ${value.type} tensor`
  return isGraph(value) ? 'a graph' : JSON.stringify(value)
}
