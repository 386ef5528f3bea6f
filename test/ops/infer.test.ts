// SPDX-License-Identifier: Apache-2.0
/** Shape arithmetic over symbols, through the operators themselves; what cannot be is named with its node. */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import { print } from '../../src/ir/dim.ts'
import type { ValueInfo } from '../../src/ir/graph.ts'
import { inferGraph } from '../../src/ir/infer.ts'
import { parseGraph } from '../../src/ir/text-parse.ts'
import { printType } from '../../src/ir/text.ts'
import { loadOps, opTable } from '../../src/ops/table.ts'

const ops = await loadOps(Object.keys(opTable))

function infer(text: string): ReadonlyMap<string, ValueInfo> {
  return inferGraph(parseGraph(`graph g opset 21 {${text}}`), ops)
}

function typeOf(text: string, name = 'y'): string {
  return printType(infer(text).get(name)!)
}

function contentOf(text: string, name = 'y'): string[] | undefined {
  return infer(text).get(name)!.content?.map(print)
}

describe('shape arithmetic', () => {
  it('resolves the flatten idiom: Shape, Gather, Unsqueeze, Concat, Reshape', () => {
    const text = `input x: float32[n, 8, w]
      const zero: int64[] = 0 const axes: int64[1] = 0 const rest: int64[1] = -1
      s = Shape(x) g = Gather(s, zero) u = Unsqueeze(g, axes) c = Concat(u, rest) {axis: 0} y = Reshape(x, c)`
    expect(typeOf(text)).toBe('float32[n, 8*w]')
  })

  it('resolves the expand idiom: -1 stands for the input dim', () => {
    const text = `input x: float32[n, 1, w]
      const minus: int64[3] = -1 4 -1 const one: int64[] = 1 const none: int64[] = -1
      s = Shape(minus) ones = ConstantOfShape(s) {value: int64[1] = 1}
      e = Equal(minus, none) target = Where(e, ones, minus) y = Expand(x, target)`
    expect(typeOf(text)).toBe('float32[n, 4, w]')
  })

  it('keeps casts, slices and divisions of dims', () => {
    const text = `input x: float32[n, 8, w]
      const two: int32[] = 2 const a: int64[1] = 1 const b: int64[1] = 9223372036854775807
      s = Shape(x) c = Cast(s) {to: 6} d = Slice(c, a, b) h = Div(d, two) y = Add(h, two)`
    expect(contentOf(text)).toEqual(['6', 'floordiv(w, 2) + 2'])
  })

  it('decides comparisons that hold whatever the symbols are', () => {
    const compare = (op: string, value: number): string[] | undefined =>
      contentOf(`input x: float32[n] const k: int64[] = ${value} s = Size(x) y = ${op}(s, k)`)
    expect(compare('Equal', -1)).toEqual(['0'])
    expect(compare('Greater', -1)).toEqual(['1'])
    expect(compare('Less', 0)).toEqual(['0'])
    expect(compare('Equal', 3)).toBeUndefined()
  })

  it('follows no content into results that are large, whatever they are made of', () => {
    expect(contentOf('const a: int64[2] = 1 2 const k: int64[1] = 134217728 y = Tile(a, k)')).toBeUndefined()
    expect(contentOf('const a: int64[1] = 7 const k: int64[1] = 134217728 y = Expand(a, k)')).toBeUndefined()
  })

  it.each(['Expand', 'Reshape'])(
    'refuses shapes of more dims than models have, whose content nobody knows (%s)',
    (op) => {
      expect(() => infer(`input x: float32[2, 3] input s: int64[1073741824] y = ${op}(x, s)`)).toThrow(
        /at most 64 dims/,
      )
    },
  )

  it('drops content that an integer type would wrap around', () => {
    expect(contentOf('const a: uint8[1] = 200 y = Add(a, a)')).toBeUndefined()
    expect(contentOf('const a: int64[1] = 9223372036854775807 const b: int64[1] = 0 y = Add(a, b)')).toBeUndefined()
  })

  it('cuts axes by symbolic lengths', () => {
    const slice = (starts: number, ends: string, steps = 1): string =>
      typeOf(`input x: float32[n] const a: int64[1] = ${starts} const b: int64[1] = ${ends}
        const c: int64[1] = 0 const d: int64[1] = ${steps} y = Slice(x, a, b, c, d)`)
    expect(slice(0, '9223372036854775807')).toBe('float32[n]')
    expect(slice(0, '9223372036854775807', 2)).toBe('float32[floordiv(n + 1, 2)]')
    expect(slice(-1, '-9223372036854775808', -1)).toBe('float32[n]')
    expect(slice(0, '4')).toBe('float32[min(4, n)]')
  })

  it('gives ranges and constants of symbolic shape their length', () => {
    const text = `input x: float32[n] const zero: int64[] = 0 const two: int64[] = 2
      s = Size(x) r = Range(zero, s, two) h = Shape(x) y = ConstantOfShape(h)`
    expect(typeOf(text, 'r')).toBe('int64[floordiv(n + 1, 2)]')
    expect(typeOf(text)).toBe('float32[n]')
  })

  it('splits a symbolic axis evenly, the last part being what is left', () => {
    const text = 'input x: float32[n] a, b = Split(x) {num_outputs: 2}'
    expect(typeOf(text, 'a')).toBe('float32[floordiv(n + 1, 2)]')
    expect(typeOf(text, 'b')).toBe('float32[-floordiv(n + 1, 2) + n]')
  })

  it('takes the branch of a known condition, else what the branches have in common', () => {
    const branches = `{then_branch: graph t opset 21 { a = Concat(x, x) {axis: 0} output a: float32[...] },
      else_branch: graph e opset 21 { b = Neg(x) output b: float32[...] }}`
    expect(typeOf(`input x: float32[n, 3] const c: bool[] = 1 y = If(c) ${branches}`)).toBe('float32[2*n, 3]')
    expect(typeOf(`input x: float32[n, 3] input c: bool[] y = If(c) ${branches}`)).toBe('float32[y.0, 3]')
  })

  it('says nothing of dims that only data tells', () => {
    expect(typeOf('input x: float32[n] input s: int64[3] y = Reshape(x, s)')).toBe('float32[y.0, y.1, y.2]')
    expect(typeOf('input x: float32[n] input s: int64[k] y = Reshape(x, s)')).toBe('float32[...]')
  })
})

