// SPDX-License-Identifier: Apache-2.0
/**
 * What the JSON of a header must look like: a checker per record of container-records.ts, made of a few small ones. They
 * say the first thing that is wrong, and where.
 */
import { describe } from '../base/check.ts'
import { dtypes } from '../tensor/dtype.ts'

/** What is wrong with a value. */
export interface Fault {
  /** Keys and positions on the way to it, joined by dots; empty for the whole. */
  readonly at: string
  readonly expected: string
  readonly got: string
}

/** Says what is wrong with the value at this place. */
type Checker = (value: unknown, at: string) => Fault | undefined

const fault = (at: string, expected: string, value: unknown): Fault => ({ at, expected, got: describe(value) })
const below = (at: string, key: string | number): string => (at ? `${at}.${key}` : `${key}`)
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const that =
  (expected: string, isRight: (value: unknown) => boolean): Checker =>
  (value, at) =>
    isRight(value) ? undefined : fault(at, expected, value)

/** The first fault of the values, each at its key. */
function firstOf(entries: Iterable<[string | number, unknown]>, at: string, check: Checker): Fault | undefined {
  for (const [key, value] of entries) {
    const found = check(value, below(at, key))
    if (found) return found
  }
  return undefined
}

const listOf =
  (one: Checker): Checker =>
  (value, at) =>
    Array.isArray(value) ? firstOf(value.entries(), at, one) : fault(at, 'a list', value)

const mapOf =
  (one: Checker): Checker =>
  (value, at) =>
    isRecord(value) ? firstOf(Object.entries(value), at, one) : fault(at, 'an object', value)

const either =
  (first: Checker, second: Checker): Checker =>
  (value, at) =>
    first(value, at) && second(value, at)

/** An object of these keys, all but the last `optional` ones, and no other. */
function record(fields: Readonly<Record<string, Checker>>, optional = 0): Checker {
  const keys = Object.keys(fields)
  return (value, at) => {
    if (!isRecord(value)) return fault(at, 'an object', value)
    const missing = keys.slice(0, keys.length - optional).find((key) => !Object.hasOwn(value, key))
    if (missing) return fault(below(at, missing), 'a value', undefined)
    for (const [key, one] of Object.entries(value)) {
      const place = below(at, key)
      const found = Object.hasOwn(fields, key)
        ? fields[key](one, place)
        : fault(place, `one of ${keys.join(', ')}`, key)
      if (found) return found
    }
    return undefined
  }
}

const text = that('a text', (value) => typeof value === 'string')
const count = that('an integer from 0', (value) => Number.isSafeInteger(value) && (value as number) >= 0)
const word = that('an integer of 32 bits', (value) => (value as number) >>> 0 === value)
const dtype = that('an element type', (value) => typeof value === 'string' && Object.hasOwn(dtypes, value))
const nothing = that('nothing', (value) => value === null)
const number = that('a number', (value) => typeof value === 'number')
const float = that('nan, inf, -inf or -0', (value) => ['nan', 'inf', '-inf', '-0'].includes(value as string))
const pair = that('two', (value) => Array.isArray(value) && value.length === 2)

const value = record({ name: text, dtype, dims: either(nothing, listOf(either(count, text))) })
const constant: Checker = (one, at) =>
  pair(one, at) ?? text((one as unknown[])[0], below(at, 0)) ?? count((one as unknown[])[1], below(at, 1))

/** A tensor by position, a graph, a float that JSON has no number for: each an object of the one key. */
const wrapped: Checker = (one, at) =>
  isRecord(one) && Object.keys(one).length !== 1
    ? fault(at, 'one key', one)
    : record({ float, tensor: count, graph: (inner, place) => graph(inner, place) }, 3)(one, at)
const item = either(number, either(text, wrapped))
const items = listOf(item)
const attribute: Checker = (one, at) => (Array.isArray(one) ? items : item)(one, at)
const node = record(
  { name: text, op: text, inputs: listOf(text), outputs: listOf(text), attributes: mapOf(attribute) },
  1,
)
const graph: Checker = record({
  ...{ name: text, opset: count, inputs: listOf(value), outputs: listOf(value) },
  ...{ constants: listOf(constant), nodes: listOf(node) },
})
const tensor = record({ name: text, dtype, dims: listOf(count), offset: count, length: count, crc32: word })

/** What is wrong with the JSON of a header; a ContainerHeader, as far as shapes of records go, where it is nothing. */
export const headerFault = record({ graph, tensors: listOf(tensor), metadata: mapOf(() => undefined) })
