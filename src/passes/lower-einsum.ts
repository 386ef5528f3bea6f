// SPDX-License-Identifier: Apache-2.0
/**
 * Einsum of two operands becomes MatMul between Transposes, and of one operand Transpose and ReduceSum. Axes are named by
 * letters: those of both operands and the output are batches, those of both alone are summed over. Several axes that are
 * rows, columns or depth together are made one by Reshape, where their sizes are known; a bias is added before columns
 * are split again.
 */
import type { Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { sameDims, sharedConstant, splitOperands } from './operands.ts'
import { rulesPass } from './pass.ts'

/** Names of the axes of the operands and of the output; an ellipsis gets names of its own. */
interface Equation {
  readonly terms: readonly string[]
  readonly output: string
}

/** Undefined for what this pass leaves alone: axes that stand twice in a term, ellipses of several ranks. */
function parse(text: string, ranks: readonly number[]): Equation | undefined {
  const [left, right] = text.replaceAll(' ', '').split('->')
  const parts = left.split(',')
  if (right === undefined || parts.length !== ranks.length) return undefined
  const dots = parts.map((part, i) => (part.includes('...') ? ranks[i] - part.replace('...', '').length : 0))
  const given = [...new Set(dots.filter((_, i) => parts[i].includes('...')))]
  if (given.length > 1 || given.some((count) => count < 0)) return undefined
  const names = Array.from({ length: given[0] ?? 0 }, (_, i) => String.fromCharCode(0x100 + i)).join('')
  const [output, ...terms] = [right, ...parts].map((part) => part.replace('...', names))
  const isPlain = [output, ...terms].every((term) => !term.includes('.') && new Set(term).size === term.length)
  return isPlain && terms.every((term, i) => term.length === ranks[i]) ? { terms, output } : undefined
}

/** Writes nodes one behind the other. */
class Chain {
  readonly nodes: Node[] = []
  readonly constants: Record<string, Tensor> = {}
  readonly #view: View
  readonly #base: string

  constructor(view: View, { name }: Node) {
    this.#view = view
    this.#base = name
  }

  add(op: string, inputs: readonly string[], attributes: Node['attributes'] = {}): string {
    const name = this.#view.fresh(`${this.#base}/${op}`)
    this.nodes.push({ name, op, inputs, outputs: [name], attributes })
    return name
  }

  integers(values: readonly number[]): string {
    const name = this.#view.fresh(`${this.#base}/integers`)
    this.constants[name] = new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
    return name
  }

  /** The value with its axes in another order. */
  ordered(value: string, from: string, to: string): string {
    return from === to ? value : this.add('Transpose', [value], { perm: [...to].map((letter) => from.indexOf(letter)) })
  }

  /** Gives the last value the name of the node's output. */
  finish(value: string, output: string): Patch {
    const nodes = this.nodes.map((node) => (node.outputs[0] === value ? { ...node, outputs: [output] } : node))
    return { nodes, constants: this.constants }
  }
}

const isKnown = (size: unknown): size is number => typeof size === 'number'

/** Keeps the first `before` axes and makes the others these; undefined where a size is not known. */
function reshaped(chain: Chain, value: string, before: number, sizes: readonly unknown[]): string | undefined {
  if (!sizes.every(isKnown)) return undefined
  const target = [...new Array<number>(before).fill(0), ...sizes]
  return chain.add('Reshape', [value, chain.integers(target)])
}

function product(sizes: readonly unknown[]): number | undefined {
  return sizes.every(isKnown) ? sizes.reduce((all, size) => all * size, 1) : undefined
}

function asMatMul(node: Node, view: View, { terms, output }: Equation, isTurned = false): Patch | undefined {
  const [a, b] = terms
  const sizes = new Map<string, unknown>()
  for (const [i, term] of terms.entries()) {
    const dims = view.dims(node.inputs[i])!
    for (const [axis, letter] of [...term].entries()) {
      const known = sizes.get(letter)
      // an axis of 1 that broadcasts is none of a product
      if (isKnown(known) && isKnown(dims[axis]) && known !== dims[axis]) return undefined
      if (!isKnown(known)) sizes.set(letter, dims[axis])
    }
  }
  const only = (term: string, keep: (letter: string) => boolean): string => [...term].filter(keep).join('')
  const batch = only(output, (letter) => a.includes(letter) && b.includes(letter))
  const rows = only(output, (letter) => a.includes(letter) && !b.includes(letter))
  const columns = only(output, (letter) => b.includes(letter) && !a.includes(letter))
  const depth = only(a, (letter) => b.includes(letter) && !output.includes(letter))
  // a result whose columns come first is the product of the operands the other way round; weights stay on the right
  const isColumnsFirst = output !== batch + rows + columns && output === batch + columns + rows
  if (isColumnsFirst && !isTurned && view.tensor(node.inputs[1]) === undefined) {
    const turned = { ...node, inputs: [...node.inputs].reverse() }
    return asMatMul(turned, view, { terms: [b, a], output }, true)
  }
  const isWhole = batch.length + rows.length + depth.length === a.length
  if (!isWhole || batch.length + columns.length + depth.length !== b.length) return undefined
  if (depth === '' || rows === '' || columns === '') return undefined
  if (batch !== '' && rows.length > 1) return undefined
  const of = (letters: string): unknown[] => [...letters].map((letter) => sizes.get(letter))
  const chain = new Chain(view, node)
  let left: string | undefined = chain.ordered(node.inputs[0], a, batch + rows + depth)
  let right: string | undefined = chain.ordered(node.inputs[1], b, batch + depth + columns)
  if (depth.length > 1) left = reshaped(chain, left, batch.length + rows.length, [product(of(depth))])
  if (depth.length + columns.length > 2)
    right = reshaped(chain, right, batch.length, [product(of(depth)), product(of(columns))])
  if (left === undefined || right === undefined) return undefined
  let result: string | undefined = chain.add('MatMul', [left, right])
  if (columns.length > 1) result = reshaped(chain, result, batch.length + rows.length, of(columns))
  if (result === undefined) return undefined
  return chain.finish(chain.ordered(result, batch + rows + columns, output), node.outputs[0])
}

function asSum(node: Node, view: View, { terms: [term], output }: Equation): Patch | undefined {
  const kept = [...term].filter((letter) => output.includes(letter)).join('')
  if (kept.length !== output.length) return undefined
  const chain = new Chain(view, node)
  const axes = [...term].flatMap((letter, axis) => (output.includes(letter) ? [] : [axis]))
  const [x] = node.inputs
  const sum = axes.length === 0 ? x : chain.add('ReduceSum', [x, chain.integers(axes)], { keepdims: 0 })
  const result = chain.ordered(sum, kept, output)
  return chain.finish(result === x ? chain.add('Identity', [x]) : result, node.outputs[0])
}

const einsum: Rule = {
  name: 'einsum',
  ops: ['Einsum'],
  match(node, view) {
    const dims = node.inputs.map((input) => view.dims(input))
    if (dims.some((one) => one === undefined) || view.dtype(node.inputs[0]) !== 'float32') return undefined
    const ranks = dims.map((one) => one!.length)
    const equation = parse(view.attributes(node).equation as string, ranks)
    if (equation === undefined) return undefined
    if (ranks.length === 1) return asSum(node, view, equation)
    return ranks.length === 2 ? asMatMul(node, view, equation) : undefined
  },
}

/** A constant added to columns that were split into several axes is added before, where it is the product's bias. */
const splitBias: Rule = {
  name: 'einsum-bias',
  ops: ['Add'],
  match(node, view) {
    const [split, constant] = splitOperands(view, node) ?? []
    const reshape = split !== undefined && view.isPrivate(split) ? view.producer(split, 'Reshape') : undefined
    const product = view.producer(reshape?.inputs[0], 'MatMul')
    const bias = view.tensor(constant)
    if (!reshape || !product || !bias || !view.isPrivate(product.outputs[0])) return undefined
    const [whole, parts] = [view.dims(product.outputs[0]), view.dims(split)]
    const columns = bias.dims.reduce((all, size) => all * size, 1)
    const front = (parts?.length ?? 0) - bias.dims.length
    if (bias.dims.length < 2 || whole?.length !== front + 1 || whole[front] !== columns) return undefined
    // the columns are what is split, into just these
    if (!sameDims(parts!.slice(front), bias.dims) || !sameDims(parts!.slice(0, front), whole.slice(0, front)))
      return undefined
    const [name, constants] = sharedConstant(view, `${constant!}/columns`, new Tensor(bias.type, bias.data, [columns]))
    const sum = view.fresh(`${node.outputs[0]}/columns`)
    const add = { ...node, inputs: [product.outputs[0], name], outputs: [sum] }
    return { constants, nodes: [add, { ...reshape, inputs: [sum, reshape.inputs[1]], outputs: node.outputs }] }
  },
}

/** See the head of this file. */
export const lowerEinsum = rulesPass('lower-einsum', [einsum, splitBias], {
  writes: ['Identity', 'MatMul', 'ReduceSum', 'Reshape', 'Transpose'],
})
