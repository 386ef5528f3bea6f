// SPDX-License-Identifier: Apache-2.0
/**
 * Dims: one axis' length, a number or a symbolic integer expression. A symbolic dim is a polynomial with integer
 * coefficients over atoms; an atom is a named symbol or a term that does not simplify further (floor division, modulo,
 * maximum, minimum). Every expression is kept in one canonical form whose printed text is its `key`, so two dims
 * are definitely equal exactly when numbers or keys are equal. Symbols stand for integers >= 0; divisors are taken to
 * be not 0. Values are immutable plain data; anything that turns out to be a plain number is one.
 */
import { GraphError } from '../base/errors.ts'

/** A dim that depends on symbols. Make one by `symbol`, `parse` and the arithmetic below, never by hand. */
export interface SymbolicDim {
  /** Highest degree first; the constant last; at least one term has factors. */
  readonly terms: readonly Term[]
  /** The canonical text. */
  readonly key: string
}

export type Dim = number | SymbolicDim

interface Term {
  readonly coefficient: number
  /** Sorted by key; an atom stands here as often as its power says. */
  readonly factors: readonly Atom[]
}

type Operation = 'floordiv' | 'mod' | 'max' | 'min'

type Atom =
  | { readonly key: string; readonly symbol: string }
  | { readonly key: string; readonly operation: Operation; readonly a: Dim; readonly b: Dim }

/** Longest canonical text: far beyond real models, short enough that a hostile one cannot blow expressions up. */
const maxKeyLength = 4096
const maxTerms = 256
/** Deepest parentheses of a text. */
const maxDepth = 64
const operations: readonly string[] = ['floordiv', 'mod', 'max', 'min'] satisfies Operation[]
const plainName = /^[A-Za-z_][A-Za-z0-9_.]*$/

/** The dim called `name` (any text that is not empty). @throws GraphError for an empty name */
export function symbol(name: string): SymbolicDim {
  if (name === '') throw new GraphError({ where: 'dim', expected: 'a name for the symbol', got: 'an empty text' })
  const key = plainName.test(name) && !operations.includes(name) ? name : JSON.stringify(name)
  return { terms: [{ coefficient: 1, factors: [{ key, symbol: name }] }], key }
}

/** True for plain numbers. */
export function isKnown(dim: Dim): dim is number {
  return typeof dim === 'number'
}

/** True when both are plain numbers throughout. */
export function areKnown(dims: readonly Dim[]): dims is readonly number[] {
  return dims.every(isKnown)
}

/** True when `a` and `b` are equal whatever the symbols are; false when they may differ. */
export function equal(a: Dim, b: Dim): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b
  return a.key === b.key
}

export function add(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  return collect([...termsOf(a), ...termsOf(b)])
}

export function sub(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return add(a, mul(b, -1))
}

export function mul(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  const left = termsOf(a)
  const right = termsOf(b)
  if (left.length * right.length > maxTerms * maxTerms) throw tooLong(`${left.length} x ${right.length} terms`)
  return collect(left.flatMap((s) => right.map((t) => productOfTerms(s, t))))
}

/** Product of all; 1 for none: the number of elements of a shape. */
export function product(dims: readonly Dim[]): Dim {
  return dims.reduce(mul, 1)
}

/** a / b rounded towards minus infinity. @throws GraphError when b is 0 */
export function floorDiv(a: Dim, b: Dim): Dim {
  rejectZero(b)
  if (typeof b === 'number') {
    if (typeof a === 'number') return Math.floor(a / b)
    return b < 0 ? floorDiv(mul(a, -1), -b) : floorDivByNumber(a, b)
  }
  return divideExactly(a, b) ?? atom('floordiv', a, b)
}

/** a / b rounded towards plus infinity, for b > 0. @throws GraphError when b is 0 */
export function ceilDiv(a: Dim, b: Dim): Dim {
  return floorDiv(add(a, sub(b, 1)), b)
}

