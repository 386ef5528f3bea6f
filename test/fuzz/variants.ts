// SPDX-License-Identifier: Apache-2.0
/**
 * Every way in which one node can be wrong, made from a sample that is right: operands of other shapes and types, too
 * many and too few of them, attributes out of range, of the wrong kind, left out. Made without chance, for any operator.
 */
import type { AttributeValue, Graph, Node } from '../../src/ir/graph.ts'
import type { AttributeSpec, OpDef } from '../../src/ir/op-set.ts'
import { type Dtype, byteLengthOf, dtypes } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { Tensor, bytesOf, tensorFromBytes } from '../../src/tensor/tensor.ts'
import type { OpCase } from '../contract/op.ts'

/** A graph of one damaged node, and inputs for it. */
export interface Variant {
  readonly title: string
  readonly graph: Graph
  readonly feeds: ReadonlyMap<string, Tensor>
  /** The numbers are beyond what float32 holds: results need not be those of double precision. */
  readonly isBeyondFloat?: boolean
}

/** All variants of a case. */
export function variantsOf(test: OpCase, def: OpDef): Variant[] {
  const attributes = test.graph.constants.size > 0 || test.graph.inputs.length === 1 ? attributeVariants(test, def) : []
  return [...operandVariants(test), ...countVariants(test), ...attributes]
}

type Dims = readonly number[]

/** Other shapes: one dim more, less, gone, doubled; an axis more in front and behind, one less; nothing; a scalar. */
const shapeChanges: Readonly<Record<string, (dims: Dims) => Dims>> = {
  'last dim + 1': (dims) => [...dims.slice(0, -1), (dims.at(-1) ?? 0) + 1],
  'last dim - 1': (dims) => [...dims.slice(0, -1), Math.max(0, (dims.at(-1) ?? 1) - 1)],
  'first dim + 1': (dims) => [(dims[0] ?? 0) + 1, ...dims.slice(1)],
  'first dim 0': (dims) => [0, ...dims.slice(1)],
  'last dim 1': (dims) => [...dims.slice(0, -1), 1],
  'middle dim doubled': (dims) => dims.map((dim, axis) => (axis === dims.length >> 1 ? dim * 2 : dim)),
  'an axis in front': (dims) => [2, ...dims],
  'an axis behind': (dims) => [...dims, 2],
  'an axis less': (dims) => dims.slice(1),
  scalar: () => [],
}

/** Other types: one of each kind that kernels read. */
const otherTypes: readonly Dtype[] = ['float32', 'int8', 'int64', 'bool', 'float16', 'string']

function operandVariants({ title, graph, feeds }: OpCase): Variant[] {
  const [node] = graph.nodes
  return [...new Set(node.inputs)].flatMap((name) => {
    const tensor = feeds.get(name) ?? graph.constants.get(name)?.tensor
    if (tensor === undefined) return []
    const shaped = Object.entries(shapeChanges).map(
      ([what, change]) => [what, resized(tensor, change(tensor.dims))] as const,
    )
    const typed = otherTypes
      .filter((type) => type !== tensor.type)
      .map((type) => [type, retyped(tensor, type)] as const)
    return [...shaped, ...typed].map(([what, other]) => ({
      title: `${title}, ${name}: ${what}`,
      ...withOperand(graph, feeds, name, other),
    }))
  })
}

/** The elements again and again, in other dims. */
function resized(tensor: Tensor, dims: Dims): Tensor {
  if (tensor.type === 'string') return new Tensor('string', new Array<string>(sizeOf(dims)).fill('a'), dims)
  const [from, to] = [bytesOf(tensor), new Uint8Array(byteLengthOf(tensor.type, sizeOf(dims)))]
  for (let i = 0; i < to.length; i++) to[i] = from.length === 0 ? 0 : from[i % from.length]
  return tensorFromBytes(tensor.type, to, dims)
}

function retyped(tensor: Tensor, type: Dtype): Tensor {
  if (type === 'string') return new Tensor(type, new Array<string>(tensor.size).fill('a'), tensor.dims)
  const small = (i: number): number => i % 3
  return new Tensor(
    type,
    Array.from({ length: dtypes[type].bits < 8 ? 0 : tensor.size }, (_, i) => small(i)),
    tensor.dims,
  )
}

