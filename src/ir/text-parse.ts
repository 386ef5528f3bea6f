// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the text form of text.ts: a tokenizer and one function per construct. Line breaks mean nothing except that
 * `#` starts a comment up to one. Errors name the line. A number without a fraction is an int or a float as its reader
 * wants: the graph does not tell them apart.
 */
import { GraphError } from '../base/errors.ts'
import { type Dtype, dtypes, isDtype } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type Dim, parse as parseDim } from './dim.ts'
import type { AttributeValue, Constant, Graph, GraphValue, Node, ValueType } from './graph.ts'
import { keywords } from './text.ts'

interface Token {
  readonly text: string
  readonly line: number
}

const tokenPattern =
  /"(?:[^"\\\n]|\\.)*"|\.\.\.|-?(?:inf\b|nan\b)|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_/][A-Za-z0-9_./~]*|[^\s]/g
const numberPattern = /^(?:-?\d|-?inf$|nan$|-nan$)/

/** The graph a text describes. It is not verified. @throws GraphError naming the line */
export function parseGraph(text: string): Graph {
  const reader = new Reader(text)
  const graph = reader.graph()
  reader.end()
  return graph
}

class Reader {
  private readonly tokens: readonly Token[]
  private at = 0

  constructor(text: string) {
    this.tokens = text.split('\n').flatMap((line, i) => {
      const found: string[] = line.match(tokenPattern) ?? []
      const comment = found.indexOf('#')
      return (comment < 0 ? found : found.slice(0, comment)).map((token) => ({ text: token, line: i + 1 }))
    })
  }

  graph(): Graph {
    this.take('graph')
    const name = this.name()
    this.take('opset')
    const opset = this.number()
    this.take('{')
    const inputs: GraphValue[] = []
    const outputs: GraphValue[] = []
    const constants = new Map<string, Constant>()
    const nodes: Node[] = []
    while (!this.accept('}')) {
      if (this.accept('input')) inputs.push(this.value())
      else if (this.accept('output')) outputs.push(this.value())
      else if (this.accept('const')) this.constant(constants)
      else nodes.push(this.node())
    }
    return { name, opset, inputs, outputs, constants, nodes }
  }

  end(): void {
    if (this.at < this.tokens.length) throw this.fail('the end of the text')
  }

  private value(): GraphValue {
    const name = this.name()
    this.take(':')
    return { name, ...this.type() }
  }

  private constant(constants: Map<string, Constant>): void {
    const { name, dtype, dims } = this.value()
    if (dims === null || !dims.every((dim) => typeof dim === 'number'))
      throw this.fail('a constant with dims that are numbers')
    this.take('=')
    constants.set(name, this.accept('...') ? { dtype, dims } : { dtype, dims, tensor: this.tensor(dtype, dims) })
  }

  private node(): Node {
    const outputs = this.names()
    this.take('=')
    const op = this.name()
    this.take('(')
    const inputs = this.peek() === ')' ? [] : this.names()
    this.take(')')
    const attributes: Record<string, AttributeValue> = {}
    if (this.accept('{')) {
      do {
        const name = this.name()
        this.take(':')
        attributes[name] = this.attribute()
      } while (this.accept(','))
      this.take('}')
    }
    return { name: this.accept('@') ? this.name() : outputs[0], op, inputs, outputs, attributes }
  }

  private attribute(): AttributeValue {
    const token = this.peek() ?? ''
    if (token === 'graph') return this.graph()
    if (token === '[') return this.list() as AttributeValue
    if (token.startsWith('"')) return this.text()
    if (!isDtype(token)) return this.number()
    const { dtype, dims } = this.type()
    this.take('=')
    return this.tensor(dtype, dims as number[])
  }

  private list(): AttributeValue[] {
    const items: AttributeValue[] = []
    this.take('[')
    while (!this.accept(']')) {
      items.push(this.attribute())
      if (this.peek() !== ']') this.take(',')
    }
    return items
  }

  private type(): ValueType {
    const dtype = this.next('a type')
    if (!isDtype(dtype)) throw this.fail('a type', -1)
    this.take('[')
    if (this.accept('...')) {
      this.take(']')
      return { dtype, dims: null }
    }
    const dims: Dim[] = []
    while (!this.accept(']')) {
      dims.push(this.dim())
      if (this.peek() !== ']') this.take(',')
    }
    return { dtype, dims }
  }

  private dim(): Dim {
    const parts: string[] = []
    for (let depth = 0; depth > 0 || !(this.peek() === ',' || this.peek() === ']');) {
      const token = this.next('a dim')
      depth += token === '(' ? 1 : token === ')' ? -1 : 0
      parts.push(token)
    }
    return parseDim(parts.join(' '))
  }

  private tensor(dtype: Dtype, dims: readonly number[]): Tensor {
    const { bits } = dtypes[dtype]
    const count = bits > 0 && bits < 8 ? Math.ceil((sizeOf(dims) * bits) / 8) : sizeOf(dims)
    if (dtype === 'string')
      return new Tensor(
        dtype,
        Array.from({ length: count }, () => this.text()),
        dims,
      )
    if (bits === 64 && dtype !== 'float64')
      return new Tensor(
        dtype,
        Array.from({ length: count }, () => this.integer()),
        dims,
      )
    return new Tensor(
      dtype,
      Array.from({ length: count }, () => this.number()),
      dims,
    )
  }

  private names(): string[] {
    const names: string[] = []
    do names.push(this.accept('_') ? '' : this.name())
    while (this.accept(','))
    return names
  }

  private name(): string {
    const token = this.peek() ?? ''
    if (token.startsWith('"')) return this.text()
    if (!/^[A-Za-z_/]/.test(token) || keywords.includes(token)) throw this.fail('a name')
    return this.next('a name')
  }

  private text(): string {
    const token = this.next('a text in quotes')
    if (!token.startsWith('"') || token === '"') throw this.fail('a text in quotes', -1)
    return JSON.parse(token) as string
  }

  private number(): number {
    const token = this.next('a number')
    if (!numberPattern.test(token)) throw this.fail('a number', -1)
    return token.endsWith('inf') ? (token === 'inf' ? Infinity : -Infinity) : Number(token)
  }

  private integer(): bigint {
    const token = this.next('an integer')
    if (!/^-?\d+$/.test(token)) throw this.fail('an integer', -1)
    return BigInt(token)
  }

  private peek(): string | undefined {
    return this.tokens[this.at]?.text
  }

  private next(expected: string): string {
    const token = this.peek()
    if (token === undefined) throw this.fail(expected)
    this.at++
    return token
  }

  private accept(token: string): boolean {
    if (this.peek() !== token) return false
    this.at++
    return true
  }

  private take(token: string): void {
    if (!this.accept(token)) throw this.fail(`'${token}'`)
  }

  private fail(expected: string, back = 0): GraphError {
    const token = this.tokens[this.at + back]
    const line = token?.line ?? this.tokens.at(-1)?.line ?? 1
    return new GraphError({
      where: `graph text, line ${line}`,
      expected,
      got: token === undefined ? 'the end' : `'${token.text}'`,
    })
  }
}