/** What floorDiv leaves: a - b * floorDiv(a, b); has the sign of b. @throws GraphError when b is 0 */
export function mod(a: Dim, b: Dim): Dim {
  rejectZero(b)
  if (typeof b !== 'number') return divideExactly(a, b) === undefined ? atom('mod', a, b) : 0
  if (typeof a === 'number') return floorMod(a, b)
  const rest = collect(a.terms.map((t) => ({ ...t, coefficient: floorMod(t.coefficient, b) })))
  return typeof rest === 'number' ? floorMod(rest, b) : atom('mod', rest, b)
}

/** The larger one. Numbers beyond the safe integers count as infinite (ONNX writes "to the end" as INT64_MAX). */
export function max(a: Dim, b: Dim): Dim {
  return extreme('max', a, b)
}

/** The smaller one; see `max`. */
export function min(a: Dim, b: Dim): Dim {
  return extreme('min', a, b)
}

/** What two axes broadcast to (NumPy's rule); two unlike symbolic dims to their maximum. @throws GraphError when both are known, unlike, and neither is 1 */
export function broadcastDim(a: Dim, b: Dim): Dim {
  if (equal(a, b) || b === 1) return a
  if (a === 1) return b
  if (typeof a === 'number' && typeof b === 'number') {
    throw new GraphError({ where: 'broadcast', expected: 'equal dims or 1', got: `${a} and ${b}` })
  }
  if (typeof a === 'number') return a
  return typeof b === 'number' ? b : max(a, b)
}

/** NumPy broadcasting of whole shapes; the symbolic sibling of `tensor/shape.ts` broadcastDims. @throws GraphError */
export function broadcastShapes(...shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) =>
    shapes.reduce<Dim>((dim, shape) => {
      const own = axis - (rank - shape.length)
      return own < 0 ? dim : broadcastDim(dim, shape[own])
    }, 1),
  )
}

/** The canonical text, which `parse` reads back: '2*w + 1', 'floordiv(w + 3, 4)'. */
export function print(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : dim.key
}

/** The dim with symbols replaced; symbols without a binding stay. */
export function substitute(dim: Dim, bindings: ReadonlyMap<string, Dim>): Dim {
  if (typeof dim === 'number' || bindings.size === 0) return dim
  return dim.terms.reduce<Dim>(
    (sum, t) =>
      add(
        sum,
        t.factors.reduce<Dim>((p, f) => mul(p, substituteAtom(f, bindings)), t.coefficient),
      ),
    0,
  )
}

/** Names of the symbols the dim depends on, each once. */
export function symbolsOf(dim: Dim): string[] {
  if (typeof dim === 'number') return []
  const names = dim.terms.flatMap((t) =>
    t.factors.flatMap((f) => ('symbol' in f ? [f.symbol] : [...symbolsOf(f.a), ...symbolsOf(f.b)])),
  )
  return [...new Set(names)]
}

