// SPDX-License-Identifier: Apache-2.0
/**
 * The readable text form of a graph, printed here and parsed in text-parse.ts:
 *
 *     graph main opset 17 {
 *       input x: float32[n, 3]
 *       const w: float32[3, 2] = 1 2 3 4 5 6
 *       y = MatMul(x, w) @product
 *       z, _ = Foo(y, _) {axis: 1, names: ["a"], body: graph inner opset 17 { … }}
 *       output z: float32[n, 2]
 *     }
 *
 * `_` is a name left out, `[...]` an unknown rank, `= ...` content not shown (parsed as a constant without a tensor).
 * `@name` is the node's name where it is not its first output's. Names that are not plain stand in quotes.
 */
import { dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'
import { print } from './dim.ts'
import { type AttributeValue, type Constant, type Graph, type Node, type ValueType, isGraph } from './graph.ts'

export interface PrintOptions {
  /** Constants with more items than this print as `= ...`. */
  readonly maxItems?: number
}

/** Words that begin a line; values of these names stand in quotes. */
export const keywords: readonly string[] = ['graph', 'input', 'output', 'const', '_', 'inf', 'nan', 'opset']
const plainName = /^[A-Za-z_/][A-Za-z0-9_./~]*$/

/** The text of a graph, without a line break at the end. */
export function printGraph(graph: Graph, options: PrintOptions = {}, indent = ''): string {
  const lines = [
    ...graph.inputs.map((input) => `input ${printName(input.name)}: ${printType(input)}`),
    ...[...graph.constants].map(([name, constant]) => printConstant(name, constant, options)),
    ...graph.nodes.map((node) => printNode(node, options, `${indent}  `)),
    ...graph.outputs.map((output) => `output ${printName(output.name)}: ${printType(output)}`),
  ]
  const head = `graph ${printName(graph.name)} opset ${graph.opset} {`
  return [head, ...lines.map((line) => `${indent}  ${line}`), `${indent}}`].join('\n')
}

/** 'float32[n, 3]', 'int64[]', 'float32[...]' where the rank is unknown. */
export function printType({ dtype, dims }: ValueType): string {
  return `${dtype}[${dims === null ? '...' : dims.map(print).join(', ')}]`
}

/** One node's line. */
export function printNode(node: Node, options: PrintOptions = {}, indent = ''): string {
  const names = (list: readonly string[]): string =>
    list.map((name) => (name === '' ? '_' : printName(name))).join(', ')
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => `${printName(name)}: ${printAttribute(value, options, indent)}`)
    .join(', ')
  const suffix = node.name === node.outputs[0] ? '' : ` @${printName(node.name)}`
  return `${names(node.outputs)} = ${printName(node.op)}(${names(node.inputs)})${attributes && ` {${attributes}}`}${suffix}`
}

function printName(name: string): string {
  return plainName.test(name) && !keywords.includes(name) ? name : JSON.stringify(name)
}

function printConstant(name: string, { dtype, dims, tensor }: Constant, options: PrintOptions): string {
  return `const ${printName(name)}: ${printType({ dtype, dims })} = ${printItems(tensor, options.maxItems ?? 16)}`
}

function printItems(tensor: Tensor | undefined, most: number): string {
  if (tensor === undefined || tensor.data.length > most) return '...'
  const { bits, kind } = dtypes[tensor.type]
  const toText =
    tensor.type === 'string'
      ? (item: unknown) => JSON.stringify(item)
      : bits === 32 && kind === 'float'
        ? printFloat32
        : printNumber
  return Array.from<number | bigint | string>(tensor.data)
    .map((item) => toText(item as number))
    .join(' ')
}

function printAttribute(value: AttributeValue, options: PrintOptions, indent: string): string {
  if (value instanceof Tensor)
    return `${printType({ dtype: value.type, dims: value.dims })} = ${printItems(value, Infinity)}`
  if (isGraph(value)) return printGraph(value, options, indent)
  if (Array.isArray(value))
    return `[${(value as AttributeValue[]).map((item) => printAttribute(item, options, indent)).join(', ')}]`
  return typeof value === 'string' ? JSON.stringify(value) : printFloat32(value as number)
}

function printNumber(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
}

/** The shortest text that is the same float32, for values that are float32; others in full. */
function printFloat32(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value) || Math.fround(value) !== value) return printNumber(value)
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return String(text)
  }
  return String(value)
}
