// SPDX-License-Identifier: Apache-2.0
/**
 * Reads what stands between q k^T and the softmax of attention, in any order, as scale * q k^T + mask: factors, sums and
 * differences, low numbers filled in where a condition says so (masked_fill), a lower bound, and scores times a mask of
 * 0 and 1 less a large number elsewhere (GPT-2). A number of -1e30 or lower swallows the score it is added to, so rows
 * that are masked altogether stay what they are: equal shares, or NaN of -inf. A number filled in that does not swallow
 * scores is taken where it is the only mask, as one that does: scores are expected to be thousands above it.
 */
import { type Dim, equal, isKnown, substitute, symbolsOf } from '../ir/dim.ts'
import type { Node } from '../ir/graph.ts'
import type { View } from '../ir/rewrite.ts'
import { Tensor } from '../tensor/tensor.ts'
import { scalarOperand } from './affine.ts'
import { numbersOf, sameDims, scalarOf, sharedConstant, splitOperands } from './operands.ts'

/** A value and what it is multiplied by. */
interface Scaled {
  readonly value: string
  readonly scale: number
}

/** Numbers filled in are at most `low`; from `swallowing` on a float32 score added to them is lost. */
const [low, swallowing, lowest] = [-1e4, -1e30, -3.4028234663852886e38]

/** What a node multiplies one of its operands by: a constant of one element. */
function factorOf(view: View, node: Node): Scaled | undefined {
  const [x, constant, position] = splitOperands(view, node) ?? []
  if (x === undefined || constant === undefined) return undefined
  const number = scalarOperand(view, x, constant)
  if (number === undefined || number === 0 || !Number.isFinite(number)) return undefined
  if (node.op === 'Div' && position === 1) return undefined
  return { value: x, scale: node.op === 'Mul' ? number : 1 / number }
}

/** `value` without the constant factors around it, as long as nothing else reads the products. */
export function withoutScale(view: View, value: string): Scaled {
  const node = view.isPrivate(value) ? view.producer(value, 'Mul', 'Div') : undefined
  const factor = node && factorOf(view, node)
  if (factor === undefined) return { value, scale: 1 }
  const inner = withoutScale(view, factor.value)
  return { value: inner.value, scale: inner.scale * factor.scale }
}

/**
 * Done to the scores: a value times a factor is added (`isFill`: for scores that were multiplied with 0), or `where` fills
 * in its operand `position`, which comes to a number, or what is below `bound` becomes that.
 */
type Step =
  | { readonly added: string; readonly factor: number; readonly isFill: boolean }
  | { readonly where: Node; readonly position: number; readonly filled: number }
  | { readonly bound: number }

/** scale * product, with the steps done to it, the last one first. */
export interface Scores {
  readonly product: Node
  readonly scale: number
  readonly steps: readonly Step[]
}

/** The scores a value is, times `factor`; undefined where there are none, or where something else reads them on the way. */
export function scoresOf(view: View, value: string, factor = 1): Scores | undefined {
  const node = view.isPrivate(value) ? view.producer(value) : undefined
  if (node?.op === 'MatMul') return { product: node, scale: factor, steps: [] }
  return node && Object.hasOwn(readers, node.op) ? readers[node.op](view, node, factor) : undefined
}

type Reader = (view: View, node: Node, factor: number) => Scores | undefined

function under(view: View, value: string, factor: number, step: Step): Scores | undefined {
  const inner = scoresOf(view, value, factor)
  return inner && { ...inner, steps: [step, ...inner.steps] }
}

const scaled: Reader = (view, node, factor) => {
  const own = factorOf(view, node)
  return own && scoresOf(view, own.value, factor * own.scale)
}

const sum: Reader = (view, node, factor) => {
  const [a, b] = node.inputs
  const sign = node.op === 'Sub' ? -1 : 1
  const chosen = chosenByProduct(view, node, sign)
  if (chosen !== undefined) return under(view, chosen.scores, factor, { ...chosen, isFill: true })
  const first = under(view, a, factor, { added: b, factor: sign * factor, isFill: false })
  return first ?? (sign === 1 ? under(view, b, factor, { added: a, factor, isFill: false }) : undefined)
}

/** scores * c - (1 - c) * large, for a c of 0 and 1. */
function chosenByProduct(
  view: View,
  { inputs: [product, rest] }: Node,
  sign: number,
): { scores: string; added: string; factor: number } | undefined {
  const times = view.isPrivate(product) ? view.producer(product, 'Mul') : undefined
  for (const [scores, c] of times ? [times.inputs, [...times.inputs].reverse()] : []) {
    const large = sign * (largeOf(view, c, rest) ?? 0)
    if (large <= low && isBinary(view, c)) return { scores, added: rest, factor: (lowest / large) * sign }
  }
  return undefined
}