/** Reads what `print` writes, and any expression of + - * ( ), numbers, names and the four functions. @throws GraphError */
export function parse(text: string): Dim {
  if (text.length > maxKeyLength) throw tooLong(`a text of ${text.length}`)
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_.]*|\d+|\S/g) ?? []
  let at = 0
  let depth = 0
  const fail = (expected: string): GraphError =>
    new GraphError({ where: `dim '${text}'`, expected, got: tokens[at] ?? 'the end' })
  const take = (token: string): void => {
    if (tokens[at] !== token) throw fail(`'${token}'`)
    at++
  }
  const sum = (): Dim => {
    if (++depth > maxDepth) throw fail(`at most ${maxDepth} levels`)
    let dim = term()
    while (tokens[at] === '+' || tokens[at] === '-') dim = tokens[at++] === '+' ? add(dim, term()) : sub(dim, term())
    depth--
    return dim
  }
  const term = (): Dim => {
    let dim = factor()
    while (tokens[at] === '*') {
      at++
      dim = mul(dim, factor())
    }
    return dim
  }
  const call = (operation: Operation): Dim => {
    take('(')
    const a = sum()
    take(',')
    const b = sum()
    take(')')
    return byOperation[operation](a, b)
  }
  const factor = (): Dim => {
    const token = tokens[at]
    if (token === undefined) throw fail('a number, a name or (')
    if (token === '-') {
      if (tokens[++at] === '-') throw fail('one sign')
      return mul(factor(), -1)
    }
    if (token === '(') {
      at++
      const dim = sum()
      take(')')
      return dim
    }
    if (!/^["A-Za-z_\d]/.test(token) || token === '"') throw fail('a number, a name or (')
    at++
    if (/^\d/.test(token)) return integerOf(token, fail)
    if (token.startsWith('"')) return symbol(unquoted(token, fail))
    return operations.includes(token) ? call(token as Operation) : symbol(token)
  }
  const dim = sum()
  if (at < tokens.length) throw fail('the end')
  return dim
}

function integerOf(token: string, fail: (expected: string) => GraphError): number {
  const value = Number(token)
  if (Number.isSafeInteger(value)) return value
  throw fail('numbers below 2^53')
}

function unquoted(token: string, fail: (expected: string) => GraphError): string {
  try {
    return JSON.parse(token) as string
  } catch {
    throw fail('a name in JSON quotes')
  }
}

const byOperation: Readonly<Record<Operation, (a: Dim, b: Dim) => Dim>> = { floordiv: floorDiv, mod, max, min }

function substituteAtom(factor: Atom, bindings: ReadonlyMap<string, Dim>): Dim {
  if ('symbol' in factor) return bindings.get(factor.symbol) ?? ofTerms([{ coefficient: 1, factors: [factor] }])
  return byOperation[factor.operation](substitute(factor.a, bindings), substitute(factor.b, bindings))
}

function rejectZero(divisor: Dim): void {
  if (divisor === 0) throw new GraphError({ where: 'dim', expected: 'a divisor other than 0', got: '0' })
}

function floorMod(a: number, b: number): number {
  return a - b * Math.floor(a / b)
}

function termsOf(dim: Dim): readonly Term[] {
  if (typeof dim !== 'number') return dim.terms
  return dim === 0 ? [] : [{ coefficient: dim, factors: [] }]
}

function productOfTerms(a: Term, b: Term): Term {
  const factors = [...a.factors, ...b.factors].sort((f, g) => compareText(f.key, g.key))
  return { coefficient: a.coefficient * b.coefficient, factors }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Graded lexicographic order, highest first: a monomial order, which exact division relies on. */
function compareTerms(a: Term, b: Term): number {
  if (a.factors.length !== b.factors.length) return b.factors.length - a.factors.length
  for (let i = 0; i < a.factors.length; i++) {
    const order = compareText(a.factors[i].key, b.factors[i].key)
    if (order !== 0) return order
  }
  return 0
}

/** Sorts, adds up like terms, drops zeros. */
function collect(terms: readonly Term[]): Dim {
  const merged: Term[] = []
  for (const term of [...terms].sort(compareTerms)) {
    const last = merged.at(-1)
    if (last !== undefined && compareTerms(last, term) === 0) {
      merged[merged.length - 1] = { ...last, coefficient: last.coefficient + term.coefficient }
    } else merged.push(term)
  }
  return ofTerms(merged.filter((t) => t.coefficient !== 0))
}

function ofTerms(terms: readonly Term[]): Dim {
  if (terms.length === 0) return 0
  if (terms.length === 1 && terms[0].factors.length === 0) return terms[0].coefficient
  if (terms.length > maxTerms) throw tooLong(`${terms.length} terms`)
  const key = terms.map(printTerm).join('')
  if (key.length > maxKeyLength) throw tooLong(`an expression of ${key.length} characters`)
  return { terms, key }
}

function printTerm(term: Term, index: number): string {
  const size = Math.abs(term.coefficient)
  const sign = term.coefficient < 0 ? (index === 0 ? '-' : ' - ') : index === 0 ? '' : ' + '
  const factors = term.factors.map((f) => f.key)
  return sign + (size === 1 && factors.length > 0 ? factors : [String(size), ...factors]).join('*')
}

function tooLong(got: string): GraphError {
  return new GraphError({
    where: 'dim',
    expected: `at most ${maxTerms} terms and ${maxKeyLength} characters`,
    got,
    todo: 'give the model inputs fixed dims',
  })
}

function atom(operation: Operation, a: Dim, b: Dim): Dim {
  const key = `${operation}(${print(a)}, ${print(b)})`
  return ofTerms([{ coefficient: 1, factors: [{ key, operation, a, b }] }])
}

/** floor((n q + r) / n) = q + floor(r / n), with every coefficient of r in [0, n); then common factors and nesting. */
function floorDivByNumber(a: SymbolicDim, n: number): Dim {
  const quotient = collect(a.terms.map((t) => ({ ...t, coefficient: Math.floor(t.coefficient / n) })))
  const rest = collect(a.terms.map((t) => ({ ...t, coefficient: floorMod(t.coefficient, n) })))
  if (typeof rest === 'number') return quotient
  const common = rest.terms.reduce((g, t) => (t.factors.length === 0 ? g : gcd(g, t.coefficient)), n)
  const reduced = collect(rest.terms.map((t) => ({ ...t, coefficient: Math.floor(t.coefficient / common) })))
  const divisor = n / common
  return add(quotient, divisor === 1 ? reduced : (nested(reduced, divisor) ?? atom('floordiv', reduced, divisor)))
}

/** floor((floor(x / m) + c) / n) = floor((x + c m) / (m n)) for numbers m, n > 0. */
function nested(a: Dim, n: number): Dim | undefined {
  const [head, constant] = termsOf(a)
  if (head.coefficient !== 1 || head.factors.length !== 1 || termsOf(a).length > 2) return undefined
  if (constant !== undefined && constant.factors.length > 0) return undefined
  const [inner] = head.factors
  if (!('operation' in inner) || inner.operation !== 'floordiv' || typeof inner.b !== 'number') return undefined
  return floorDiv(add(inner.a, (constant?.coefficient ?? 0) * inner.b), inner.b * n)
}

/** Greatest common divisor. */
export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** The q with a = q b, or undefined where there is none: polynomial long division by leading terms. */
function divideExactly(a: Dim, b: SymbolicDim): Dim | undefined {
  let quotient: Dim = 0
  let rest = a
  for (let step = 0; rest !== 0; step++) {
    const part = step < maxTerms ? divideTerms(termsOf(rest)[0], b.terms[0]) : undefined
    if (part === undefined) return undefined
    const dim = ofTerms([part])
    quotient = add(quotient, dim)
    rest = sub(rest, mul(dim, b))
  }
  return quotient
}

function divideTerms(a: Term, b: Term): Term | undefined {
  const coefficient = a.coefficient / b.coefficient
  if (!Number.isInteger(coefficient)) return undefined
  const factors = [...a.factors]
  for (const { key } of b.factors) {
    const at = factors.findIndex((f) => f.key === key)
    if (at < 0) return undefined
    factors.splice(at, 1)
  }
  return { coefficient, factors }
}

function extreme(operation: 'max' | 'min', a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return Math[operation](a, b)
  const [larger, smaller] = operation === 'max' ? [a, b] : [b, a]
  if (equal(a, b) || isInfinite(b) || isNotNegative(sub(larger, smaller))) return infiniteWins(operation, b) ? b : a
  if (isInfinite(a) || isNotNegative(sub(smaller, larger))) return infiniteWins(operation, a) ? a : b
  return compareText(print(a), print(b)) <= 0 ? atom(operation, a, b) : atom(operation, b, a)
}

function isInfinite(dim: Dim): boolean {
  return typeof dim === 'number' && Math.abs(dim) > Number.MAX_SAFE_INTEGER
}

function infiniteWins(operation: 'max' | 'min', dim: Dim): boolean {
  return isInfinite(dim) && (operation === 'max') === (dim as number) > 0
}

/** True when certainly >= 0. */
function isNotNegative(dim: Dim): boolean {
  if (typeof dim === 'number') return dim >= 0
  return dim.terms.every((t) => t.coefficient >= 0 && t.factors.every(isAtomNotNegative))
}

function isAtomNotNegative(factor: Atom): boolean {
  if ('symbol' in factor) return true
  const { operation, a, b } = factor
  if (operation === 'mod') return isNotNegative(b)
  if (operation === 'max') return isNotNegative(a) || isNotNegative(b)
  return isNotNegative(a) && isNotNegative(b)
}
