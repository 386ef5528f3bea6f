// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Constant } from '../../src/ir/graph.ts'
import type { StepSpec, WeightLayout } from '../../src/ir/lowering.ts'
import { Heap, createMemory } from '../../src/runtime/address.ts'
import { refsOf } from '../../src/runtime/encode.ts'
import { type ArrivingPiece, type Refetch, WeightStore } from '../../src/runtime/weights.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const content = Uint8Array.from({ length: 300 }, (_, i) => i % 251)

/** A layout whose one step copies; the fake below carries it out. */
const layout: WeightLayout = {
  key: 'copied',
  bytes: 300,
  steps: (src, dst) => [{ kernel: 'copy_bytes', args: { src, dst, bytes: 300, block: 300 }, units: 1 }],
}

function store(constant: Constant, refetch?: Refetch): { weights: WeightStore; heap: Heap; packed: () => number } {
  const heap = new Heap(createMemory(false))
  let packed = 0
  const run = async (
    steps: readonly StepSpec[],
    resolve: (ref: { id: string; offset: number }) => number,
  ): Promise<void> => {
    for (const step of steps) {
      const places = new Map(refsOf(step))
      heap.view(resolve(places.get('dst')!), 300).set(heap.view(resolve(places.get('src')!), 300))
      packed++
    }
  }
  return { weights: new WeightStore(heap, new Map([['w', constant]]), run, refetch), heap, packed: () => packed }
}

async function* pieces(...sizes: number[]): AsyncGenerator<ArrivingPiece> {
  let offset = 0
  for (const size of sizes) {
    yield { constants: ['w'], length: 300, offset, bytes: content.subarray(offset, offset + size) }
    offset += size
  }
}

const streamed: Constant = { dtype: 'uint8', dims: [300] }
const atHand: Constant = { ...streamed, tensor: new Tensor('uint8', content) }
const request = { id: 'packed', constant: 'w', layout }
const raw = { id: 'constant w', constant: 'w' }

describe('WeightStore', () => {
  it('packs a constant once and gives staging back', async () => {
    const { weights, heap, packed } = store(atHand)
    await weights.ensure([request], new Map())
    await weights.ensure([request], new Map())
    expect(packed()).toBe(1)
    expect(heap.view(weights.addressOf('packed')!, 300)).toEqual(content)
    const top = heap.top
    heap.allocate(300)
    expect(heap.top).toBe(top)
    expect(weights.bytes).toBe(300)
  })

  it.each([[[300]], [[1, 298, 1]], [[100, 100, 100]]])(
    'packs a stream of pieces %j when the last is there',
    async (sizes) => {
      const { weights, heap } = store(streamed)
      await weights.receive(pieces(...sizes), [request])
      expect(heap.view(weights.addressOf('packed')!, 300)).toEqual(content)
      expect(weights.hasTensor('w')).toBe(false)
    },
  )

  it('keeps a streamed constant as it is when asked, beside a packed copy', async () => {
    const { weights } = store(streamed)
    await weights.receive(pieces(150, 150), [raw, request])
    expect(weights.tensorOf('w')!.data).toEqual(content)
  })

  it('packs later from what was kept, and fetches again what was not', async () => {
    const kept = store(streamed)
    await kept.weights.receive(pieces(300), [raw])
    await kept.weights.ensure([request], new Map())
    expect(kept.heap.view(kept.weights.addressOf('packed')!, 300)).toEqual(content)
    const gone = store(streamed, () => Promise.resolve(content))
    await gone.weights.receive(pieces(300), [])
    await gone.weights.ensure([request], new Map())
    expect(gone.heap.view(gone.weights.addressOf('packed')!, 300)).toEqual(content)
    await gone.weights.ensure([raw], new Map())
    expect(gone.weights.tensorOf('w')!.data).toEqual(content)
  })

  it('keeps one table per content', async () => {
    const { weights, heap } = store(atHand)
    const [a, b, c] = [
      [1, 2],
      [1, 2],
      [2, 1],
    ].map((bytes) => weights.intern(Uint8Array.from(bytes)))
    expect(a).toBe(b)
    expect(c).not.toBe(a)
    await weights.ensure([], new Map([[a, Uint8Array.of(1, 2)]]))
    expect([...heap.view(weights.addressOf(a)!, 2)]).toEqual([1, 2])
  })

  it('packs again what a failure left unpacked', async () => {
    const heap = new Heap(createMemory(false))
    let calls = 0
    const run = (): Promise<void> => (calls++ === 0 ? Promise.reject(new Error('no room')) : Promise.resolve())
    const weights = new WeightStore(heap, new Map([['w', atHand]]), run)
    await expect(weights.ensure([request, raw], new Map())).rejects.toThrow('no room')
    expect([weights.addressOf('packed'), weights.addressOf('constant w'), weights.bytes]).toEqual([
      undefined,
      undefined,
      0,
    ])
    const { top } = heap
    await weights.ensure([request, raw], new Map())
    expect(calls).toBe(2)
    expect(heap.top).toBe(top)
    expect(weights.tensorOf('w')!.data).toEqual(content)
  })
})