/** The number of (1 - c) * number. */
function largeOf(view: View, c: string, value: string): number | undefined {
  const [own, all] = [c, value].map((name) => numbersOf(view, name))
  if (own && all && own.length === all.length && sameDims(view.dims(c), view.dims(value))) {
    const at = Array.from(own).indexOf(0)
    return at >= 0 && Array.from(own).every((one, i) => (1 - one) * all[at] === all[i]) ? all[at] : undefined
  }
  const node = view.producer(value, 'Mul')
  const factor = node && factorOf(view, node)
  const difference = view.producer(factor?.value, 'Sub')
  return difference?.inputs[1] === c && scalarOf(view, difference.inputs[0]) === 1 ? factor!.scale : undefined
}

/** Operators that hand on elements of their first input. */
const moves = ['Expand', 'Gather', 'Identity', 'Reshape', 'Slice', 'Squeeze', 'Transpose', 'Trilu', 'Unsqueeze']

/** True for values whose elements are certainly 0 or 1. */
function isBinary(view: View, value: string): boolean {
  const numbers = numbersOf(view, value)
  if (numbers !== undefined) return Array.from(numbers).every((one) => one === 0 || one === 1)
  if (view.dtype(value) === 'bool') return true
  const node = view.producer(value, 'Cast', ...moves)
  return node !== undefined && isBinary(view, node.inputs[0])
}

const filled: Reader = (view, node, factor) => {
  for (const position of [1, 2]) {
    const scores = node.inputs[3 - position]
    const number = scalarOperand(view, scores, node.inputs[position])
    if (number === undefined || number * factor > low) continue
    return under(view, scores, factor, { where: node, position, filled: Math.fround(number * factor) })
  }
  return undefined
}

const bounded: Reader = (view, node, factor) => {
  const [scores, constant] = splitOperands(view, node) ?? []
  const number = scores === undefined ? undefined : scalarOperand(view, scores, constant!)
  if (number === undefined || node.inputs.length > 2 || factor < 0) return undefined
  const bound = Math.fround(number * factor)
  return bound <= swallowing && bound > -Infinity ? under(view, scores!, factor, { bound }) : undefined
}

const readers: Readonly<Record<string, Reader>> = {
  Add: sum,
  Div: scaled,
  Max: bounded,
  Mul: scaled,
  Sub: sum,
  Where: filled,
}

/** The mask as a value (none: nothing is added), and what has to be made for it. */
export interface Mask {
  readonly value?: string
  readonly nodes: readonly Node[]
  readonly constants: Readonly<Record<string, Tensor>>
}

/** One value that does the same when it is added; undefined where there is none. `name` begins the names of its parts. */
export function maskOf(view: View, name: string, { steps }: Scores): Mask | undefined {
  const isWeak = (step: Step): boolean => ('where' in step ? step.filled > swallowing : 'added' in step && step.isFill)
  if (steps.length > 1 && steps.some(isWeak)) return undefined
  const nodes: Node[] = []
  const constants: Record<string, Tensor> = {}
  const add = (op: string, inputs: readonly string[]): string => {
    const own = view.fresh(`${name}/mask/${op}`)
    nodes.push({ name: own, op, inputs, outputs: [own], attributes: {} })
    return own
  }
  const numbers = new Map<number, string>()
  const number = (value: number): string => {
    const known = numbers.get(value)
    if (known !== undefined) return known
    const [own, added] = sharedConstant(view, `mask/${value}`, new Tensor('float32', [value], []))
    Object.assign(constants, added)
    numbers.set(value, own)
    return own
  }
  let mask: string | undefined
  for (const step of [...steps].reverse()) {
    if ('where' in step) {
      const fill = number(isWeak(step) ? lowest : step.filled)
      const inputs = step.where.inputs.slice()
      inputs[step.position] = fill
      inputs[3 - step.position] = mask ?? number(0)
      mask = add('Where', inputs)
    } else if ('bound' in step) {
      if (mask !== undefined) mask = add('Max', [mask, number(step.bound)])
    } else {
      const own = step.factor === 1 ? step.added : add('Mul', [step.added, number(step.factor)])
      mask = mask === undefined ? own : add('Add', [mask, own])
    }
  }
  return { value: mask, nodes, constants }
}

/** Sizes that dims are tried with. */
const sizes = [0, 1, 2, 5, 100, 2 ** 20]

/**
 * True where masked scores have the images, heads and queries of the scores: a mask with more of them would stretch one
 * of the scores, which is no attention. A mask cut out of a larger one has min(1024, sequence) rows: what cannot be told
 * from the text of dims is tried with sizes. More keys than there are would fit no values.
 */
export function keepsRows(view: View, scores: string, masked: string): boolean {
  const [own, all] = [scores, masked].map((value) => view.dims(value)?.slice(0, -1))
  return own !== undefined && own.length === all?.length && own.every((dim, i) => isSame(dim, all[i]))
}

function isSame(a: Dim, b: Dim): boolean {
  if (equal(a, b)) return true
  if (isKnown(a) || isKnown(b)) return false
  const names = [...new Set([...symbolsOf(a), ...symbolsOf(b)])]
  if (names.length > 3) return false
  return Array.from({ length: sizes.length ** names.length }, (_, i) =>
    names.map((name, k): [string, Dim] => [name, sizes[Math.floor(i / sizes.length ** k) % sizes.length]]),
  ).every((pairs) => equal(substitute(a, new Map(pairs)), substitute(b, new Map(pairs))))
}
