// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { StepSpec, WeightLayout } from '../../src/ir/lowering.ts'
import { kernelTable } from '../../src/kernels/table.ts'
import { byteRecipes, packF32, packS8 } from '../../src/ops/lower-gemm.ts'
import { clippedLayout } from '../../src/ops/lower-sparse.ts'
import { Heap, createMemory } from '../../src/runtime/address.ts'
import { encodeSteps } from '../../src/runtime/encode.ts'
import { instantiateKernels } from '../../src/runtime/instance.ts'
import { Packing } from '../../src/runtime/packing.ts'

const module = new WebAssembly.Module(readFileSync(new URL('../../build/wasm/simd.wasm', import.meta.url)))

/** A heap and what runs steps in it. */
function bench() {
  const memory = createMemory(false)
  const heap = new Heap(memory)
  const kernels = instantiateKernels(module, memory)
  let calls = 0
  const run = (steps: readonly StepSpec[], resolve: (ref: { id: string; offset: number }) => number): Promise<void> => {
    const { words } = encodeSteps(steps, resolve, kernelTable)
    const list = heap.allocate(words.byteLength)
    heap.view(list, words.byteLength).set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength))
    kernels.run(list, words.length, 0, 0, 1)
    heap.release(list, words.byteLength)
    calls++
    return Promise.resolve()
  }
  return { heap, run, calls: () => calls }
}

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7) % 251)

/** A source larger than what is staged, and what packs it. */
const cases: readonly (readonly [name: string, source: number, layout: WeightLayout])[] = [
  ['float32 columns, 603 of 700', 603 * 700 * 4, packF32({ n: 603, k: 700, colStride: 700, depthStride: 1 }).layout],
  ['float32 lines of 603 columns', 603 * 700 * 4, packF32({ n: 603, k: 700, colStride: 1, depthStride: 603 }).layout],
  ['int8 columns', 603 * 1501, packS8({ n: 603, k: 1501, colStride: 1501, depthStride: 1 }, byteRecipes.pairs).layout],
  [
    'int8 lines, flipped',
    603 * 1501,
    packS8({ n: 603, k: 1501, colStride: 1, depthStride: 603, flip: 128 }, byteRecipes.u8).layout,
  ],
  ['depths', 4 * 200_001, clippedLayout(200_001, 70_000, 3)],
]

describe('Packing', () => {
  it.each(cases)('packs %s part by part to the same bytes', async (_, length, layout) => {
    const source = bytesOf(length)
    const whole = bench()
    const [from, to] = [whole.heap.allocate(length), whole.heap.allocate(layout.bytes)]
    whole.heap.view(from, length).set(source)
    await whole.run(layout.steps({ id: 'from', offset: 0 }, { id: 'to', offset: 0 }), ({ id, offset }) => {
      return (id === 'from' ? from : to) + offset
    })
    const parts = bench()
    const target = parts.heap.allocate(layout.bytes)
    const before = parts.heap.top
    const packing = new Packing(parts.heap, [{ id: 'packed', constant: 'w', layout }], parts.run, () => target)
    const half = length >> 1
    await packing.take('w', length, 0, source.subarray(0, half))
    expect(parts.calls()).toBe(0)
    await packing.take('w', length, half, source.subarray(half))
    expect(parts.calls()).toBeGreaterThan(1)
    expect(Buffer.compare(parts.heap.view(target, layout.bytes), whole.heap.view(to, layout.bytes))).toBe(0)
    expect(parts.heap.top - before).toBeLessThan(500_000)
  })

  it('keeps a whole piece that another constant is waited for with', async () => {
    const { heap, run } = bench()
    const layout: WeightLayout = {
      key: 'both',
      bytes: 128,
      steps: (source, target, [other] = []) => [
        { kernel: 'copy_bytes', units: 1, args: { src: source, dst: target, bytes: 64, block: 64 } },
        { kernel: 'copy_bytes', units: 1, args: { src: other, dst: { ...target, offset: 64 }, bytes: 64, block: 64 } },
      ],
    }
    const target = heap.allocate(128)
    const packing = new Packing(heap, [{ id: 'packed', constant: 'a', beside: ['b'], layout }], run, () => target)
    const piece = bytesOf(64)
    await packing.take('b', 64, 0, piece)
    piece.fill(0)
    await packing.take('a', 64, 0, piece)
    expect(packing.constants).toEqual([])
    expect([...heap.view(target, 128)]).toEqual([...new Uint8Array(64), ...bytesOf(64)])
  })
})
