// SPDX-License-Identifier: Apache-2.0
/**
 * Inference: from the types of a graph's inputs to what is known of every value in it. Nodes are walked in order; each
 * operator's definition says what its outputs are. Small integer tensors carry their content along, symbolic where it
 * depends on shapes, so that a chain of Shape, Slice, Concat, Reshape resolves. The result holds every name of the
 * graph itself; the names inside subgraphs are looked at only to learn the outputs.
 */
import { GraphError, UnsupportedError, WhittleError, asNamed, inContext, withContext } from '../base/errors.ts'
import { dtypes } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { describeNode, resolveAttributes } from './attributes.ts'
import { type Dim, print } from './dim.ts'
import type { Constant, Graph, Node, ValueInfo } from './graph.ts'
import { nearestOperator } from './nearest.ts'
import type { OpDef, OpSet } from './op-set.ts'

/** Most elements of an integer tensor whose content is followed (ValueInfo.content). */
export const maxContent = 1024

/** Longest shape: above what any operator of ONNX makes. */
const maxRank = 64

/** Most bytes (text: elements) of one value: what a 32-bit Wasm memory can address. */
const maxBytes = 2 ** 32

/** Looks a value up by name. */
export type InfoLookup = (name: string) => ValueInfo | undefined

export interface InferOptions {
  /** What the graph's inputs really are (numbers for dims, contents); those left out are as the graph declares them. */
  readonly inputs?: ReadonlyMap<string, ValueInfo>
  /** Values of the graphs around this one. */
  readonly scope?: InfoLookup
}

/**
 * What is known of each value of the graph.
 * @throws UnsupportedError for an operator the OpSet does not have; GraphError for what contradicts itself
 */
export function inferGraph(graph: Graph, opSet: OpSet, options: InferOptions = {}): Map<string, ValueInfo> {
  const infos = new Map<string, ValueInfo>()
  const lookup: InfoLookup = (name) => infos.get(name) ?? options.scope?.(name)
  for (const { name, dtype, dims } of graph.inputs) infos.set(name, options.inputs?.get(name) ?? { dtype, dims })
  for (const [name, constant] of graph.constants) infos.set(name, infoOfConstant(constant))
  for (const node of graph.nodes) {
    const outputs = inferNode(node, graph.opset, opSet, lookup)
    node.outputs.forEach((name, i) => name !== '' && infos.set(name, outputs[i]))
  }
  return infos
}

/**
 * What is known of a node's outputs, one for each name in `node.outputs`.
 * @throws UnsupportedError, GraphError
 */
export function inferNode(node: Node, opset: number, opSet: OpSet, lookup: InfoLookup): ValueInfo[] {
  const def = definitionOf(node, opSet)
  return inNode(node, () => {
    checkCount(node, def)
    const inputs = node.inputs.map((name) => (name === '' ? null : defined(name, lookup)))
    const outputs = def.infer(inputs, {
      node,
      opset,
      attributes: resolveAttributes(node, def),
      inferGraph: (graph, infos) => inferSubgraph(graph, opSet, infos, lookup),
    })
    if (outputs.length < node.outputs.length) {
      throw new GraphError({
        where: 'outputs',
        expected: `at most ${outputs.length}`,
        got: String(node.outputs.length),
      })
    }
    return node.outputs.map((name, i) => (name === '' ? outputs[i] : checked(name, outputs[i])))
  })
}

/** @throws GraphError when the node has fewer or more inputs than its operator takes */
function checkCount(node: Node, { inputs: [least, most] }: OpDef): void {
  let count = node.inputs.length
  while (count > 0 && node.inputs[count - 1] === '') count--
  if (count >= least && count <= most) return
  const expected = least === most ? String(least) : `${least} to ${most}`
  throw new GraphError({ where: 'inputs', expected, got: String(count) })
}

/** Puts the node into the context of errors that do not name it themselves; all that comes out is a named error. */
function inNode<T>(node: Node, body: () => T): T {
  try {
    return body()
  } catch (error) {
    const place = describeNode(node)
    if (!(error instanceof WhittleError)) throw asNamed(place, error)
    throw error.complaint.where.startsWith(place) ? error : inContext(place, error)
  }
}

/** The definition of the node's operator. @throws UnsupportedError naming operator, domain, node and the nearest known name */
export function definitionOf(node: Node, opSet: OpSet): OpDef {
  const def = opSet.get(node.op)
  if (def !== undefined) return def
  const dot = node.op.lastIndexOf('.')
  const near = nearestOperator(node.op, opSet.keys?.() ?? [])
  throw new UnsupportedError({
    where: describeNode(node),
    expected: 'an operator whittle knows',
    got: `${node.op.slice(dot + 1)} of domain ${dot < 0 ? 'ai.onnx' : node.op.slice(0, dot)}`,
    todo: near === undefined ? 'export the model without it' : `the nearest known operator is ${near}`,
  })
}

/** What is known of a constant; its content when it is a small integer or bool tensor whose bytes are at hand. */
export function infoOfConstant({ dtype, dims, tensor }: Constant): ValueInfo {
  if (tensor === undefined) return { dtype, dims }
  const content = contentOf(tensor)
  return content === undefined ? { dtype, dims, tensor } : { dtype, dims, tensor, content }
}

/** Elements of a small integer or bool tensor as dims, else undefined. */
export function contentOf(tensor: Tensor): Dim[] | undefined {
  const { kind, bits } = dtypes[tensor.type]
  if ((kind !== 'int' && kind !== 'uint' && kind !== 'bool') || bits < 8) return undefined
  return sizeOf(tensor.dims) > maxContent ? undefined : Array.from(tensor.data as ArrayLike<number | bigint>, Number)
}

function defined(name: string, lookup: InfoLookup): ValueInfo {
  const info = lookup(name)
  if (info === undefined)
    throw new GraphError({ where: `input '${name}'`, expected: 'a value made by an earlier node', got: 'none' })
  return info
}

function checked(name: string, info: ValueInfo): ValueInfo {
  const { dtype, dims } = info
  const where = `output '${name}'`
  if (dims === null) return info
  if (dims.length > maxRank)
    throw new GraphError({ where, expected: `a rank of at most ${maxRank}`, got: String(dims.length) })
  // a dim of 0 leaves nothing of the others, which are held to the limit all the same: strides are made of them
  let elements = 1
  for (const dim of dims) {
    if (typeof dim !== 'number') continue
    if (!Number.isSafeInteger(dim) || dim < 0)
      throw new GraphError({ where, expected: 'dims that are integers >= 0', got: String(dim) })
    elements *= Math.max(1, dim)
  }
  if ((elements * (dtypes[dtype].bits || 8)) / 8 <= maxBytes) return info
  throw new UnsupportedError({
    where,
    expected: `a value of at most ${maxBytes} bytes`,
    got: `${dtype} of [${dims.map(print).join(', ')}]`,
    todo: 'use smaller inputs',
  })
}

function inferSubgraph(graph: Graph, opSet: OpSet, inputs: readonly ValueInfo[], scope: InfoLookup): ValueInfo[] {
  return withContext(`graph "${graph.name}"`, () => {
    const given = new Map(
      graph.inputs.map((input, i) => [input.name, inputs[i] ?? { dtype: input.dtype, dims: input.dims }]),
    )
    const infos = inferGraph(graph, opSet, { inputs: given, scope })
    return graph.outputs.map(({ name }) => defined(name, (key) => infos.get(key) ?? scope(key)))
  })
}
