// SPDX-License-Identifier: Apache-2.0
/**
 * Einsum: sums of products over named axes. A term of the equation names the axes of one input; an ellipsis stands for
 * any number of axes, broadcast; names the output does not have are summed over. Without an arrow the output has the
 * ellipsis and then the names that occur once, in alphabetical order. https://onnx.ai/onnx/operators/onnx__Einsum.html
 */
import { GraphError } from '../base/errors.ts'
import * as dim from '../ir/dim.ts'
import type { Dim } from '../ir/dim.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { type Reference, type Sample, type Samples, defineOps } from './define.ts'
import { commonDtype, complaint, needed, printDims } from './infer.ts'
import { isFloat, offsetsOf } from './elements.ts'
import { exactOf, tensorOf } from './numeric.ts'
import { floats, integers } from './sample-tensors.ts'

/** Inputs ONNX allows. */
const most = 2147483647

/** Name of axis i, from the end, of an ellipsis: no letter of an equation. */
const dotted = (i: number): string => `.${i}`

/** Names of the axes of every input and of the output. */
interface Equation {
  readonly inputs: readonly (readonly string[])[]
  readonly output: readonly string[]
}

const term = /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/

/** Reads an equation for inputs of these ranks. @throws GraphError for one that does not fit */
function parse(text: string, ranks: readonly number[]): Equation {
  const fail = (expected: string, got: string): GraphError => new GraphError({ where: 'equation', expected, got })
  const [left, right, more] = text.replaceAll(' ', '').split('->')
  const terms = left.split(',')
  if (more !== undefined || [...terms, right ?? ''].some((one) => !term.test(one))) {
    throw fail("terms of letters and '...', as in 'ij,jk->ik'", text)
  }
  if (terms.length !== ranks.length) throw fail(`${ranks.length} terms`, text)
  let dots = 0
  const inputs = terms.map((one, i) => {
    const letters = one.replace('...', '').length
    const rest = ranks[i] - letters
    if (rest < 0 || (rest > 0 && !one.includes('...'))) throw fail(`${ranks[i]} axes for input ${i}`, one)
    dots = Math.max(dots, rest)
    return spelled(one, rest)
  })
  if (right !== undefined) return { inputs, output: spelled(right, dots) }
  const letters = terms.join('').replaceAll('.', '')
  const once = [...letters].filter((letter) => letters.split(letter).length === 2).sort()
  return { inputs, output: [...spelled('...', dots), ...once] }
}

function spelled(one: string, dots: number): string[] {
  const [before, after] = one.includes('...') ? one.split('...') : [one, '']
  const middle = one.includes('...') ? Array.from({ length: dots }, (_, i) => dotted(dots - 1 - i)) : []
  return [...before, ...middle, ...after]
}

/** Extent of every name, 1 broadcast. */
function extents<D extends Dim>(
  equation: Equation,
  shapes: readonly (readonly D[])[],
  join: (a: D, b: D, name: string) => D,
): Map<string, D> {
  const sizes = new Map<string, D>()
  equation.inputs.forEach((names, i) =>
    names.forEach((name, axis) => {
      const size = shapes[i][axis]
      const known = sizes.get(name)
      sizes.set(name, known === undefined ? size : join(known, size, name))
    }),
  )
  const stray = equation.output.find((name) => !sizes.has(name))
  if (stray !== undefined) throw new GraphError({ where: 'equation', expected: 'output names of inputs', got: stray })
  return sizes
}

export const ops = defineOps({
  Einsum: {
    inputs: [1, most],
    attributes: { equation: { kind: 'string', required: true } },
    numerics: { relative: 1e-5, absolute: 1e-6 },
    infer(infos, context) {
      const dtype = commonDtype(context, infos)
      const shapes = infos.map((info, i) => needed(context, info, `input ${i}`).dims)
      if (shapes.some((dims) => dims === null)) return [{ dtype, dims: null }]
      const known = shapes as readonly (readonly Dim[])[]
      const equation = parse(
        context.attributes.equation as string,
        known.map((dims) => dims.length),
      )
      const sizes = extents<Dim>(equation, known, (a, b, name) => {
        try {
          return dim.broadcastDim(a, b)
        } catch {
          throw complaint(context, `one extent for '${name}'`, printDims([a, b]))
        }
      })
      return [{ dtype, dims: equation.output.map((name) => sizes.get(name)!) }]
    },
  },
})

export const references = {
  Einsum: (inputs, attributes) => {
    const tensors = inputs.map((tensor) => tensor!)
    const equation = parse(
      attributes.equation as string,
      tensors.map(({ dims }) => dims.length),
    )
    const sizes = extents<number>(
      equation,
      tensors.map(({ dims }) => dims),
      (a, b) => (a === 1 ? b : a),
    )
    const summed = [...sizes.keys()].filter((name) => !equation.output.includes(name))
    const names = [...equation.output, ...summed]
    const extent = (list: readonly string[]): number[] => list.map((name) => sizes.get(name)!)
    // offsets of each input over the output's elements, and over the sums
    const factors = tensors.map((tensor, i) => {
      const own = stridesOf(tensor.dims)
      const strides = names.map((name) =>
        equation.inputs[i].reduce((sum, at, axis) => sum + (at === name && tensor.dims[axis] > 1 ? own[axis] : 0), 0),
      )
      const outer = equation.output.length
      return {
        values: exactOf(tensor),
        outer: offsetsOf(extent(equation.output), strides.slice(0, outer)),
        inner: offsetsOf(extent(summed), strides.slice(outer)),
      }
    })
    const { type } = tensors[0]
    const [size, terms] = [sizeOf(extent(equation.output)), sizeOf(extent(summed))]
    const add = isFloat(type)
      ? (o: number): number => {
          let sum = 0
          for (let t = 0; t < terms; t++) {
            let product = 1
            for (const f of factors) product *= f.values[f.outer[o] + f.inner[t]] as number
            sum += product
          }
          return sum
        }
      : (o: number): bigint => {
          let sum = 0n
          for (let t = 0; t < terms; t++) {
            sum += factors.reduce((product, f) => product * BigInt(f.values[f.outer[o] + f.inner[t]]), 1n)
          }
          return sum
        }
    const values = Array.from({ length: size }, (_, o) => add(o))
    return [tensorOf(type, values, extent(equation.output))]
  },
} satisfies Record<string, Reference>

export const samples = {
  Einsum: (random): Sample[] => {
    const of = (equation: string, ...shapes: number[][]): Sample => ({
      inputs: shapes.map((dims) => floats(random, dims)),
      attributes: { equation },
    })
    return [
      of('ij,jk->ik', [3, 4], [4, 5]),
      of('bij, bjk -> bik', [2, 3, 4], [2, 4, 5]),
      of('...ii->...i', [2, 3, 3]),
      of('ij->ji', [3, 4]),
      of('ij,ij', [3, 4], [3, 4]),
      of('bhid,bhjd->bhij', [2, 2, 3, 4], [2, 2, 5, 4]),
      of('i,j,k->ijk', [2], [3], [4]),
      { inputs: [integers(random, [3, 4], -9, 9), integers(random, [4], -9, 9)], attributes: { equation: 'ij,j->i' } },
    ]
  },
} satisfies Record<string, Samples>
