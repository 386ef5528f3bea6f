// SPDX-License-Identifier: Apache-2.0
/**
 * What a user gives to `run`, held against what the model declares: names, kinds, types, shapes, and symbols that stand
 * in several inputs. Tensors of onnxruntime-common pass as they are; what comes out is whittle's own Tensor, over the
 * same data.
 */
import { InputError } from '../base/errors.ts'
import { type Dim, print, substitute } from '../ir/dim.ts'
import type { GraphValue } from '../ir/graph.ts'
import { Tensor, type TensorSource } from '../tensor/tensor.ts'

/** What is accepted as a tensor. */
export interface TensorLike {
  readonly type: string
  readonly data: TensorSource
  readonly dims: readonly number[]
}

/** Inputs by name. */
export type Feeds = Readonly<Record<string, TensorLike>>

/**
 * Checks feeds against the declared inputs.
 * @throws InputError naming the input and what was expected of it
 */
export function checkFeeds(inputs: readonly GraphValue[], feeds: unknown): Map<string, Tensor> {
  if (typeof feeds !== 'object' || feeds === null || Array.isArray(feeds)) {
    throw new InputError({ where: 'run', expected: 'an object of tensors by input name', got: describe(feeds) })
  }
  const given = feeds as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given)) {
    if (!inputs.some((input) => input.name === name)) {
      throw new InputError({
        where: `run input '${name}'`,
        expected: `one of ${list(inputs.map((input) => input.name))}`,
        got: 'a name the model does not have',
      })
    }
  }
  const tensors = new Map<string, Tensor>()
  const bindings: Bindings = new Map()
  for (const input of inputs) {
    const value = Object.hasOwn(given, input.name) ? given[input.name] : undefined
    const tensor = toTensor(input, value)
    bindSymbols(input, tensor, bindings)
    tensors.set(input.name, tensor)
  }
  checkDims(inputs, tensors, bindings)
  return tensors
}

function toTensor(input: GraphValue, value: unknown): Tensor {
  const where = `run input '${input.name}'`
  const wrong = (got: string, todo?: string): InputError => {
    const expected = `a ${input.dtype} tensor of shape ${shapeText(input.dims)}`
    return new InputError({ where, expected, got, ...(todo ? { todo } : {}) })
  }
  if (value === undefined) throw wrong('nothing')
  if (!isTensorLike(value)) throw wrong(describe(value), 'use new Tensor(type, data, dims)')
  if (value.type !== input.dtype) throw wrong(`a ${value.type} tensor`)
  if (input.dims && input.dims.length !== value.dims.length) throw wrong(`shape ${shapeText(value.dims)}`)
  try {
    return value instanceof Tensor ? value : new Tensor(input.dtype, value.data, value.dims)
  } catch (error) {
    throw error instanceof InputError ? new InputError({ ...error.complaint, where }, { cause: error }) : error
  }
}

/** Symbols, each with the input and axis that gave it its value. */
type Bindings = Map<string, { readonly value: number; readonly input: string; readonly axis: number }>

/** Plain symbols take the value of the first input that has them. */
function bindSymbols(input: GraphValue, tensor: Tensor, bindings: Bindings): void {
  for (const [axis, dim] of (input.dims ?? []).entries()) {
    const name = symbolName(dim)
    if (name === undefined || bindings.has(name)) continue
    bindings.set(name, { value: tensor.dims[axis], input: input.name, axis })
  }
}

function checkDims(inputs: readonly GraphValue[], tensors: ReadonlyMap<string, Tensor>, bindings: Bindings): void {
  const values = new Map([...bindings].map(([name, { value }]) => [name, value]))
  for (const input of inputs) {
    const tensor = tensors.get(input.name)
    if (!tensor) continue
    for (const [axis, dim] of (input.dims ?? []).entries()) {
      if (dim === tensor.dims[axis]) continue
      const wanted = substitute(dim, values)
      if (typeof wanted !== 'number' || wanted === tensor.dims[axis]) continue
      const name = symbolName(dim)
      const source = name === undefined ? undefined : bindings.get(name)
      throw new InputError({
        where: `run input '${input.name}' axis ${axis}`,
        expected: `${wanted}${source === undefined ? '' : ` (${name} is that of '${source.input}' axis ${source.axis})`}`,
        got: `${tensor.dims[axis]} in ${shapeText(tensor.dims)}, where the model has ${shapeText(input.dims)}`,
      })
    }
  }
}

/** The symbol's name when the dim is nothing but a symbol. */
function symbolName(dim: Dim): string | undefined {
  if (typeof dim === 'number' || dim.terms.length !== 1) return undefined
  const [{ coefficient, factors }] = dim.terms
  const [factor] = factors
  return coefficient === 1 && factors.length === 1 && 'symbol' in factor ? factor.symbol : undefined
}

function isTensorLike(value: unknown): value is TensorLike {
  if (typeof value !== 'object' || value === null) return false
  const { type, data, dims } = value as Partial<TensorLike>
  return typeof type === 'string' && typeof data === 'object' && data !== null && Array.isArray(dims)
}

/** '[1, 3, height, width]'. */
export function shapeText(dims: readonly Dim[] | null): string {
  return dims === null ? 'any' : `[${dims.map(print).join(', ')}]`
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'no input at all' : names.map((name) => `'${name}'`).join(', ')
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return ArrayBuffer.isView(value) ? `a ${value.constructor.name}` : `a ${typeof value}`
}
