// SPDX-License-Identifier: Apache-2.0
/**
 * Dims are canonical: equal expressions are equal however they were built, and every simplification agrees with plain
 * numbers for all small bindings.
 */
import { describe, expect, it } from 'vitest'
import { GraphError } from '../../src/base/errors.ts'
import * as d from '../../src/ir/dim.ts'

const w = d.symbol('w')
const h = d.symbol('h')
const functions = {
  add: d.add,
  sub: d.sub,
  mul: d.mul,
  floorDiv: d.floorDiv,
  ceilDiv: d.ceilDiv,
  mod: d.mod,
  max: d.max,
  min: d.min,
}

describe('dim', () => {
  it('is a plain number whenever no symbol is left', () => {
    expect(d.sub(w, w)).toBe(0)
    expect(d.mul(w, 0)).toBe(0)
    expect(d.floorDiv(d.mul(w, 6), d.mul(w, 3))).toBe(2)
    expect(d.mod(d.mul(w, 6), 3)).toBe(0)
    expect(d.max(d.add(w, 2), d.add(w, 5))).toEqual(d.add(w, 5))
  })

  it('has one text for one expression', () => {
    expect(d.print(d.mul(d.add(w, 1), d.sub(w, 1)))).toBe('w*w - 1')
    expect(d.print(d.add(d.mul(h, w), d.mul(w, h)))).toBe('2*h*w')
    expect(d.print(d.floorDiv(d.add(d.mul(w, 3), 7), 2))).toBe('floordiv(w + 1, 2) + w + 3')
    expect(d.equal(d.ceilDiv(w, 2), d.add(d.floorDiv(d.sub(w, 1), 2), 1))).toBe(true)
    expect(d.print(d.max(w, h))).toBe(d.print(d.max(h, w)))
  })

  it('collapses a chain of strided convolutions into one division', () => {
    const strided = (x: d.Dim): d.Dim => d.add(d.floorDiv(d.sub(x, 1), 2), 1)
    expect(d.print(strided(strided(strided(w))))).toBe('floordiv(w + 7, 8)')
  })

  it('divides polynomials that divide exactly, as Reshape to -1 needs', () => {
    const size = d.product([w, 8, d.floorDiv(h, 2), 15])
    expect(d.equal(d.floorDiv(size, d.mul(w, 40)), d.mul(3, d.floorDiv(h, 2)))).toBe(true)
    expect(d.equal(d.floorDiv(d.sub(d.mul(w, w), 1), d.add(w, 1)), d.sub(w, 1))).toBe(true)
    expect(d.print(d.floorDiv(w, h))).toBe('floordiv(w, h)')
  })

  it('agrees with numbers after substitution', () => {
    const leaves: d.Dim[] = [w, h, 3, d.add(w, 1), d.sub(d.mul(w, 2), h), d.floorDiv(d.add(w, 5), 3)]
    const divides = new Set(['floorDiv', 'ceilDiv', 'mod'])
    for (const a of leaves) {
      for (const b of leaves) {
        for (const [name, fn] of Object.entries(functions)) {
          for (const [W, H] of [
            [1, 1],
            [4, 3],
            [7, 2],
            [12, 5],
          ]) {
            const bindings = new Map([
              ['w', W],
              ['h', H],
            ])
            const [x, y] = [d.substitute(a, bindings) as number, d.substitute(b, bindings) as number]
            if (divides.has(name) && y <= 0) continue
            expect(d.substitute(fn(a, b), bindings), `${name}(${d.print(a)}, ${d.print(b)}) at ${W}, ${H}`).toBe(
              fn(x, y),
            )
          }
        }
      }
    }
  })

  it('substitutes expressions for symbols and leaves the others', () => {
    const dim = d.floorDiv(d.add(w, h), 2)
    expect(d.print(d.substitute(dim, new Map([['w', d.mul(h, 3)]])))).toBe('2*h')
    expect(d.symbolsOf(d.max(dim, d.symbol('batch size'))).sort()).toEqual(['batch size', 'h', 'w'])
  })

  it('reads back what it prints, for any symbol name', () => {
    for (const dim of [0, -3, w, d.symbol('p2o.Dynamic 1'), d.symbol('max'), d.symbol('a"b'), d.mul(d.sub(w, 4), h)]) {
      expect(d.parse(d.print(dim))).toEqual(dim)
    }
    const nested = d.min(d.mod(d.add(w, 1), 4), d.floorDiv(h, w))
    expect(d.parse(d.print(nested))).toEqual(nested)
    expect(d.print(d.parse('-(w + 1)*2'))).toBe('-2*w - 2')
  })

  it('takes numbers beyond the safe integers for infinite, as ends of slices', () => {
    expect(d.min(w, 2 ** 63)).toBe(w)
    expect(d.max(-(2 ** 63), w)).toBe(w)
    expect(d.max(w, 2 ** 63)).toBe(2 ** 63)
  })

  it('knows that symbols are not negative', () => {
    expect(d.max(w, 0)).toBe(w)
    expect(d.min(0, d.mul(w, h))).toBe(0)
  })

  it('broadcasts: 1 gives way, a known dim wins over a symbol, unlike symbols become their maximum', () => {
    expect(d.broadcastShapes([w, 1, 4], [3, 1])).toEqual([w, 3, 4])
    expect(d.broadcastShapes([w], [5])).toEqual([5])
    expect(d.print(d.broadcastShapes([w], [h])[0])).toBe('max(h, w)')
    expect(() => d.broadcastShapes([2], [3])).toThrow(GraphError)
  })

  it('rejects texts that are no dims, zero divisors and runaway expressions', () => {
    for (const text of ['', 'w +', '(w', 'max(w)', 'w w', '#', '"w'])
      expect(() => d.parse(text), text).toThrow(GraphError)
    expect(() => d.floorDiv(w, 0)).toThrow(GraphError)
    const grow = (): d.Dim => {
      let dim: d.Dim = w
      for (let i = 0; i < 40; i++) dim = d.max(d.mul(dim, h), d.floorDiv(dim, 3))
      return dim
    }
    expect(grow).toThrow('at most 256 terms')
  })
})
