// SPDX-License-Identifier: Apache-2.0
/**
 * Computes in float32 what a model has in float16 or bfloat16, which no Wasm engine multiplies: constants are widened,
 * types in attributes changed, and casts put behind the graph's inputs of such types and before its outputs, which stay
 * what they are. Values in between are not rounded to 16 bits any more, so results come closer to those of real numbers.
 */
import { fromBfloat16, fromFloat16 } from '../base/half.ts'
import type { AttributeValue, Constant, Graph, GraphValue, Node } from '../ir/graph.ts'
import { isGraph, subgraphsOf } from '../ir/graph.ts'
import { inferGraph } from '../ir/infer.ts'
import { renameReads } from '../ir/patch.ts'
import { type Dtype, dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Pass } from './pass.ts'

const isHalf = (dtype: Dtype): boolean => dtype === 'float16' || dtype === 'bfloat16'
const float32 = dtypes.float32.onnx
const halves: readonly number[] = [dtypes.float16.onnx, dtypes.bfloat16.onnx]

/** Attributes that name the type of a node's output. */
const typeAttributes = ['to', 'dtype', 'output_dtype']

/** Operators to which the bits of their input mean something. */
const bitwise = ['BitCast']

/** See the head of this file. `fired` counts nodes that read or made such values. */
export const widenHalf: Pass = {
  name: 'widen-half',
  needs: [],
  writes: ['Cast'],
  run(graph, { opSet, trace }) {
    const unchanged = { graph, fired: 0 }
    if (!mentionsHalf(graph) || !canWiden(graph)) return unchanged
    const infos = inferGraph(graph, opSet)
    const touches = (name: string): boolean => isHalf(infos.get(name)?.dtype ?? 'bool')
    const concerned = graph.nodes.filter(
      ({ op, inputs, outputs }) => op !== 'Cast' && [...inputs, ...outputs].some(touches),
    )
    if (concerned.length === 0) return unchanged
    for (const { name } of concerned) trace?.({ pass: 'widen-half', rule: 'widen', node: name })
    return { graph: bordered(widen(graph), graph), fired: concerned.length }
  },
}

function mentionsHalf({ inputs, constants, nodes }: Graph): boolean {
  return (
    inputs.some(({ dtype }) => isHalf(dtype)) ||
    [...constants.values()].some(({ dtype }) => isHalf(dtype)) ||
    nodes.some((node) => namesHalf(node) || subgraphsOf(node).some(mentionsHalf))
  )
}

function namesHalf({ attributes }: Node): boolean {
  return typeAttributes.some((key) => halves.includes(attributes[key] as number))
}

function canWiden({ constants, nodes }: Graph): boolean {
  return (
    [...constants.values()].every(({ dtype, tensor }) => !isHalf(dtype) || tensor !== undefined) &&
    nodes.every((node) => !bitwise.includes(node.op) && subgraphsOf(node).every(canWiden))
  )
}

/** Every pattern's value, made when the first tensor wants it. */
function decoder(decode: (pattern: number) => number): (tensor: Tensor) => Tensor {
  let values: Float32Array | undefined
  return ({ data, dims }) => {
    const table = (values ??= Float32Array.from({ length: 65536 }, (_, pattern) => decode(pattern)))
    const patterns = data as Uint16Array
    return new Tensor(
      'float32',
      Float32Array.from(patterns, (pattern) => table[pattern]),
      dims,
    )
  }
}

/** The graph with float32 in the place of all 16-bit floats, inputs and outputs too. */
function widen(graph: Graph, decoders = { float16: decoder(fromFloat16), bfloat16: decoder(fromBfloat16) }): Graph {
  const wideTensor = (tensor: Tensor): Tensor =>
    isHalf(tensor.type) ? decoders[tensor.type as keyof typeof decoders](tensor) : tensor
  const wideConstant = ([name, constant]: [string, Constant]): [string, Constant] => [
    name,
    isHalf(constant.dtype) ? { ...constant, dtype: 'float32', tensor: wideTensor(constant.tensor!) } : constant,
  ]
  const wideAttribute = (key: string, value: AttributeValue): AttributeValue => {
    if (typeAttributes.includes(key) && halves.includes(value as number)) return float32
    if (typeof value !== 'object') return value
    if (Array.isArray(value))
      return (value as readonly AttributeValue[]).map((item) => wideAttribute('', item)) as AttributeValue
    return isGraph(value) ? widen(value, decoders) : wideTensor(value as Tensor)
  }
  const wideNode = (node: Node): Node => ({
    ...node,
    attributes: Object.fromEntries(
      Object.entries(node.attributes).map(([key, value]) => [key, wideAttribute(key, value)]),
    ),
  })
  const wideValue = (value: GraphValue): GraphValue => (isHalf(value.dtype) ? { ...value, dtype: 'float32' } : value)
  return {
    ...graph,
    inputs: graph.inputs.map(wideValue),
    outputs: graph.outputs.map(wideValue),
    constants: new Map([...graph.constants].map(wideConstant)),
    nodes: graph.nodes.map(wideNode),
  }
}

/** The widened graph with the inputs and outputs of the one it was, and casts between. */
function bordered(wide: Graph, { inputs, outputs }: Graph): Graph {
  const taken = new Set([
    ...inputs.map(({ name }) => name),
    ...wide.constants.keys(),
    ...wide.nodes.flatMap((node) => [node.name, ...node.outputs]),
  ])
  const fresh = (base: string): string => {
    let name = `${base}/float32`
    for (let i = 1; taken.has(name); i++) name = `${base}/float32_${i}`
    taken.add(name)
    return name
  }
  const cast = (from: string, to: string, dtype: Dtype, name: string): Node => ({
    name,
    op: 'Cast',
    inputs: [from],
    outputs: [to],
    attributes: { to: dtypes[dtype].onnx },
  })
  let { nodes } = wide
  const constants = new Map(wide.constants)
  const isInput = (name: string): boolean => inputs.some((input) => input.name === name)
  const rename = (from: string, to: string): void => {
    nodes = nodes.map((node) => {
      const { outputs: made, ...rest } = renameReads(node, from, to)
      return { ...rest, outputs: made.map((name) => (name === from ? to : name)) }
    })
    const constant = constants.get(from)
    if (constant && constants.delete(from)) constants.set(to, constant)
  }
  const before = inputs.flatMap(({ name, dtype }) => {
    if (!isHalf(dtype)) return []
    const inner = fresh(name)
    rename(name, inner)
    return [cast(name, inner, 'float32', inner)]
  })
  const after = outputs.flatMap(({ name, dtype }) => {
    if (!isHalf(dtype) || isInput(name)) return []
    const inner = fresh(name)
    rename(name, inner)
    return [cast(inner, name, dtype, fresh(`${name}/narrowed`))]
  })
  return { ...wide, inputs, outputs, constants, nodes: [...before, ...nodes, ...after] }
}