function withOperand(graph: Graph, feeds: OpCase['feeds'], name: string, tensor: Tensor): Omit<Variant, 'title'> {
  const { type: dtype, dims } = tensor
  if (graph.constants.has(name)) {
    return { graph: { ...graph, constants: new Map(graph.constants).set(name, { dtype, dims, tensor }) }, feeds }
  }
  const inputs = graph.inputs.map((input) => (input.name === name ? { name, dtype, dims } : input))
  return { graph: { ...graph, inputs }, feeds: new Map(feeds).set(name, tensor) }
}

function countVariants({ title, graph, feeds }: OpCase): Variant[] {
  const [node] = graph.nodes
  const [first = ''] = node.inputs
  const lists: [string, readonly string[]][] = [
    ['no inputs', []],
    ['the last input gone', node.inputs.slice(0, -1)],
    ['the first input left out', ['', ...node.inputs.slice(1)]],
    ['the first input everywhere', node.inputs.map(() => first)],
    ['one input more', [...node.inputs, first]],
    ['forty inputs', new Array<string>(40).fill(first)],
    ['inputs the other way round', [...node.inputs].reverse()],
  ]
  const changed = lists.map(([what, inputs]): [string, Node] => [what, { ...node, inputs }])
  const outputs = { ...node, outputs: [...node.outputs, 'more', 'and more', 'too many', 'far too many'] }
  return [...changed, ['more outputs', outputs] as const].map(([what, one]) => ({
    title: `${title}, ${what}`,
    graph: { ...graph, nodes: [one] },
    feeds,
  }))
}

const numbers = [-1, 0, 1, 2, -7, 99, 2 ** 20, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1]
const floats = [-1, 0, 1e-40, 1e38, 1e300, NaN, Infinity, -Infinity]
const lists = (values: readonly number[], length: number): number[][] => [
  [],
  [values[0]],
  new Array<number>(length + 1).fill(1),
  ...values.map((value) => new Array<number>(length).fill(value)),
  ...values.map((value) => [value, ...new Array<number>(Math.max(0, length - 1)).fill(1)]),
]

/** Values an attribute of each kind may be given, of which few or none make sense. */
const hostile: Readonly<Record<AttributeSpec['kind'], (old: AttributeValue | undefined) => readonly AttributeValue[]>> =
  {
    int: () => numbers,
    float: () => floats,
    string: () => ['', 'constructor', '__proto__', 'linear'],
    ints: (old) => lists(numbers, Array.isArray(old) ? old.length : 2),
    floats: (old) => lists(floats, Array.isArray(old) ? old.length : 2),
    strings: () => [[], ['constructor'], ['']],
    tensor: () => [new Tensor('float32', [], [0]), new Tensor('string', ['a']), new Tensor('int64', [1, 2, 3], [3])],
    graph: () => [],
  }

/** Of no kind that fits. */
const misfits: readonly AttributeValue[] = ['text', 0.5, [0.5], ['text'], new Tensor('float32', [1])]

function attributeVariants({ title, graph, feeds }: OpCase, def: OpDef): Variant[] {
  const [node] = graph.nodes
  return Object.entries(def.attributes ?? {}).flatMap(([name, { kind, default: usual }]) => {
    const { [name]: old, ...others } = node.attributes
    const values = [...hostile[kind](old ?? usual), ...misfits]
    const changed = values.map((value): [string, Node] => [describe(value), withAttribute(node, name, value)])
    return [...changed, ['nothing', { ...node, attributes: others }] as const].map(([what, one]) => ({
      title: `${title}, ${name}: ${what}`,
      graph: { ...graph, nodes: [one] },
      feeds,
      isBeyondFloat: kind === 'float' || kind === 'floats',
    }))
  })
}

function withAttribute(node: Node, name: string, value: AttributeValue): Node {
  return { ...node, attributes: { ...node.attributes, [name]: value } }
}

function describe(value: AttributeValue): string {
  return value instanceof Tensor ? `a ${value.type} tensor of [${value.dims.join()}]` : String(value as string)
}