describe('errors name the node and what was expected', () => {
  it.each([
    [
      'a perm that is none',
      'input x: float32[2, 3] y = Transpose(x) {perm: [0, 0]} @t',
      'Transpose "t": expected perm to order the axes 0..1, got [0, 0]',
    ],
    [
      'unlike dims joined',
      'input a: float32[2, 3] input b: float32[2, 4] y = Concat(a, b) {axis: 0}',
      'Concat "y": expected inputs equal but for axis 0, got [2, 3] and [2, 4]',
    ],
    [
      'a reshape that loses elements',
      'input x: float32[2, 3] const s: int64[1] = 5 y = Reshape(x, s)',
      'Reshape "y": expected a shape of 6 elements, as [2, 3], got [5]',
    ],
    [
      'two dims left open',
      'input x: float32[6] const s: int64[2] = -1 -1 y = Reshape(x, s)',
      'expected dims >= 0 and at most one -1',
    ],
    [
      'an axis out of range',
      'input x: float32[2] const i: int64[] = 0 y = Gather(x, i) {axis: 1}',
      'Gather "y": expected an axis in [-1, 1), got 1',
    ],
    [
      'unlike types',
      'input a: float32[2] input b: int64[2] y = Add(a, b)',
      'Add "y": expected inputs of one element type, got float32 and int64',
    ],
    [
      'shapes that do not broadcast',
      'input a: float32[2] input b: float32[3] y = Mul(a, b)',
      'Mul "y": expected inputs that broadcast, got [2] and [3]',
    ],
    [
      'a gamma that is no row of the input',
      'input x: float32[2, 3] input g: float32[2] y = com.microsoft.SkipLayerNormalization(x, x, g)',
      'com.microsoft.SkipLayerNormalization "y": expected gamma of dims [3], got [2]',
    ],
    [
      'a bias that is no row of the input',
      'input x: float32[2, 3] input b: float32[2, 3] y = com.microsoft.BiasGelu(x, b)',
      'com.microsoft.BiasGelu "y": expected bias of dims [3], got [2, 3]',
    ],
    [
      'a dim that is not 1 squeezed',
      'input x: float32[2, 3] const a: int64[1] = 1 y = Squeeze(x, a)',
      'Squeeze "y": expected a dim of 1 at axis 1, got [2, 3]',
    ],
    [
      'lengths that do not add up',
      'input x: float32[5] const l: int64[2] = 2 2 a, b = Split(x, l)',
      'Split "a": expected lengths that add up to dim 0, 5, got [2, 2]',
    ],
    [
      'a block that does not divide',
      'input x: float32[1, 3, 2, 2] y = DepthToSpace(x) {blocksize: 2}',
      'DepthToSpace "y": expected a dim that 4 divides, got 3',
    ],
    [
      'a data type that is none',
      'input x: float32[1] y = Cast(x) {to: 99}',
      'Cast "y": expected a data type number of ONNX as attribute to, got 99',
    ],
    [
      'a step of 0',
      'input x: float32[4] const a: int64[1] = 0 y = Slice(x, a, a, a, a)',
      'Slice "y": expected steps other than 0, got 0',
    ],
  ])('%s', (_, text, message) => {
    const run = (): unknown => infer(text)
    expect(run).toThrow(GraphError)
    expect(run).toThrow(message)
  })
})
