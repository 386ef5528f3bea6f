// SPDX-License-Identifier: Apache-2.0
/**
 * Model-local functions, written out where they are called. A call's inputs and outputs take the place of the
 * function's; every other name inside gets the call's name in front, in subgraphs too. Nodes from a function remember
 * its opset. Recursion and explosive growth are refused.
 */
import { FormatError } from '../base/errors.ts'
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxOpset } from '../format/onnx-records.ts'

/** A node, and the opset of ONNX's own domain it was written for where that is not its model's. */
export interface ScopedNode extends OnnxNode {
  readonly opset?: number
}

/** Most nodes that inlining may make: far above real models. */
const maxNodes = 2 ** 18
const maxDepth = 64

interface Inlining {
  readonly functions: ReadonlyMap<string, OnnxFunction>
  made: number
}

/** The model without functions. @throws FormatError when functions call themselves or grow without measure */
export function inlineFunctions(model: OnnxModel): OnnxModel {
  if (model.functions.length === 0) return model
  const functions = new Map(model.functions.map((f) => [keyOf(f.domain, f.name, f.overload), f]))
  return { ...model, functions: [], graph: inlineGraph(model.graph, { functions, made: 0 }, []) }
}

/** The version of ONNX's own domain among opset imports, or undefined. */
export function ownOpset(opsets: readonly OnnxOpset[]): number | undefined {
  return opsets.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === 'ai.onnx' ? '' : domain, name, overload])
}

function inlineGraph(graph: OnnxGraph, state: Inlining, stack: readonly OnnxFunction[]): OnnxGraph {
  return { ...graph, nodes: inlineNodes(graph.nodes, state, stack) }
}

function inlineNodes(nodes: readonly ScopedNode[], state: Inlining, stack: readonly OnnxFunction[]): ScopedNode[] {
  return nodes.flatMap((node, index): ScopedNode[] => {
    if (++state.made > maxNodes) {
      throw new FormatError({ where: 'functions', expected: `at most ${maxNodes} nodes when written out`, got: 'more' })
    }
    const called = state.functions.get(keyOf(node.domain, node.opType, node.overload))
    if (called === undefined)
      return [{ ...node, attributes: node.attributes.map((a) => inlineAttribute(a, state, stack)) }]
    if (stack.includes(called) || stack.length >= maxDepth) {
      throw new FormatError({ where: `function '${called.name}'`, expected: 'no recursion', got: 'a call of itself' })
    }
    return inlineNodes(bodyOf(called, node, index), state, [...stack, called])
  })
}

function inlineAttribute(attribute: OnnxAttribute, state: Inlining, stack: readonly OnnxFunction[]): OnnxAttribute {
  if (attribute.kind === 'graph') return { ...attribute, value: inlineGraph(attribute.value, state, stack) }
  if (attribute.kind !== 'graphs') return attribute
  return { ...attribute, value: attribute.value.map((graph) => inlineGraph(graph, state, stack)) }
}

/** The function's nodes with the call's names and attributes put in. */
function bodyOf(called: OnnxFunction, call: ScopedNode, index: number): ScopedNode[] {
  const names = new Map<string, string>([['', '']])
  for (const [i, name] of called.inputs.entries()) names.set(name, call.inputs[i] ?? '')
  for (const [i, name] of called.outputs.entries()) {
    // an output that is an input too needs a node to pass it on: ONNX's checker refuses such functions
    if (call.outputs[i]) names.set(name, call.outputs[i])
  }
  const prefix = call.name === '' ? `${called.name}_${index}_${call.outputs[0] ?? ''}` : call.name
  const rename = (name: string): string => {
    const known = names.get(name)
    if (known !== undefined) return known
    const fresh = `${prefix}/${name}`
    names.set(name, fresh)
    return fresh
  }
  const given = new Map([...called.defaults, ...call.attributes].map((a) => [a.name, a]))
  const opset = ownOpset(called.opsets)
  return called.nodes.map((node) => {
    const copy = copyNode(node, rename, given)
    return { ...copy, name: `${prefix}/${node.name}`, ...(opset === undefined ? {} : { opset }) }
  })
}

type Given = ReadonlyMap<string, OnnxAttribute>

function copyNode(node: OnnxNode, rename: (name: string) => string, given: Given): OnnxNode {
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: node.attributes.flatMap((a) => copyAttribute(a, rename, given)),
  }
}

function copyAttribute(attribute: OnnxAttribute, rename: (name: string) => string, given: Given): OnnxAttribute[] {
  if (attribute.kind === 'reference') {
    const value = given.get(attribute.value)
    return value === undefined ? [] : [{ ...value, name: attribute.name }]
  }
  const copy = (graph: OnnxGraph): OnnxGraph => ({
    ...graph,
    nodes: graph.nodes.map((node) => copyNode(node, rename, given)),
    inputs: graph.inputs.map((value) => ({ ...value, name: rename(value.name) })),
    outputs: graph.outputs.map((value) => ({ ...value, name: rename(value.name) })),
    valueInfos: graph.valueInfos.map((value) => ({ ...value, name: rename(value.name) })),
    initializers: graph.initializers.map((tensor) => ({ ...tensor, name: rename(tensor.name) })),
    sparseInitializers: graph.sparseInitializers.map((sparse) => ({
      ...sparse,
      values: { ...sparse.values, name: rename(sparse.values.name) },
    })),
  })
  if (attribute.kind === 'graph') return [{ ...attribute, value: copy(attribute.value) }]
  if (attribute.kind === 'graphs') return [{ ...attribute, value: attribute.value.map(copy) }]
  return [attribute]
}
