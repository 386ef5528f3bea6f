// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../../src/base/errors.ts'
import { Heap, createMemory, pageBytes } from '../../src/runtime/address.ts'

describe('Heap', () => {
  it('never hands out the first page and aligns to 64 bytes', () => {
    const heap = new Heap(createMemory(false))
    const a = heap.allocate(1)
    const b = heap.allocate(100)
    expect(a).toBe(pageBytes)
    expect(b).toBe(pageBytes + 64)
    expect(heap.allocate(0)).toBe(pageBytes + 192)
  })

  it('uses freed blocks again, joined with their neighbours', () => {
    const heap = new Heap(createMemory(false))
    const [a, b, c, d] = [64, 64, 64, 64].map((bytes) => heap.allocate(bytes))
    heap.release(a, 64)
    heap.release(c, 64)
    heap.release(b, 64)
    expect(heap.allocate(192)).toBe(a)
    expect(d).toBe(a + 192)
    const top = heap.top
    heap.release(d, 64)
    expect(heap.allocate(1000)).toBe(d)
    expect(heap.top).toBeGreaterThan(top)
  })

  it('grows, and makes views that reach what it grew', () => {
    for (const shared of [false, true]) {
      const heap = new Heap(createMemory(shared))
      const address = heap.allocate(3 * pageBytes)
      const view = heap.view(address, 3 * pageBytes)
      view[view.length - 1] = 7
      expect(view.byteLength).toBe(3 * pageBytes)
    }
  })

  it('says what it needed when memory cannot grow', () => {
    const heap = new Heap(createMemory(true, 1))
    expect(() => heap.allocate(2 ** 30)).toThrow(UnsupportedError)
    expect(heap.allocate(64)).toBe(pageBytes)
  })
})
